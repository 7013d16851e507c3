"""The kinds of tables that come in and go out: for each its columns, by which headers are matched, and its calls.

A row is loaded from the texts of its cells and dumped to such texts again, so that what went out may come in.
"""

import re
import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from marshmallow import ValidationError, fields

from shared.contract import Call
from shared.contracts import fields as own
from shared.contracts import identity, roster
from shared.contracts.forms import Order
from shared.contracts.permissions import ROLE_NAMES
from shared.contracts.roster import CATEGORIES, HEAD, POST, STEWARD

PEOPLE = uuid.UUID("6d0b5a52-6f0e-5c8e-9f43-2f3c6b1c7a10")
SEPARATORS = re.compile("[、,,;;]")
YES, NO = ("是", "yes", "true", "1", "y"), ("否", "no", "false", "0", "n")
DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?( 00:00:00)?")
A_PHONE = "11 位手机号,或区号-固定电话 / a mobile number, or a fixed line with its area code"
A_UNIT = "区 6 位,街道或社区 12 位,其下以点分开 / 6 or 12 digits, what is below by dots"
A_POST = "部门编码,小写字母开头,如 chengguan / a department's code, as chengguan"
ROLE_WORDS = {
    "居民": "resident", "楼门长": "steward", "社区工作者": "worker", "站长": "secretary", "专员": "specialist",
    "部门负责人": "lead", "街道协调员": "street", "区管理员": "district", "观察员": "observer",
    "市级观察员": "city_observer", "运维": "operator",
}  # fmt: skip
POST_WORDS = {"站长": HEAD, "楼门长": STEWARD}
# What a place is called says on which level it stands.
LEVEL_OF = {
    "街道": "street", "镇": "street", "乡": "street", "地区": "street", "社区": "community", "村": "community",
    "小区": "compound", "楼": "building", "单元": "entrance",
}  # fmt: skip
TYPE_WORDS = {"street": "街道", "community": "社区", "compound": "小区", "building": "楼", "entrance": "单元"}


