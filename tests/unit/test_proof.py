"""A whistle that went out as a file proves itself to anybody, and whatever was done to it is named."""

import ast
import copy
import hashlib
import io
import json
import random
import shutil
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from PIL import Image

import huying_verify as verify
from gateway.proofs import ENDINGS
from services import ledger
from services import proof as proving
from shared.contracts import events, whistle
from shared.contracts.identity import note
from shared.errors import Unavailable
from shared.rules.days import iso
from tests.make_gateway import FakeBus, a_gateway, signed_in
from tests.unit.test_house import ROOT

ID, DISTRICT = "9b2f4c1e-7d3a-4f60-8b1c-2a5d6e7f8091", "110102"
KEY = f"{DISTRICT}/{ID}"
AT = datetime(2026, 11, 24, 2, 20, 13, 456_000, tzinfo=UTC)
ERASURE = {"erasure": "3f6a9c02-8e1b-4b7d-a5d4-c6e7f8091a2b", "reason": "requested", "community": "110102009041"}
GOLDEN = Path(__file__).parents[1] / "contract" / "proof"


def a_picture(colour: int, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (colour, colour, colour)).save(out, form)
    return out.getvalue()


PHOTOS = [a_picture(10), a_picture(200, "JPEG"), a_picture(90, "WEBP")]
DIGESTS = [hashlib.sha256(data).hexdigest() for data in PHOTOS]
BLOBS = dict(zip(DIGESTS, PHOTOS, strict=True))
KINDS = dict(zip(DIGESTS, ("png", "jpg", "webp"), strict=True))
STEPS = [
    ("blown", {"kind": "综合执法", "category": "0101", "community": "110102009041", "called": ["chengguan"]}
     | {"lon": 116.3441, "lat": 39.0},
     {"title": "六层阳台<b>私搭乱建</b>", "text": "阳台向外扩出一米多。\n请尽快。", "photos": DIGESTS[:1]}),
    ("called", {"department": "chengguan", "kind": "综合执法", "category": "0101", "community": "110102009041"}, {}),
    ("reported", {"report": ID, "department": "chengguan", "person": "ma"}, {"photos": DIGESTS[1:]}),
    ("settled", {"settlement": ID, "community": "110102009041"}, {"note": "已拆除。", "photos": []}),
]  # fmt: skip


def a_proof(steps=STEPS, erased: tuple[str, ...] = (), withheld: bool = False) -> dict:
    """Give a proof as the service and the gateway make it, its links and digests by the ledger's own hand."""
    head, history, words = ledger.GENESIS, [], {}
    for n, (fact, data, said) in enumerate(steps, 1):
        at = AT + timedelta(hours=n)
        entry = {"n": n, "fact": fact, "at": at, "actor": "zheng", "to": "all", "role": "secretary", "trace": ""}
        entry |= {"data": data, "prev": head}
        if said:
            fresh = {name: {"text": text, "salt": f"salt {n} {name}"} for name, text in said.items()}
            entry["words"] = {"ref": f"ref{n}", "digests": {k: ledger.digest(**word) for k, word in fresh.items()}}
            words[f"ref{n}"] = "erased" if f"ref{n}" in erased else proving.shown(fresh, withheld)
        entry["hash"] = head = ledger.link(KEY, entry)
        history.append(entry | {"at": iso(at)})
    made = {"format": verify.FORMAT, "service": "whistle", "district": DISTRICT, "id": ID, "version": len(history)}
    made |= {"head": head, "history": history, "words": words, "photos": {}}
    made["photos"] = {each: KINDS[each] for each in verify.photos_of(made)}
    return copy.deepcopy(made)


def a_file(proof: dict | None = None, photos: dict[str, bytes] = BLOBS) -> bytes:
    return b"".join(verify.packed(proof or a_proof(), photos.__getitem__))


@pytest.fixture
def said(tmp_path, capsys):
    """Have bytes checked as a file, by the command itself; gives its exit code and what it says."""

    def checked(data: bytes, *options: str) -> tuple[int, str]:
        path = tmp_path / "哨.huying.zip"
        path.write_bytes(data)
        code = verify.main([str(path), *options])
        out = capsys.readouterr()
        return code, out.out + out.err

    return checked


