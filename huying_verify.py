"""Checks one exported whistle, offline and with Python alone: ``python3 huying_verify.py FILE``.

The file is a zip: ``whistle.json`` (the history as stored, with the words and their salts), the photos, a page to read
and a note. Every byte of it follows from the history, the words and the photos, and is written by this very module;
so who writes and who checks cannot differ, and a second export of the same state is the same file.
"""

import argparse
import hashlib
import html
import json
import re
import struct
import sys
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

EDITION = 1  # raise it whenever the bytes that are written for one and the same history change
FORMAT = f"huying-proof/{EDITION}"
GENESIS = "0" * 64
ERASING = "words_erased"  # the fact after which words may be gone
BEIJING = timezone(timedelta(hours=8))
MOST_BYTES = 32_000_000  # of one part
MOST_PARTS = 2_000
MOST_OF_ALL = 2**32 - 1  # what a zip of the plain kind can hold

HEX = re.compile("[0-9a-f]{64}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
PHOTO = re.compile(r"photos/([0-9a-f]{64})\.(jpg|png|webp)")
BEGINS = {"jpg": rb"\xff\xd8\xff", "png": rb"\x89PNG\r\n\x1a\n", "webp": rb"RIFF....WEBP"}
PARTS = ("README.txt", "index.html", "whistle.json")
KEYS = {"format", "service", "district", "id", "version", "head", "history", "words", "photos"}
REPACKED = "压缩包被重新打包,或夹带其他字节,请用原文件", "packed anew, or it carries other bytes: use the original file"
STEP = {"n": int, "fact": str, "at": str, "actor": str, "data": dict, "prev": str, "hash": str}


class Broken(Exception):
    """The first thing that does not hold, in both languages."""

    def __init__(self, chinese: str, english: str):
        super().__init__(f"{chinese} / {english}")


# -- what is hashed ---------------------------------------------------------------------------------------------------


def canonical(thing: Any) -> bytes:
    """Write a thing in the one form that is hashed: sorted keys, no blanks, UTF-8."""
    return json.dumps(thing, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def link(key: str, step: dict) -> str:
    """Give the hash of one step: over everything in it, the hash before it and whose history it is."""
    return hashlib.sha256(canonical({name: step[name] for name in step if name != "hash"} | {"of": key})).hexdigest()


def digest(salt: str, text: Any) -> str:
    """Give the salted digest that stands in a history for what a person wrote."""
    return hashlib.sha256(salt.encode() + canonical(text)).hexdigest()


# -- what is in a proof -----------------------------------------------------------------------------------------------


def texts_of(proof: dict, step: dict) -> dict[str, Any]:
    """Give what was written at one step, as far as it is there to be read."""
    ref, digests = step.get("words", {}).get("ref"), step.get("words", {}).get("digests", {})
    said = proof["words"].get(ref)
    if not isinstance(said, dict):
        return {}
    return {name: said[name]["text"] for name in sorted(digests) if isinstance(said.get(name), dict)}


def photos_of(proof: dict) -> list[str]:
    """Give the digests of all photos that are shown anywhere, each once, in the order of the history."""
    shown = [each for step in proof["history"] for each in texts_of(proof, step).get("photos", ())]
    return list(dict.fromkeys(shown))


def erased_at(proof: dict) -> int:
    """Give the number of the last erasure, 0 where there is none: what was written before it may be gone."""
    return max((step["n"] for step in proof["history"] if step["fact"] == ERASING), default=0)


# -- what is written --------------------------------------------------------------------------------------------------


def written(proof: dict) -> bytes:
    """Write a proof as the one text that it has, for people and programs."""
    return (json.dumps(proof, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def parts(proof: dict, photo: Callable[[str], bytes]) -> Iterator[tuple[str, bytes]]:
    """Give every part of the file with its bytes, one after the other; ``photo`` gives a photo's by its digest."""
    yield from zip(PARTS, (NOTE.encode(), page(proof).encode(), written(proof)), strict=True)
    for each in photos_of(proof):
        yield f"photos/{each}.{proof['photos'][each]}", photo(each)


def packed(proof: dict, photo: Callable[[str], bytes]) -> Iterator[bytes]:
    """Write the file piece by piece as a zip that packs nothing: one part is in memory at a time.

    Not by ``zipfile``, whose bytes differ from one Python to the next; each part bears the time of the last step.
    """
    last = beijing(proof["history"][-1]["at"])
    stamp = last.hour << 11 | last.minute << 5 | last.second // 2, (last.year - 1980) << 9 | last.month << 5 | last.day
    contents, count, offset = b"", 0, 0
    for name, data in parts(proof, photo):
        entry = struct.pack("<HHHHHIIIHH", 10, 0, 0, *stamp, zlib.crc32(data), len(data), len(data), len(name), 0)
        contents += b"PK\x01\x02" + struct.pack("<H", 3 << 8 | 20) + entry
        contents += struct.pack("<HHHII", 0, 0, 0, 0o100644 << 16, offset) + name.encode()
        head = b"PK\x03\x04" + entry + name.encode()
        count, offset = count + 1, offset + len(head) + len(data)
        if offset > MOST_OF_ALL:
            raise Broken("照片过多,一个文件装不下", "too many photos for one file")
        yield head
        yield data
    yield contents + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count, count, len(contents), offset, 0)


# -- the page ---------------------------------------------------------------------------------------------------------

# GB/T 2260 for Beijing, and the events of GB/T 30428.2-2013.
NAMES = dict(
    re.findall(
        r"([0-9]+)(\S+)",
        """
110101东城区 110102西城区 110105朝阳区 110106丰台区 110107石景山区 110108海淀区 110109门头沟区 110111房山区
110112通州区 110113顺义区 110114昌平区 110115大兴区 110116怀柔区 110117平谷区 110118密云区 110119延庆区
0101私搭乱建 0102暴露垃圾 0103积存垃圾渣土 0104道路不洁 0105水域不洁 0106绿地脏乱 0107废弃车辆 0108废弃家具设备
0109非装饰性树挂 0110道路破损 0111河堤破损 0112道路遗撒 0113建筑物外立面不洁 0114水域秩序问题 0115焚烧垃圾、树叶
0116油烟污染 0117动物尸体清理 0118擅自饲养家禽家畜 0199其他市容环境问题 0201非法小广告 0202违章张贴悬挂广告牌匾
0203占道广告牌 0204街头散发广告 0205广告招牌破损 0299其他宣传广告问题 0301施工扰民 0302工地扬尘 0303施工废弃料
0304施工占道 0305无证掘路 0399其他施工管理问题 0401路面塌陷 0402自来水管破裂 0403燃气管道破裂
0404下水道堵塞或破损 0405热力管道破裂 0406道路积水 0407道路积雪结冰 0408架空线缆损坏 0409群发性事件
0499其他突发事件问题 0501无照经营游商 0502流浪乞讨 0503占道废品收购 0504店外经营 0505机动车乱停放
0506非机动车乱停放 0507乱堆物堆料 0508商业噪音 0509黑车拉客 0510露天烧烤 0511沿街晾挂 0512非法出版物销售
0513空调室外机低挂 0599其他街面秩序问题
""",
    )
)
# What this edition can say in words; any other fact, role or field stands on the page under its own name.
FACTS = {
    "blown": ("已发哨", "blown"), "approved": ("审核通过", "approved"), "rejected": ("审核不通过", "rejected"),
    "called": ("已派单", "called"), "called_off": ("已撤单", "called off"), "signed": ("已签收", "signed"),
    "contacted": ("已联系", "contacted"), "reported": ("已报到", "reported in"), "taken_up": ("处置中", "taken up"),
    "fed_back": ("已反馈", "fed back"), "sent_back": ("已退单", "sent back"),
    "return_decided": ("退单已审", "return decided"), "reassigned": ("已改派", "reassigned"),
    "convened": ("会商已召集", "convened"), "concluded": ("会商已决定", "concluded"),
    "extension_asked": ("申请延期", "more time asked for"), "extension_decided": ("延期已审", "more time decided"),
    "put_on": ("已挂账", "put on account"), "taken_off": ("已销账", "taken off account"),
    "supervised": ("督办中", "pressed for"), "escalated": ("已提级", "escalated"), "withdrawn": ("已撤回", "withdrawn"),
    "handed_over": ("已交接", "handed over"), "joined": ("共同反映", "joined"), "merged": ("已并案", "merged"),
    "parted": ("已拆案", "parted"), "confirmed": ("已确认", "confirmed on the spot"), "settled": ("已销哨", "settled"),
    "reopened": ("已重办", "reopened"), "dues_moved": ("时限已重算", "limits recomputed"),
    "reminded": ("临期提醒", "reminded"), "overdue": ("已超时", "overdue"), "numbered": ("已编号", "numbered"),
    "recurred": ("重复发生", "recurred"), "scored": ("已评价", "rated"),
    ERASING: ("文字已依法删除", "words erased by right"),
}  # fmt: skip
ROLES = {
    "resident": "居民", "steward": "楼长", "worker": "社区工作者", "secretary": "社区书记", "specialist": "实名制专员",
    "lead": "部门负责人", "street": "街道", "district": "区级管理员", "plugin": "部门程序", "timer": "平台定时",
}  # fmt: skip
FIELDS = {
    "kind": "性质", "category": "类别", "community": "社区", "unit": "单位", "grid": "网格", "source": "来源",
    "confidential": "保密", "called": "所派部门", "department": "部门", "departments": "部门", "role": "分工",
    "person": "专员", "instead_of": "代", "why": "缘由", "lon": "经度", "lat": "纬度", "distance": "距离(米)",
    "far": "不在现场", "way": "方式", "result": "结果", "outcomes": "成果", "measure": "事项", "count": "数量",
    "amount": "量", "reason": "事由", "proposes": "建议改派", "meeting": "须会商", "upheld": "准予", "instead": "改派",
    "at": "时间", "lead": "主办", "release": "撤出", "until": "延至", "granted": "准予", "obstacle": "障碍",
    "review": "复核日", "echelon": "层级", "from_whistle": "并入自", "into": "并入", "solved": "已解决",
    "reopen_until": "可重办至", "clock": "时限", "due": "到期", "told": "已告知", "step": "级", "number": "哨号",
    "of": "前一件", "score": "得分", "split_from": "拆自", "awaiting": "待审核", "title": "标题", "text": "内容",
    "note": "说明", "address": "地址", "expected": "期望结果", "minutes": "纪要", "where": "地点", "photos": "照片",
}  # fmt: skip
VALUES = {
    "solved": "已解决", "partly": "部分解决", "unsolved": "未解决", "lead": "主办", "assist": "协办", "phone": "电话",
    "visit": "上门", "message": "消息", "community": "社区", "street": "街道", "district": "区", "resident": "居民",
    "patrol": "巡查", "hotline": "热线", "department": "部门", "not_our_duty": "非本部门职责",
    "not_our_area": "不在辖区", "wrong_category": "类别有误", "needs_others": "需他部门", "duplicate": "重复",
    "emergency_line": "应走紧急渠道", "judicial_or_other_procedure": "已入司法等程序",
    "repeated_without_new_facts": "重复反映无新情况", "secret_or_private": "涉密或涉隐私", "beyond_duty": "超出职责",
    "unlawful_or_immoral": "违法或违背公序良俗", "objective_obstacle": "客观障碍", "reporter_unreachable": "联系不上",
    "funding": "资金", "planning": "规划", "ownership": "权属", "law": "法规", "season": "季节",
    "works_pending": "待工程", "requested": "本人要求", "retention": "保存期满", "unlawful": "违法收集",
    "mistaken": "误录", "sign": "签收", "contact": "联系", "report": "报到", "resolve": "解决", "feed_back": "反馈",
    "confirm": "确认", "review": "复核",
}  # fmt: skip
FIRST = ("title", "text", "note")  # of what was written, as people read it
# What programs need and people do not: names of orders, promised limits, versions of rules.
UNSHOWN = {"act", "order", "dues", "ladder", "confirm", "policy", "rule", "seat", "rating", "revision"}
STYLE = """
@page { size: A4; margin: 15mm; }
* { box-sizing: border-box; }
body { max-width: 190mm; margin: 0 auto; padding: 8mm 4mm; background: #fff; color: #000;
  font: 11pt/1.5 "Noto Sans CJK SC", "Noto Sans SC", "PingFang SC", "Microsoft YaHei", system-ui, sans-serif; }
h1 { margin: 0 0 4mm; font-size: 18pt; }
h2 { margin: 7mm 0 2mm; font-size: 13pt; }
[lang="en"] { color: #444; font-size: 8.5pt; font-weight: 400; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: 1.5mm 2mm; border: .3mm solid #000; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
thead { display: table-header-group; }
tr, figure { break-inside: avoid; }
.all th { width: 34mm; }
.step td:first-child { width: 9mm; }
.step td:nth-child(2) { width: 26mm; }
.step td:nth-child(3) { width: 34mm; }
.said { white-space: pre-wrap; }
.data { color: #333; font-size: 9pt; }
.gone { color: #444; font-style: italic; }
.hash { font: 8pt/1.4 ui-monospace, "Courier New", monospace; overflow-wrap: anywhere; }
figure { display: inline-block; width: 80mm; margin: 2mm 2mm 0 0; vertical-align: top; }
img { max-width: 100%; max-height: 90mm; border: .3mm solid #000; }
footer { margin-top: 6mm; font-size: 9pt; }
@media print { body { max-width: none; padding: 0; } }
"""

NOTE = """一件哨的证明 / The proof of one whistle
========================================

请先解压 / Unpack it first.

index.html     可读、可打印的一页 / a page to read and to print
whistle.json   全部步骤、文字与其随机盐 / every step, the words and their salts
photos/        照片,文件名即其 SHA-256 / the photos, each named by its SHA-256

核验(离线,只需 Python 3.11 以上) / To check it, offline, with Python 3.11 or newer alone:

    python3 huying_verify.py FILE.zip

核验程序是呼应平台源码根目录的一个文件,也可安装为 huying-verify。
The checker is one file at the root of the platform's source, or installed as huying-verify.

它证明:步骤无增删、无调换、无改动;文字、照片与当时所记一致;页面所示即历史所载。
It proves: no step was added, dropped, swapped or changed; words and photos are those of then; the page shows just that.

它不能独自证明:无人把整份历史重造。请把末环与平台、与部门当时收到的、或与纸上的对照:--seal 末环。
It cannot prove alone that nobody made the whole history anew: compare the last link with the platform's, with one that
a department was told at the time, or with one on paper: --seal HASH.
"""


def beijing(at: str) -> datetime:
    """Give a moment as people in Beijing read it."""
    return datetime.fromisoformat(at.replace("Z", "+00:00")).astimezone(BEIJING)


def clock(at: str) -> str:
    return beijing(at).strftime("%Y-%m-%d %H:%M:%S")


def shown(thing: Any) -> str:
    """Give a value as text for the page; what cannot be seen, or turns the direction of writing round, is spelled."""
    text = thing if isinstance(thing, str) else json.dumps(thing, ensure_ascii=False, sort_keys=True)
    hidden = {each for each in text if unicodedata.category(each) in ("Cf", "Cc", "Cs")} - set("\n\t\u200d")
    return html.escape("".join(f"\\u{ord(each):04x}" if each in hidden else each for each in text))


def named(thing: Any) -> str:
    """Give a value that a step carries, codes with the names that everybody knows, moments as Beijing reads them."""
    if isinstance(thing, bool):
        return "是" if thing else "否"
    if isinstance(thing, list):
        return "、".join(map(named, thing))
    if isinstance(thing, dict):
        return " ".join(f"{shown(FIELDS.get(name, name))} {named(thing[name])}" for name in sorted(thing))
    if isinstance(thing, str) and is_moment(thing):
        return clock(thing)
    name = ""
    if isinstance(thing, str) and re.fullmatch("[0-9]{4}|[0-9]{6}|[a-z_]+", thing):
        name = NAMES.get(thing) or NAMES.get(thing[:4]) or VALUES.get(thing, "")
    return f"{shown(thing)} {name}".rstrip()


def both(chinese: str, english: str) -> str:
    return f'{shown(chinese)} <span lang="en">{shown(english)}</span>' if english else shown(chinese)


def fact_name(step: dict) -> str:
    return both(*FACTS.get(step["fact"], (step["fact"], "")))


def rows_of(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f'<tr><th scope="row">{name}</th><td>{value}</td></tr>\n' for name, value in pairs)


def lines_of(proof: dict, step: dict) -> Iterator[str]:
    """Give the lines of the page for one step: what was written, its photos, what the step carries, its link."""
    ref, digests = step.get("words", {}).get("ref"), step.get("words", {}).get("digests", {})
    said = proof["words"].get(ref, {})
    if said == "erased":
        yield f'<div class="gone">{both("文字、照片已依法删除", "words and photos were erased by right")}</div>'
    for name in sorted(digests, key=lambda name: (*FIRST, name).index(name)) if said != "erased" else ():
        title, word = shown(FIELDS.get(name, name)), said.get(name)
        if not isinstance(word, dict):
            yield f'<div class="gone">{title}:{both("未出示", "not shown")}</div>'
        elif name != "photos" and word["text"] not in ("", None):
            yield f'<div class="said"><b>{title}</b> {shown(word["text"])}</div>'
    for each in texts_of(proof, step).get("photos", ()):
        source = f"photos/{each}.{proof['photos'][each]}"
        yield f'<figure><img src="{source}" alt="照片 {each[:16]}"><div class="hash">{each}</div></figure>'
    for name, value in sorted(step["data"].items()):
        if name in UNSHOWN or value in (None, "", [], {}):
            continue
        yield f'<div class="data">{shown(FIELDS.get(name, name))} {named(value)}</div>'
    yield f'<div class="hash">{shown(step["hash"])}</div>'


def page(proof: dict) -> str:
    """Write the page: no script, its style within, black on white for A4; it says nothing but what is in the proof."""
    history, key = proof["history"], f"{proof['service']}/{proof['district']}/{proof['id']}"
    last = next((step for step in reversed(history) if step["fact"] != ERASING), history[-1])
    begun = {name: named(value) for name, value in history[0]["data"].items() if name in ("kind", "category")}
    begun |= {name: shown(text) for name, text in texts_of(proof, history[0]).items() if name == "title"}
    numbers = [step["data"]["number"] for step in history if step["fact"] == "numbered" and "number" in step["data"]]
    top = [
        *((both("哨号", "number"), shown(each)) for each in numbers[-1:]),
        (both("编号", "id"), shown(proof["id"])),
        *((shown(FIELDS[name]), begun[name]) for name in ("title", "kind", "category") if name in begun),
        (both("区", "district"), named(proof["district"])),
        (both("始于", "begun"), clock(history[0]["at"])),
        (both("现况", "where it stands"), f"{fact_name(last)}<br>{clock(last['at'])}"),
        (both("步数", "steps"), str(len(history))),
        (both("末环", "last link"), f'<span class="hash">{shown(proof["head"])}</span>'),
    ]
    steps = "".join(
        f"<tr><td>{step['n']}</td><td>{clock(step['at'])}</td>"
        f"<td>{fact_name(step)}<br>{shown(ROLES.get(step.get('role', ''), step.get('role', '')))}"
        f'<div class="hash">{shown(step["actor"])}</div></td>'
        f"<td>{''.join(lines_of(proof, step))}</td></tr>\n"
        for step in history
    )
    return (
        '<!doctype html>\n<html lang="zh-CN">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{shown(key)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{both('呼应 · 一件哨的全程留痕', 'Huying: the whole trace of one whistle')}</h1>\n"
        f'<table class="all"><tbody>\n{rows_of(top)}</tbody></table>\n'
        f"<h2>{both('逐步(北京时间)', 'Step by step, Beijing time')}</h2>\n"
        '<table class="step"><thead><tr>'
        + "".join(
            f'<th scope="col">{both(*each)}</th>'
            for each in (("步", "no."), ("时间", "when"), ("办理", "what, by whom"), ("内容与本环", "content and link"))
        )
        + f"</tr></thead><tbody>\n{steps}</tbody></table>\n"
        f"<footer>{both('核验:', 'to check:')} <code>python3 huying_verify.py FILE</code> · "
        f"{both('本页供人阅读,全部字段在 whistle.json', 'this page is for reading; every field is in whistle.json')}"
        f" · {FORMAT}</footer>\n</body>\n</html>\n"
    )


# -- the check --------------------------------------------------------------------------------------------------------


def check(path: Path, seal: str | None = None) -> dict:
    """Give what was proved, or raise ``Broken`` with the first thing that does not hold; nothing is ever unpacked."""
    try:
        with path.open("rb") as file:
            if file.read(4) != b"PK\x03\x04":
                raise Broken("不是平台导出的 zip 文件", "not a zip file as the platform exports it")
            with opened(file) as packing:
                sizes = must_be_plain(packing)
                proof = read(part(packing, "whistle.json"))
                must_hold(proof)
                must_have_its_words(proof)
                must_have_its_photos(proof, packing, sizes)
                for name, expected in zip(PARTS[:2], (NOTE, page(proof)), strict=True):
                    if part(packing, name) != expected.encode():
                        raise Broken(f"{name} 被改动", f"{name} was changed: it shows what the history does not give")
                must_be_packed_so(proof, packing, file)
    except OSError as error:
        raise Broken(f"读不了这个文件({error.strerror})", f"the file cannot be read ({error.strerror})") from None
    if seal and seal not in {step["hash"] for step in proof["history"]}:
        raise Broken(f"封印 {seal} 不在此链上", "the seal is the hash of no step in this history")
    return counted(proof)


def opened(file: BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except Exception:  # zipfile raises many kinds on a damaged file, struct.error and UnicodeDecodeError among them
        raise Broken("文件不完整:被截断或损坏", "the zip is not whole: cut off or damaged") from None


def must_be_plain(packing: zipfile.ZipFile) -> dict[str, int]:
    """Refuse whatever we never write, before anything is read: foreign names, packed or encrypted parts, giants."""
    found: dict[str, int] = {}
    for info in packing.infolist():
        # The name as it lies in the file: zipfile cuts one off at a zero byte.
        name = info.orig_filename
        if name.endswith("/"):
            raise Broken(*REPACKED)
        if name not in PARTS and not PHOTO.fullmatch(name):
            raise Broken(f"多出不该有的文件:{plain(name)}", f"a file that does not belong here: {plain(name)}")
        if name in found:
            raise Broken(f"{name} 重复", f"{name} stands there twice")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 or info.file_size != info.compress_size:
            raise Broken(
                f"{name} 被压缩或加密过,请用原文件", f"{name} was compressed or encrypted: use the original file"
            )
        if info.file_size > MOST_BYTES:
            raise Broken(f"{name} 过大", f"{name} is too large to be ours")
        found[name] = info.file_size
    for name in PARTS:
        if name not in found:
            raise Broken(f"缺少 {name}", f"{name} is missing")
    if len(found) > MOST_PARTS:
        raise Broken("文件过多", "too many files")
    return found


def plain(name: str) -> str:
    """Give a stranger's name so that it does no harm on a terminal."""
    return "".join(each if each.isprintable() else "?" for each in name[:80])


def part(packing: zipfile.ZipFile, name: str) -> bytes:
    try:
        return packing.read(name)
    except OSError:
        raise
    except Exception:  # as above; a wrong CRC, a header that says something else, an end before the end
        raise Broken(f"{name} 损坏或被改动", f"{name} is damaged or was changed (its checksum differs)") from None


def read(data: bytes) -> dict:
    """Read whistle.json; only the one text that a proof has is one."""
    unreadable = Broken("whistle.json 看不懂", "whistle.json cannot be read")
    try:
        proof = json.loads(data.decode())
        same = written(proof) == data
    except (ValueError, RecursionError):
        raise unreadable from None
    if not isinstance(proof, dict) or not isinstance(proof.get("format"), str):
        raise unreadable
    if proof["format"] != FORMAT and re.fullmatch(r"huying-proof/\d{1,4}", proof["format"]):
        raise Broken(
            f"这是 {proof['format']},请用那一版核验程序", f"made as {proof['format']}: use the checker of that edition"
        )
    if not same or proof["format"] != FORMAT or set(proof) != KEYS or not is_shaped(proof):
        raise Broken("whistle.json 不合格式", "whistle.json is not of the form that we write")
    return proof


def is_shaped(proof: dict) -> bool:
    """Say whether everything in a proof is of its kind, so that what follows may rely on it."""
    texts = all(isinstance(proof[name], str) for name in ("service", "district", "id", "head"))
    if not texts or type(proof["version"]) is not int or not isinstance(proof["history"], list) or not proof["history"]:
        return False
    for step in proof["history"]:
        if not isinstance(step, dict) or any(type(step.get(name)) is not kind for name, kind in STEP.items()):
            return False
        if not is_moment(step["at"]) or not isinstance(step.get("role", ""), str):
            return False
        words = step.get("words", {"ref": "", "digests": {}})
        if not isinstance(words, dict) or not isinstance(words.get("ref"), str):
            return False
        if not isinstance(words.get("digests"), dict):
            return False
    if not isinstance(proof["words"], dict) or not isinstance(proof["photos"], dict):
        return False
    for said in proof["words"].values():
        if said != "erased" and not (isinstance(said, dict) and all(map(is_word, said.items()))):
            return False
    return all(HEX.fullmatch(each) and ext in BEGINS for each, ext in proof["photos"].items())


def is_moment(text: str) -> bool:
    if not MOMENT.fullmatch(text):
        return False
    with suppress(ValueError, OverflowError):
        return 1980 <= beijing(text).year <= 2107
    return False


def is_word(pair: tuple[str, Any]) -> bool:
    name, word = pair
    if word == "withheld":
        return True
    if not isinstance(word, dict) or set(word) != {"salt", "text"} or not isinstance(word["salt"], str):
        return False
    texts = word["text"]
    if name == "photos":
        return isinstance(texts, list) and all(isinstance(each, str) and HEX.fullmatch(each) for each in texts)
    return True


def must_hold(proof: dict) -> None:
    """Every step follows the one before it, and is as it was recorded."""
    key, head = f"{proof['district']}/{proof['id']}", GENESIS
    for n, step in enumerate(proof["history"], 1):
        name = f"{proof['service']}/{key}/{n} ({step['fact']})"
        if step["n"] != n or step["prev"] != head:
            raise Broken(f"{name}: 与前一步不相连", f"{name} does not follow the step before it")
        if step["hash"] != link(key, step):
            raise Broken(f"{name}: 内容被改动", f"{name} was changed after it was recorded")
        head = step["hash"]
    if (proof["version"], proof["head"]) != (len(proof["history"]), head):
        raise Broken(f"末尾缺失(应有 {proof['version']} 步)", f"its end is missing: there were {proof['version']}")


def must_have_its_words(proof: dict) -> None:
    """What was written is what the history has the digests of; it is gone only where an erasure followed."""
    last_erasure, wanted = erased_at(proof), {}
    for step in proof["history"]:
        here, there = f"第 {step['n']} 步", f"step {step['n']} ({step['fact']})"
        ref, digests = step.get("words", {}).get("ref"), step.get("words", {}).get("digests", {})
        if ref is None:
            continue
        wanted.setdefault(ref, set()).update(digests)
        said = proof["words"].get(ref)
        if said is None or (said == "erased" and step["n"] > last_erasure):
            raise Broken(f"{here}: 文字缺失且无删除记录", f"the words of {there} are gone without an erasure")
        for field in sorted(digests) if said != "erased" else ():
            word, title = said.get(field), plain(field)
            if word is None:
                raise Broken(f"{here}: 文字“{title}”缺失", f"words ({title}) of {there} are missing")
            if word != "withheld" and digest(word["salt"], word["text"]) != digests[field]:
                raise Broken(f"{here}: 文字“{title}”被改动", f"words ({title}) of {there} were changed")
    for ref, said in proof["words"].items():
        extra = set() if said == "erased" and ref in wanted else set(said) - wanted.get(ref, set())
        if extra or ref not in wanted:
            raise Broken("多出历史中没有的文字", "there are words that the history does not have")


def must_have_its_photos(proof: dict, packing: zipfile.ZipFile, sizes: dict[str, int]) -> None:
    """Every photo that is shown is there, is the one of then, and there is no other."""
    shown_here = {f"photos/{each}.{proof['photos'].get(each, '?')}": each for each in photos_of(proof)}
    for name in sizes:
        if name not in PARTS and name not in shown_here:
            raise Broken(f"多出照片 {name}", f"a photo that the history does not show: {name}")
    if set(proof["photos"]) - set(shown_here.values()):
        raise Broken("照片清单有多余", "the list of photos has more than the history shows")
    for name, each in shown_here.items():
        if name not in sizes:
            raise Broken(f"缺少照片 {each}", f"photo {each} is missing")
        data = part(packing, name)
        if hashlib.sha256(data).hexdigest() != each:
            raise Broken(f"照片 {each} 被调换或改动", f"photo {each} was swapped or changed")
        if not re.match(BEGINS[proof["photos"][each]], data, re.DOTALL):
            raise Broken(f"照片 {each} 格式不符", f"photo {each} is of another kind than its name says")


def must_be_packed_so(proof: dict, packing: zipfile.ZipFile, file: BinaryIO) -> None:
    """The file is, to the byte, what the proof makes it: nothing hides before, between or behind its parts."""
    place, photo = 0, lambda each: part(packing, f"photos/{each}.{proof['photos'][each]}")
    for piece in chain(packed(proof, photo), [b""]):
        file.seek(place)  # for reading a part has moved it
        if file.read(len(piece) or 1) != piece:
            raise Broken(*REPACKED)
        place += len(piece)


def counted(proof: dict) -> dict:
    """Give what a proof holds, in numbers."""
    words = [word for said in proof["words"].values() if said != "erased" for word in said.values()]
    return {
        "of": f"{proof['service']}/{proof['district']}/{proof['id']}",
        "steps": len(proof["history"]),
        "texts": sum(word != "withheld" for word in words),
        "withheld": sum(word == "withheld" for word in words),
        "erased": sum(said == "erased" for said in proof["words"].values()),
        "photos": len(proof["photos"]),
        "last": proof["history"][-1]["at"],
        "head": proof["head"],
    }


def main(argv: list[str] | None = None) -> int:
    """Check a file and say so in words; gives 0 when it is whole and untouched, 1 when it is not."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")
    asked = argparse.ArgumentParser(prog="huying-verify", description="核验导出的一件哨 / checks an exported whistle")
    asked.add_argument("file", type=Path, help="导出的 zip 文件 / the exported zip")
    asked.add_argument("--seal", help="别处记下的某一环,须在此链上 / a link noted elsewhere: it must be in this chain")
    order = asked.parse_args(argv)
    seal = order.seal.strip().lower() if order.seal else None
    if seal and not HEX.fullmatch(seal):
        asked.error("--seal 应为 64 位十六进制 / must be 64 hexadecimal figures")
    try:
        found = check(order.file, seal)
    except Broken as broken:
        print(f"不完整或被改动 / not whole, or not untouched\n  {broken}", file=sys.stderr)
        return 1
    print("完整、未改动 / whole and untouched")
    counts = (("steps", "步"), ("photos", "张照片"), ("texts", "段文字"))
    print(f"  {found['of']}: " + ", ".join(f"{found[name]} {chinese} / {name}" for name, chinese in counts))
    if found["erased"]:
        print(f"  {found['erased']} 步的文字已依法删除,链仍完整 / words of so many steps were erased by right")
    if found["withheld"]:
        print(f"  {found['withheld']} 段文字未出示,无从核对 / so many texts were withheld and are not checked")
    print(f"  末步 / last step: {clock(found['last'])} (北京时间 / Beijing time)")
    print(f"  末环 / last link: {found['head']}")
    if seal:
        print("  与封印相符 / agrees with the seal")
    else:
        print("  请与平台或纸上的末环对照(--seal) / compare it with the platform's, or one on paper (--seal)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
