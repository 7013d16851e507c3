"""What a file of rows says is read as it stands, and no file however made is a fault or goes in by half."""

import io
import random
import zipfile
from datetime import date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from gateway import sheets
from shared.contracts.rows import KINDS, person_of
from shared.errors import Invalid
from tests.make import fresh
from tests.make_gateway import FakeBus, a_gateway, signed_in

PLACES, PEOPLE, RULES = KINDS["places"], KINDS["people"], KINDS["rules"]
HEADER = ["编码", "上级编码", "类型", "名称", "启用日"]
ROW = ["110102009041.01", "110102009041", "小区", "万明园小区", "2026-01-01"]
VALUES = dict(zip(("code", "parent", "level", "name", "since"), ROW, strict=True))


def a_csv(*rows, delimiter: str = ",") -> str:
    return "\r\n".join(delimiter.join(row) for row in rows) + "\r\n"


def an_xlsx(*rows, **sheets_beside) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    for title, lines in sheets_beside.items():
        sheet = book.create_sheet(title)
        for line in lines:
            sheet.append(line)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def repacked(data: bytes, **changes) -> bytes:
    """Give an xlsx with some of its parts changed, by the end of their names; ``add`` is more of them."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as after:
        for part in before.infolist():
            content = before.read(part)
            for old, new in changes.get(part.filename.rpartition("/")[2].replace(".", "_"), {}).items():
                assert old in content
                content = content.replace(old, new)
            after.writestr(part.filename, content)
        for name, content in changes.get("add", {}).items():
            after.writestr(name, content)
    return out.getvalue()


def why(kind, data: bytes) -> str:
    with pytest.raises(Invalid) as refused:
        sheets.read(kind, data)
    return refused.value.detail


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_of_any_office_is_read(encoding, delimiter):
    (row,) = sheets.read(PLACES, a_csv(HEADER, ROW, delimiter=delimiter).encode(encoding))
    assert row == {"sheet": "", "line": 2, "values": VALUES, "numbers": []}


@pytest.mark.parametrize(
    "header",
    [
        ["code", "parent", "level", "name", "since"],
        ["编 码*", "上级", "级别", "名称", "启用日"],
        ["编码 code", "上级编码 Parent", "LEVEL", "name", "启用日since"],
    ],
)
def test_headers_are_matched_in_either_language(header):
    assert sheets.read(PLACES, a_csv(header, ROW).encode())[0]["values"] == VALUES


def test_columns_stand_in_any_order():
    assert sheets.read(PLACES, a_csv(HEADER[::-1], ROW[::-1]).encode())[0]["values"] == VALUES


def test_what_is_wrong_with_a_header_is_said_by_name():
    assert "不认识的列:楼层数" in why(PLACES, a_csv([*HEADER, "楼层数"], [*ROW, "6"]).encode())
    assert "缺少列:名称、启用日" in why(PLACES, a_csv(HEADER[:3], ROW[:3]).encode())
    assert "列重复:编码" in why(PLACES, a_csv([*HEADER, "code"], [*ROW, "1"]).encode())
    assert "编码、上级编码" in why(PLACES, a_csv(["甲", "乙"], ["1", "2"]).encode())
    assert "没有标题" in why(PLACES, a_csv(HEADER, [*ROW, "多余"]).encode())


def test_empty_rows_are_skipped_and_lines_are_those_of_the_file():
    text = a_csv([], HEADER, ["", "", ""], ROW, [], [*ROW[:3], '"两\n行"', ROW[4]], ROW)
    assert [row["line"] for row in sheets.read(PLACES, text.encode())] == [4, 6, 8]
    data = an_xlsx([], HEADER, [], ROW, [None, " "], ROW)
    assert [row["line"] for row in sheets.read(PLACES, data)] == [4, 6]


def test_five_thousand_rows_are_read_and_one_more_is_refused_plainly():
    rows = [[f"110102009041.{n}", *ROW[1:]] for n in range(5001)]
    assert len(sheets.read(PLACES, a_csv(HEADER, *rows[:5000]).encode())) == 5000
    assert "5000" in why(PLACES, a_csv(HEADER, *rows).encode())
    assert len(sheets.read(PLACES, an_xlsx(HEADER, *rows[:5000]))) == 5000


def test_every_sheet_with_the_header_counts_and_others_do_not():
    data = an_xlsx(HEADER, ROW, 八宝山=[HEADER, ROW], 说明=[["怎么填"], ["随便写"]])
    assert [(row["sheet"], row["line"]) for row in sheets.read(PLACES, data)] == [("Sheet", 2), ("八宝山", 2)]


def test_numbers_are_taken_exactly_and_named_as_numbers():
    data = an_xlsx(["类别", "地点", "主办"], [102, 110102009041.0, "chengguan"])
    (row,) = sheets.read(RULES, data)
    assert row["values"] == {"category": "102", "unit": "110102009041", "lead": "chengguan"}
    assert row["numbers"] == ["category", "unit"]


def test_days_formulas_and_truth_come_as_text():
    rows = [["类别", "地点", "主办", "不得下交社区"], ["=1+1", datetime(2026, 1, 31), date(2026, 2, 1), True]]
    assert sheets.read(RULES, an_xlsx(*rows))[0]["values"] == {
        "category": "=1+1", "unit": "2026-01-31", "lead": "2026-02-01", "never_community": "是",
    }  # fmt: skip


def test_a_cell_of_two_thousand_and_one_characters_is_named():
    assert "第 2 行第 4 列" in why(PLACES, a_csv(HEADER, [*ROW[:3], "长" * 2001, ROW[4]]).encode())
    assert sheets.read(PLACES, a_csv(HEADER, [*ROW[:3], "长" * 200, ROW[4]]).encode())


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00" * 100, b"\xff\xfe\x00", b"\x80\x81\xff", b"PK\x03\x04", b"PK", "编码,\x00".encode(), b'"', b"\r\r\r"],
)
def test_what_is_no_table_is_refused(data):
    assert why(PLACES, data)


def test_an_old_or_encrypted_workbook_is_named_as_that():
    assert "xls" in why(PLACES, sheets.OLE + b"\x00" * 1000)


def test_a_zip_of_zeros_is_refused_before_it_is_unpacked():
    good = an_xlsx(HEADER, ROW)
    assert "解压" in why(PLACES, repacked(good, add={"xl/media/zeros.bin": b"\x00" * 20_000_000}))
    assert "解压" in why(PLACES, repacked(good, add={"xl/zeros.xml": b"\x00" * 60_000_000}))
    assert "解压" in why(PLACES, repacked(good, add={f"xl/{n}.xml": b"<a/>" for n in range(2001)}))


def test_a_workbook_that_reaches_outside_is_refused():
    good = an_xlsx(HEADER, ROW)
    assert "外部" in why(PLACES, repacked(good, add={"xl/externalLinks/externalLink1.xml": b"<a/>"}))
    bomb = {b"<worksheet": b'<!DOCTYPE a [<!ENTITY b "b">]><worksheet'}
    assert "DTD" in why(PLACES, repacked(good, sheet1_xml=bomb))


def test_a_sheet_that_claims_a_billion_cells_is_read_by_what_it_holds():
    good = an_xlsx(HEADER, ROW)
    wide = repacked(good, sheet1_xml={b'ref="A1:E2"': b'ref="A1:XFD1048576"'})
    assert len(sheets.read(PLACES, wide)) == 1
    far = repacked(good, sheet1_xml={b'<row r="2"': b'<row r="1000000000"', b'r="A2"': b'r="A1000000000"'})
    assert why(PLACES, far)
    broad = repacked(good, sheet1_xml={b'r="E2"': b'r="XFD2"'})
    assert why(PLACES, broad)


def test_many_sheets_are_read():
    beside = {f"第{n}张": [HEADER, [f"110102009041.{n}", *ROW[1:]]] for n in range(300)}
    assert len(sheets.read(PLACES, an_xlsx(HEADER, ROW, **beside))) == 301


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda text: ("编码,名称\n" + text).encode()))
def test_no_bytes_are_a_fault(data):
    try:
        assert sheets.read(PLACES, data)
    except Invalid as refused:
        assert " / " in refused.detail


def test_a_workbook_damaged_in_any_way_is_read_or_refused_never_a_fault():
    good, chance = an_xlsx(HEADER, *[ROW] * 20), random.Random(20261125)
    read = 0
    for _ in range(400):
        data = bytearray(good)
        for _ in range(chance.randint(1, 30)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            read += bool(sheets.read(PLACES, bytes(data)))
        except Invalid as refused:
            assert " / " in refused.detail
    assert read < 400
    parts = zipfile.ZipFile(io.BytesIO(good)).namelist()
    for _ in range(400):  # and damaged within, where the packing is whole
        part = chance.choice(parts)
        content = bytearray(zipfile.ZipFile(io.BytesIO(good)).read(part))
        at = chance.randrange(len(content))
        content[at : at + chance.randint(0, 8)] = bytes(chance.randrange(32, 127) for _ in range(chance.randint(0, 8)))
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
            for name in parts:
                packed.writestr(name, bytes(content) if name == part else zipfile.ZipFile(io.BytesIO(good)).read(name))
        try:
            sheets.read(PLACES, out.getvalue())
        except Invalid as refused:
            assert " / " in refused.detail


NASTY = ["=1+1", "+86", "-1", "@SUM(A1)", "'=1", "''-", "\t=1", "张,三", '他说"好"', "两\n行", "0102", "'", "一般"]


def test_what_goes_out_is_no_formula_and_comes_in_as_it_was():
    rows = [VALUES | {"name": name} for name in NASTY]
    text = b"".join(sheets.csv_out(PLACES, rows))
    assert text.startswith(b"\xef\xbb\xbf")
    assert [row["values"]["name"] for row in sheets.read(PLACES, text)] == NASTY
    data = sheets.xlsx_out(PLACES, rows)
    assert [row["values"]["name"] for row in sheets.read(PLACES, data)] == NASTY
    cells = [cell for row in load_workbook(io.BytesIO(data)).active.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} == {"s"}
    assert not any(str(cell.value).startswith(sheets.FORMULA) for cell in cells)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_template_has_a_header_an_example_and_hints_and_comes_in_as_nothing(kind):
    data = sheets.template(kind)
    book = load_workbook(io.BytesIO(data))
    first, hints = book.worksheets
    assert [cell.value for cell in first[1]] == list(kind.titles.values())
    assert first[2][0].value.startswith("例:") and hints.max_row == len(kind.titles) + 2
    assert "没有数据行" in why(kind, data)
    example = {name: field.metadata["example"] for name, field in kind.row.fields.items() if field.metadata["example"]}
    assert kind.load(example)[1] == {}, "the example is a good one"


def test_a_person_has_the_same_id_however_the_login_is_written():
    assert person_of("110102", " Zhang") == person_of("110102", "zhang") != person_of("110107", "zhang")


# -- over HTTP ------------------------------------------------------------------------------------------------------


def a_table(order, caller):
    return {"id": order["id"], "kind": "places", "state": "checked", "count": len(order["rows"]), "errors": []}


@pytest.fixture(scope="module")
def bus():
    made = FakeBus()
    made.answers["roster.check_places"] = a_table
    made.answers["roster.export_places"] = lambda order, caller: (
        {"items": [{"values": VALUES}], "next": None if order.get("after") else "there"}
    )
    return made


@pytest.fixture(scope="module")
def app(bus):
    return a_gateway(bus)


def test_a_file_is_judged_as_it_comes_or_from_a_form(app, bus):
    client, id = signed_in(app), fresh()
    data = a_csv(HEADER, ROW).encode()
    raw = client.post(f"/v1/tables/places?id={id}", data=data, content_type="text/csv")
    form = client.post(f"/v1/tables/places?id={id}", data={"file": (io.BytesIO(data), "楼.csv")})
    assert raw.status_code == form.status_code == 200 and raw.json == form.json
    assert bus.order_for("roster.check_places")["rows"][0]["values"] == VALUES


@pytest.mark.parametrize(("data", "status"), [(b"x" * 5_000_001, 413), (b"", 422), (b"nothing", 422), (b"PK\x03", 422)])
def test_a_file_that_cannot_be_taken_is_refused_by_its_kind(app, data, status):
    answer = signed_in(app).post(f"/v1/tables/places?id={fresh()}", data=data, content_type="text/csv")
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


def test_who_may_not_bring_a_table_in_does_not_get_it_read(app):
    for path in ("/v1/tables/people", "/v1/tables/rules"):
        answer = signed_in(app).post(f"{path}?id={fresh()}", data=b"anything", content_type="text/csv")
        assert answer.status_code == 403
    assert signed_in(app).get("/v1/tables/people.csv").status_code == 403
    assert app.test_client().get("/v1/tables/places.csv").status_code == 401


def test_an_export_is_of_all_pages_and_is_written_down_in_the_gateways_own_name(app, bus):
    for path in ("/v1/tables/places.csv", "/v1/tables/places.xlsx"):
        answer = signed_in(app).get(path)
        assert answer.status_code == 200 and "attachment" in answer.headers["Content-Disposition"]
        assert len(sheets.read(PLACES, answer.data)) == 2
        noted = bus.noted[-1]
        assert (noted["what"], noted["about"]) == ("exported", path.rpartition("/")[2])


def test_an_export_that_cannot_be_written_down_does_not_go_out(app, bus):
    from shared.errors import Unavailable

    bus.answers["identity.note"] = Unavailable("身份服务不在 / identity is away")
    assert signed_in(app).get("/v1/tables/places.csv").status_code == 503


def test_a_template_is_given_to_who_may_bring_one_in(app):
    answer = signed_in(app).get("/v1/tables/places/template.xlsx")
    assert answer.status_code == 200 and answer.data.startswith(b"PK")