def repacked(data: bytes, *, drop=(), packing=zipfile.ZIP_STORED, add=(), **changed) -> bytes:
    """Give the same file packed by another program, with parts changed, dropped or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(out, "w", packing) as after:
        for name in before.namelist():
            if name not in drop:
                after.writestr(name, changed.get(name, before.read(name)))
        for name, content in add:
            after.writestr(name, content)
    return out.getvalue()


def forged(change, **options) -> bytes:
    """Give a well-made file of a proof that was changed behind the history's back."""
    proof = a_proof(**options)
    change(proof)
    return a_file(proof)


# -- whole ------------------------------------------------------------------------------------------------------------


def test_a_file_as_it_was_made_is_whole_and_untouched(said):
    code, text = said(a_file())
    assert code == 0 and "完整、未改动 / whole and untouched" in text
    assert f"whistle/{KEY}: 4 步 / steps, 3 张照片 / photos, 6 段文字 / texts" in text
    assert a_proof()["head"] in text


def test_the_same_history_is_the_same_file_to_the_byte():
    assert a_file() == a_file()
    with zipfile.ZipFile(io.BytesIO(a_file())) as packing:
        assert packing.testzip() is None, "any program unpacks it"
        assert packing.namelist()[:3] == ["README.txt", "index.html", "whistle.json"]
        assert packing.infolist()[0].date_time == (2026, 11, 24, 14, 20, 12), "the last step's, in Beijing"


def test_after_an_erasure_the_file_still_verifies_and_the_page_says_so(said):
    proof = a_proof([*STEPS, ("words_erased", ERASURE, {})], erased=("ref1", "ref3", "ref4"))
    code, text = said(a_file(proof))
    assert code == 0 and "3 步的文字已依法删除" in text and "0 张照片" in text
    assert "阳台" not in verify.page(proof) and "已依法删除" in verify.page(proof) and "本人要求" in verify.page(proof)


def test_what_is_withheld_from_a_reader_is_said_and_the_rest_is_proved(said):
    proof = a_proof(withheld=True)
    assert "阳台" not in verify.written(proof).decode() and "salt" not in verify.written(proof).decode()
    code, text = said(a_file(proof))
    assert code == 0 and "6 段文字未出示" in text and "0 张照片" in text


def test_a_link_noted_elsewhere_is_found_in_the_chain_or_missed(said):
    proof = a_proof()
    for step in proof["history"]:
        assert said(a_file(), "--seal", step["hash"].upper())[0] == 0
    other = a_proof([("blown", STEPS[0][1] | {"category": "0102"}, STEPS[0][2]), *STEPS[1:]])
    code, text = said(a_file(other), "--seal", proof["head"])
    assert code == 1 and "封印" in text, "a whole history made anew holds in itself; only the seal tells"


def test_the_checker_runs_on_a_bare_python(tmp_path):
    alone, file = tmp_path / "huying_verify.py", tmp_path / "哨.zip"
    shutil.copy(ROOT / "huying_verify.py", alone)
    file.write_bytes(a_file())
    # -I and -S: no folder of ours, no package of anybody's.
    done = subprocess.run([sys.executable, "-I", "-S", alone, file], capture_output=True, cwd=tmp_path, timeout=30)
    assert (done.returncode, done.stderr) == (0, b"") and "完整、未改动".encode() in done.stdout
    file.write_bytes(a_file()[:-1])
    assert subprocess.run([sys.executable, "-I", "-S", alone, file], capture_output=True, timeout=30).returncode == 1


def test_the_checker_stands_on_the_standard_library_alone():
    tree = ast.parse((ROOT / "huying_verify.py").read_text("utf-8"))
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert found and {each.partition(".")[0] for each in found} <= sys.stdlib_module_names