def normal_login(text: str) -> str:
    """Give a login as it is compared: the same however it is written, full width or half, large or small (NFKC)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).strip().casefold())


def person_of(district: str, login: str) -> str:
    """Give the id of the person whom an import lets in under a login: the same in every table of their district."""
    return str(uuid.uuid5(PEOPLE, f"{district}/{normal_login(login)}"))


def flat(title: str) -> str:
    """Write a header so that its spaces, stars, width and case do not matter."""
    return re.sub(r"[\s*_]", "", unicodedata.normalize("NFKC", title)).casefold()


class Worded(fields.String):
    """A code that may be written as a Chinese word."""

    def __init__(self, words: dict[str, str], **options):
        super().__init__(**options)
        self.words, self.said = words, {code: word for word, code in reversed(words.items())}

    def _deserialize(self, value, attr, data, **options):
        return self.words.get(value.strip(), value.strip())

    def _serialize(self, value, attr, obj, **options):
        return self.said.get(value, value)


class Several(fields.Field):
    """Several codes in one cell, separated by 、 or ; and written as codes or as words."""

    def __init__(self, inner: fields.String, **options):
        super().__init__(**options)
        self.inner = inner

    def _deserialize(self, value, attr, data, **options):
        found = [self.inner.deserialize(each.strip()) for each in SEPARATORS.split(value) if each.strip()]
        own.distinct(found)
        return found

    def _serialize(self, value, attr, obj, **options):
        return "、".join(self.inner._serialize(each, attr, obj) for each in value or ())


class YesNo(fields.Field):
    """是 or 否."""

    def _deserialize(self, value, attr, data, **options):
        if (said := value.strip().casefold()) not in YES + NO:
            raise ValidationError("是 或 否 / yes or no")
        return said in YES

    def _serialize(self, value, attr, obj, **options):
        return YES[0] if value else NO[0]


class Day(fields.Field):
    """A day as people write it: 2026-01-31, 2026/1/31, 2026年1月31日."""

    def _deserialize(self, value, attr, data, **options):
        known = DAY.fullmatch(value.strip())
        try:
            found = date(*map(int, known.groups()[:3])) if known else None
        except ValueError:
            found = None
        if found is None or not 2000 < found.year < 2200:
            raise ValidationError("日期,如 2026-01-31,年份 2001–2199 / A date as 2026-01-31, from 2001 to 2199")
        return found

    def _serialize(self, value, attr, obj, **options):
        return str(value)[:10] if value else ""


def column(kind, *about, title: str, example: str, hint: str = "", also: tuple = (), zeros: bool = False, **options):
    """Make one column: its Chinese title, other titles it goes by, an example and a hint; English is the field's name.

    ``zeros``: its codes may begin with 0, which a number has lost.
    """
    said = {"title": title, "also": also, "example": example, "hint": hint, "zeros": zeros}
    return kind(*about, metadata=said, **options)


def a_text(most: int, metadata: dict, **options):
    """Make a column of free text, which says something."""
    made = own.text(most, **options)
    made.metadata.update(metadata)
    return made


def optional() -> dict:
    return {"load_default": None, "allow_none": True}


class PersonRow(Order):
    login = column(a_text, 64, title="登录名", also=("账号",), example="zhangwei", required=True)
    name = column(a_text, 40, title="姓名", example="张伟", required=True)
    roles = column(
        Several, Worded(ROLE_WORDS, validate=own.one_of(ROLE_NAMES).validate), title="角色", example="社区工作者",
        hint="几个之间用 、 分开 / several, separated by 、 or ;: " + "、".join(ROLE_WORDS), required=True,
        validate=own.some(1, 5),
    )  # fmt: skip
    unit = column(
        own.code, own.UNIT_OR_NONE, title="单位编码", also=("单位",), example="110102009041",
        hint="区 6 位,街道或社区 12 位 / 6 or 12 digits", load_default="",
    )  # fmt: skip
    department = column(
        own.code, own.DEPARTMENT_OR_NONE, title="部门编码", also=("部门",), example="",
        hint="专员和部门负责人填写 / for specialists and leads", load_default="",
    )  # fmt: skip
    phone = column(
        own.phone, title="手机", also=("电话",), example="13800000000", zeros=True, hint=A_PHONE, **optional()
    )
    password = column(
        identity.password, title="初始密码", example="", hint="8–200 个字符,首次登录须改 / changed at first sign-in",
        **optional(),
    )  # fmt: skip

    correct = column(
        YesNo, title="更正", example="", hint="是:姓名、手机改为本行所写 / yes: name and phone become this row's",
        load_default=False,
    )  # fmt: skip


class PlaceRow(Order):
    code = column(
        own.anywhere, title="编码", example="110102009041.01.3",
        hint="社区 12 位,下接本区自编,以点分开 / the community's 12 digits, then your own, by dots", required=True,
    )  # fmt: skip
    parent = column(
        own.anywhere, title="上级编码", also=("上级",), example="110102009041.01", hint=A_UNIT, required=True
    )
    level = column(
        Worded, TYPE_WORDS, title="类型", also=("type", "级别"),
        example="楼", hint="小区、楼、单元 / compound, building, entrance", required=True,
        validate=own.one_of(tuple(LEVEL_OF)).validate,
    )  # fmt: skip
    name = column(a_text, 60, title="名称", example="3号楼", required=True)
    since = column(Day, title="启用日", example="2026-01-01", required=True)


class SeatRow(Order):
    post = column(
        Worded, POST_WORDS, title="岗位/部门", also=("岗位", "部门"), example="chengguan",
        hint="站长、楼门长或部门编码 / 站长, 楼门长 or a department's code", required=True,
        validate=own.code(POST).validate,
    )  # fmt: skip
    unit = column(
        own.anywhere, title="社区或楼编码", also=("社区", "楼"), example="110102009041", hint=A_UNIT, required=True
    )
    login = column(
        a_text, 64, title="登录名", example="zhangwei", hint="与人员编号填其一 / this or the person's id", **optional()
    )  # fmt: skip
    person = column(
        own.an_id, title="人员编号", example="", hint="登录名查得到时以登录名为准 / a login that is known comes first",
        **optional(),
    )  # fmt: skip
    name = column(a_text, 40, title="姓名", example="张伟", **optional())
    phone = column(
        own.phone, title="电话", also=("手机",), example="13800000000", zeros=True, hint=A_PHONE, **optional()
    )
    since = column(Day, title="起", also=("开始",), example="2026-01-01", required=True)
    until = column(Day, title="止", also=("结束",), example="", **optional())


class RuleRow(Order):
    category = column(
        own.code, CATEGORIES, title="类别", example="0102", zeros=True,
        hint="两位、四位、六位,或 * / 2, 4 or 6 digits, or *; as text", required=True,
    )  # fmt: skip
    unit = column(own.anywhere, title="地点", example="110102", hint=A_UNIT, required=True)
    lead = column(own.code, POST, title="主办", example="chengguan", hint=A_POST, required=True)
    assists = column(
        Several, own.code(POST), title="协办", example="shichang、weijian", hint=A_POST, load_default=list,
        validate=own.some(0, 10),
    )  # fmt: skip
    community_first = column(YesNo, title="社区先办", example="否", load_default=False)
    never_community = column(YesNo, title="不得下交社区", example="是", load_default=False)


@dataclass(frozen=True)
class Kind:
    """One kind of table: its columns, and the four calls of its service."""

    name: str
    title: str
    row: Order
    check: Call
    carry_out: Call
    progress: Call
    export: Call
    # Whose logins these are, and the logins of whom: where rows name people and the service knows them by ids only.
    naming: tuple[Call, Call] | None = None

    @property
    def titles(self) -> dict[str, str]:
        """Give each column's Chinese title, in their order."""
        return {name: field.metadata["title"] for name, field in self.row.fields.items()}

    def load(self, texts: dict[str, str]) -> tuple[dict, dict]:
        """Give what a row's texts mean, as far as they are good, and what is wrong with the others."""
        try:
            return self.row.load(texts), {}
        except ValidationError as error:
            return dict(error.valid_data or {}), error.normalized_messages()

    def column(self, header: str) -> str | None:
        """Find the column that a header names, in Chinese or English."""
        for name, field in self.row.fields.items():
            said: Iterable[str] = (field.metadata["title"], name, *field.metadata["also"])
            # A header may say both: 登录名 login.
            if flat(header) in {flat(each) for each in said} | {flat(field.metadata["title"] + name)}:
                return name
        return None


def kind(name: str, title: str, row: Order, service, naming: tuple[Call, Call] | None = None) -> Kind:
    calls = (getattr(service, each) for each in (f"check_{name}", f"import_{name}", f"{name}_table", f"export_{name}"))
    return Kind(name, title, row, *calls, naming)


KINDS = {
    each.name: each
    for each in (
        kind("people", "人员", PersonRow(), identity),
        kind("places", "楼房", PlaceRow(), roster),
        kind("seats", "专员", SeatRow(), roster, (identity.ids_of, identity.logins_of)),
        kind("rules", "派单目录", RuleRow(), roster),
    )
}