def test_the_checker_hashes_as_the_ledger_does():
    entry = {
        "n": 1,
        "fact": "blown",
        "at": AT,
        "data": {"lon": 116.0, "名": "1e22", "x": 1e22},
        "prev": "0",
        "hash": "x",
    }
    assert verify.link(KEY, entry | {"at": iso(AT)}) == ledger.link(KEY, entry)
    assert verify.digest("盐", ["文字", 1.5, None]) == ledger.digest("盐", ["文字", 1.5, None])
    assert ledger.GENESIS == verify.GENESIS
    assert ledger.Ledger.erasing == verify.ERASING


def test_the_page_says_every_fact_of_the_whistle_in_words():
    told = {fact.name: fact.doc.partition(" / ")[0] for fact in whistle.CONTRACT.facts}
    said = {name: chinese for name, (chinese, _) in verify.FACTS.items()} | {verify.ERASING: told[verify.ERASING]}
    assert said == told, "a new edition, when files are out that bear the old one"
    carried = {name for fact in whistle.CONTRACT.facts for name in fact.carries.fields}
    assert carried <= verify.FIELDS.keys() | verify.UNSHOWN


def test_the_page_knows_every_event_of_the_standard():
    assert {code: name for code, name in verify.NAMES.items() if len(code) == 4} == events.shipped()


def test_the_bytes_of_an_edition_stay_as_they_are():
    """Files that are out in the world must verify: whoever changes a byte of what is written raises EDITION."""
    golden = GOLDEN / f"edition-{verify.EDITION}"
    proof = json.loads((golden / "whistle.json").read_text("utf-8"))
    written = dict(verify.parts(proof, lambda digest: b""))
    for name in verify.PARTS:
        assert written[name] == (golden / name).read_bytes(), f"{name}: the bytes changed, so EDITION has to"


# -- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_is_self_contained_and_takes_nothing_for_markup():
    page = verify.page(a_proof())
    assert "<script" not in page and "http" not in page.replace("https", "http").replace("<!doctype html>", "")
    assert "六层阳台&lt;b&gt;私搭乱建&lt;/b&gt;" in page and "阳台<b>" not in page
    assert "2026-11-24 11:20:13" in page, "the first step, as Beijing's clocks had it"
    assert "0101 私搭乱建" in page and "110102 西城区" in page and "综合执法" in page and "size: A4" in page
    for digest, ending in KINDS.items():
        assert f'src="photos/{digest}.{ending}"' in page


def test_what_turns_the_direction_of_writing_is_spelled_on_the_page():
    proof = a_proof([("blown", STEPS[0][1], {"title": "付款\u202e元001\u2066", "photos": []})])
    assert "付款\\u202e元001\\u2066" in verify.page(proof)


def test_a_fact_or_field_that_this_edition_does_not_know_stands_under_its_own_name(said):
    proof = a_proof([*STEPS, ("audited", {"stars": 5, "from": {"deep": ["x"]}}, {"opinion": "很满意"})])
    page = verify.page(proof)
    assert said(a_file(proof))[0] == 0
    assert "audited" in page and "stars 5" in page and "from deep x" in page and "<b>opinion</b> 很满意" in page


# -- touched ----------------------------------------------------------------------------------------------------------


def set_in(path: str, value):
    """Give a change of one place of a proof: ``history.0.fact``."""

    def change(proof: dict) -> None:
        *way, last = (int(each) if len(each) == 1 else each for each in path.split("."))
        place = proof
        for each in way:
            place = place[each]
        place[last] = value

    return change


def drop_step(n: int):
    return lambda proof: proof["history"].pop(n)


def swap_steps(proof: dict) -> None:
    proof["history"][1], proof["history"][2] = proof["history"][2], proof["history"][1]


def make_away_with_words(proof: dict) -> None:
    proof["words"]["ref1"] = "erased"
    proof["photos"].pop(DIGESTS[0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_in("history.0.data.category", "0102"), "1 (blown): 内容被改动"),
        (set_in("history.2.at", "2026-11-24T05:20:13.457Z"), "3 (reported): 内容被改动"),
        (set_in("history.2.actor", "li"), "3 (reported): 内容被改动"),
        (set_in("history.3.fact", "reopened"), "4 (reopened): 内容被改动"),
        (set_in("id", "00000000-0000-4000-8000-000000000000"), "1 (blown): 内容被改动"),
        (set_in("district", "110107"), "1 (blown): 内容被改动"),
        (set_in("history.1.extra", "x"), "2 (called): 内容被改动"),
        (drop_step(0), "1 (called): 与前一步不相连"),
        (drop_step(1), "2 (reported): 与前一步不相连"),
        (drop_step(3), "末尾缺失"),
        (swap_steps, "2 (reported): 与前一步不相连"),
        (set_in("version", 5), "末尾缺失"),
        (set_in("head", "0" * 64), "末尾缺失"),
        (set_in("words.ref1.title.text", "没有的事"), "第 1 步: 文字“title”被改动"),
        (set_in("words.ref1.title.salt", "x"), "第 1 步: 文字“title”被改动"),
        (set_in("words.ref4.photos.text", DIGESTS[:1]), "第 4 步: 文字“photos”被改动"),
        (lambda proof: proof["words"]["ref1"].pop("title"), "第 1 步: 文字“title”缺失"),
        (lambda proof: proof["words"].pop("ref4"), "第 4 步: 文字缺失且无删除记录"),
        (make_away_with_words, "第 1 步: 文字缺失且无删除记录"),
        (set_in("words.ref4.extra", {"salt": "x", "text": "x"}), "多出历史中没有的文字"),
        (set_in("words.ref9", {}), "多出历史中没有的文字"),
        (set_in("words.ref9", "erased"), "多出历史中没有的文字"),
        (set_in("photos." + "0" * 64, "png"), "照片清单有多余"),
        (set_in("photos." + DIGESTS[0], "jpg"), "格式不符"),
        (set_in("more", 1), "不合格式"),
        (lambda proof: proof.pop("photos") and None, "不合格式"),
    ],
)
def test_whatever_is_changed_in_the_record_is_named(said, change, words):
    proof = a_proof()
    original = copy.deepcopy(proof)
    change(proof)
    try:
        data = a_file(proof)
    except (KeyError, IndexError):  # it cannot even be written so: put into the good file by hand
        data = repacked(a_file(original), **{"whistle.json": verify.written(proof)})
    code, text = said(data)
    assert code == 1 and words in text and " / " in text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "不是平台导出的 zip"),
        (b"hello", "不是平台导出的 zip"),
        (b"PK\x03\x04", "截断或损坏"),
        (b"%PDF-1.7" + a_file(), "不是平台导出的 zip"),
        (a_file()[:-1], "截断或损坏"),
        (a_file()[: len(a_file()) // 2], "截断或损坏"),
        (a_file() + b"x", "截断或损坏|夹带"),
        (repacked(a_file()), "重新打包"),
        (repacked(a_file(), packing=zipfile.ZIP_DEFLATED), "被压缩或加密过"),
        (repacked(a_file(), drop=("README.txt",)), "缺少 README.txt"),
        (repacked(a_file(), drop=("whistle.json",)), "缺少 whistle.json"),
        (repacked(a_file(), drop=(f"photos/{DIGESTS[0]}.png",)), f"缺少照片 {DIGESTS[0]}"),
        (repacked(a_file(), **{f"photos/{DIGESTS[0]}.png": a_picture(11)}), f"照片 {DIGESTS[0]} 被调换或改动"),
        (repacked(a_file(), add=[(f"photos/{'0' * 64}.png", PHOTOS[0])]), "多出照片"),
        (repacked(a_file(), add=[("../../etc/passwd", b"x")]), "多出不该有的文件:../../etc/passwd"),
        (repacked(a_file(), add=[("/etc/passwd", b"x")]), "多出不该有的文件:/etc/passwd"),
        (repacked(a_file(), add=[("photos\\..\\x.png", b"x")]), "多出不该有的文件"),
        (repacked(a_file(), add=[("\x1b[2Jx", b"x")]), "多出不该有的文件:?[2Jx"),
        (repacked(a_file(), add=[("photos/", b"")]), "重新打包"),
        (repacked(a_file(), **{"index.html": b"<p>nothing to see</p>"}), "index.html 被改动"),
        (repacked(a_file(), **{"README.txt": b"trust me"}), "README.txt 被改动"),
        (repacked(a_file(), **{"whistle.json": b"{}"}), "看不懂"),
        (repacked(a_file(), **{"whistle.json": b"[" * 100_000}), "看不懂"),
        (repacked(a_file(), **{"whistle.json": b"\xff"}), "看不懂"),
        (repacked(a_file(), **{"whistle.json": b'{"format": "huying-proof/99"}'}), "请用那一版核验程序"),
        (repacked(a_file(), **{"whistle.json": b" " + verify.written(a_proof())}), "不合格式"),
    ],
)  # fmt: skip
def test_whatever_is_done_to_the_file_is_named(said, data, words):
    code, text = said(data)
    assert code == 1 and any(each in text for each in words.split("|")), text


def test_a_bomb_is_refused_before_it_is_unpacked(said):
    code, text = said(repacked(a_file(), packing=zipfile.ZIP_DEFLATED, add=[("photos/x", b"\0" * 60_000_000)]))
    assert code == 1
    bomb = repacked(a_file(), drop=("whistle.json",))
    out = io.BytesIO(bomb)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as packing:
        packing.writestr("whistle.json", b" " * 60_000_000)
    code, text = said(out.getvalue())
    assert code == 1 and "whistle.json 被压缩或加密过" in text
    # And one that lies about its size in the list of contents.
    liar = a_file()
    at = liar.rindex(b"PK\x01\x02", 0, liar.rindex(b"whistle.json"))
    size = (2**31).to_bytes(4, "little")
    code, text = said(liar[: at + 20] + size + size + liar[at + 28 :])
    assert code == 1 and "whistle.json 过大" in text


def test_two_parts_of_one_name_are_refused(said):
    with pytest.warns(UserWarning):
        data = repacked(a_file(), add=[("whistle.json", verify.written(a_proof()))])
    code, text = said(data)
    assert code == 1 and "whistle.json 重复" in text


def test_what_is_no_file_or_no_seal_is_said_plainly(tmp_path, capsys):
    assert verify.main([str(tmp_path / "nowhere.zip")]) == 1
    assert verify.main([str(tmp_path)]) == 1
    assert "读不了这个文件" in capsys.readouterr().err
    with pytest.raises(SystemExit) as refused:
        verify.main(["x.zip", "--seal", "abc"])
    assert refused.value.code == 2


def test_not_one_byte_of_the_file_can_be_changed(tmp_path):
    """Every byte of the zip's own and many of each part: the checker never takes it for whole, nor falls over."""
    good, path, chance = bytearray(a_file(a_proof(STEPS[:1]))), tmp_path / "x.zip", random.Random(20261125)
    contents = good.index(b"PK\x01\x02")
    for at in {*range(40), *range(contents, len(good)), *chance.sample(range(contents), 400)}:
        bad = bytearray(good)
        bad[at] ^= 1 << at % 8
        path.write_bytes(bad)
        with pytest.raises(verify.Broken) as broken:
            verify.check(path)
        assert " / " in str(broken.value)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(some.data())
def test_no_file_however_made_is_taken_for_whole_or_is_a_fault(tmp_path_factory, data):
    good, path = a_file(), tmp_path_factory.mktemp("x") / "x.zip"
    how = data.draw(some.sampled_from(["cut", "insert", "swap", "rubbish", "json"]))
    at, to = sorted((data.draw(some.integers(0, len(good) - 1)), data.draw(some.integers(0, len(good) - 1))))
    match how:
        case "cut":
            bad = good[:at] + good[to + 1 :]
        case "insert":
            bad = good[:at] + data.draw(some.binary(min_size=1, max_size=40)) + good[at:]
        case "swap":
            bad = good[to:] + good[:to] if to else good[1:]
        case "rubbish":
            bad = b"PK\x03\x04" + data.draw(some.binary(max_size=200))
        case _:
            deep = some.recursive(
                some.none() | some.booleans() | some.integers() | some.text(max_size=3),
                lambda inner: (
                    some.lists(inner, max_size=2) | some.dictionaries(some.text(max_size=5), inner, max_size=3)
                ),
            )
            thing = a_proof() | data.draw(some.dictionaries(some.sampled_from(sorted(verify.KEYS)), deep, min_size=1))
            bad = repacked(good, **{"whistle.json": verify.written(thing)})
    path.write_bytes(bad)
    with pytest.raises(verify.Broken):
        verify.check(path)


def test_wrong_checksums_that_were_mended_do_not_help(said):
    """Whoever changes a photo and mends the zip's own checksum is caught by the digest."""
    good, old = a_file(), PHOTOS[0]
    new = bytearray(old)
    new[-20] ^= 1
    bad = good.replace(old, bytes(new)).replace(
        zlib.crc32(old).to_bytes(4, "little"), zlib.crc32(bytes(new)).to_bytes(4, "little")
    )
    code, text = said(bad)
    assert code == 1 and f"照片 {DIGESTS[0]} 被调换或改动" in text


# -- over HTTP --------------------------------------------------------------------------------------------------------


class Shelf:
    """The photos of one district."""

    def get(self, key: str) -> bytes:
        return BLOBS[key.removeprefix(f"{DISTRICT}/")]


def as_told() -> dict:
    proof = a_proof()
    types = {ending: kind for kind, ending in ENDINGS.items()}
    proof.pop("format")
    return proof | {"photos": {digest: types[ending] for digest, ending in proof["photos"].items()}}


@pytest.fixture
def bus():
    made = FakeBus()
    made.answers["whistle.prove"] = as_told()
    return made


@pytest.fixture
def app(bus):
    made = a_gateway(bus)
    made.config["BLOBS"] = Shelf()
    return made


def test_a_whistle_goes_out_as_a_file_that_verifies_and_that_it_did_is_written_down(app, bus, said):
    answer = signed_in(app).get(f"/v1/whistles/{ID}/proof")
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    assert "huying.zip" in answer.headers["Content-Disposition"] and answer.headers["Cache-Control"] == "no-store"
    assert said(answer.data)[0] == 0
    noted = bus.noted[-1]
    assert (noted["what"], noted["about"], noted["district"]) == ("exported", f"whistles/{ID}", DISTRICT)


def test_a_proof_that_cannot_be_written_down_does_not_go_out(app, bus):
    bus.answers[f"{note.service}.{note.name}"] = Unavailable("身份服务不在 / identity is away")
    assert signed_in(app).get(f"/v1/whistles/{ID}/proof").status_code == 503


@pytest.mark.parametrize(
    ("role", "status"),
    [(each, 200) for each in ("secretary", "street", "district", "observer")]
    + [(each, 403) for each in ("resident", "steward", "worker", "specialist", "lead", "operator")],
)
def test_who_may_take_a_whistle_out(app, role, status):
    assert signed_in(app, role).get(f"/v1/whistles/{ID}/proof").status_code == status


def test_a_photo_that_went_meanwhile_leaves_a_file_without_its_end(app, said, monkeypatch):
    monkeypatch.delitem(BLOBS, DIGESTS[2])
    out = bytearray()
    with pytest.raises(KeyError):
        for piece in signed_in(app).get(f"/v1/whistles/{ID}/proof", buffered=False).response:
            out += piece
    assert out and said(bytes(out))[0] == 1


def test_many_large_photos_go_out_and_are_checked_one_at_a_time(tmp_path, monkeypatch):
    large = [b"\x89PNG\r\n\x1a\n" + bytes([n]) * 2_000_000 for n in range(12)]
    digests = [hashlib.sha256(data).hexdigest() for data in large]
    monkeypatch.setattr(sys.modules[__name__], "KINDS", dict.fromkeys(digests, "png"))
    proof = a_proof([("blown", {}, {"photos": digests}), *[("reported", {"n": n}, {}) for n in range(40)]])
    path = tmp_path / "x.zip"
    tracemalloc.start()
    with path.open("wb") as file:
        file.writelines(verify.packed(proof, lambda digest: bytes(bytearray(large[digests.index(digest)]))))
    assert verify.check(path)["photos"] == 12
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 9_000_000 < path.stat().st_size, peak
