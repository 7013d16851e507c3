"""What may be done to a whistle, as one table: for whom and when it is offered, and what its form asks.

The table offers; the service judges. Whoever finds a form that is not theirs is refused there, in the service's words.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from flask import g, request
from flask_babel import gettext as _

from gateway.asking import may, signed
from gateway.pages import forms, names, saying
from gateway.pages.forms import typed
from gateway.pages.language import N_
from shared.contract import Call
from shared.contracts import evaluation, whistle

HOME = names.HOME
OPEN = ("called", "signed", "contacted", "reported", "handling")
OUTCOME_LINES = 3


@dataclass(frozen=True)
class Field:
    """One question of a form."""

    name: str
    kind: str  # note, choice, photos, place, departments, outcomes, moment, indicators
    label: str = ""
    choices: Any = ()
    must: bool = False
    hint: str = ""


@dataclass(frozen=True)
class Act:
    """One thing that may be done: under which noun, what it is called before and after, and what its form asks."""

    noun: str
    call: Call
    title: str
    done: str
    offered: Callable[["Reader", dict], bool]
    fields: tuple[Field, ...] = ()
    tone: str = ""
    warns: str = ""
    also: dict = field(default_factory=dict)  # what goes without asking

    @property
    def is_one_tap(self) -> bool:
        """Say whether there is nothing to ask."""
        return not self.fields


class Reader:
    """Who looks at a whistle, and what is theirs in it."""

    def __init__(self):
        self.signed = signed()
        self.department = self.signed.department

    def is_home(self, one: dict) -> bool:
        """Say whether they are of the whistle's community, or of what is above it."""
        unit, community = self.signed.unit, one["community"]
        if self.department or not unit:
            return False
        return unit == community or community.startswith(unit) or (unit[9:] == "000" and unit[:9] == community[:9])

    def is_reporter(self, one: dict) -> bool:
        return self.signed.actor in {one.get("blown_by"), *(each["person"] for each in one["reporters"])}

    def summons(self, one: dict) -> dict | None:
        """Give the summons that is theirs to answer: their department's, or the community's own."""
        mine = self.department or (HOME if self.is_home(one) and may("whistle.report") else None)
        found = (each for each in one["summonses"] if each["department"] == mine and each["stage"] != "called_off")
        return next(found, None)

    def has(self, one: dict, *stages: str) -> bool:
        mine = self.summons(one)
        return bool(mine and mine["stage"] in stages and may("whistle.report"))


def is_open(one: dict) -> bool:
    return one["stage"] in ("blown", "dispatched", "answered", "confirmed")


def may_confirm(reader: Reader, one: dict) -> bool:
    handled = {each["person"] for each in one["reports"] if each["department"] == HOME}
    people = {one.get("blown_by"), *(each["person"] for each in one["reporters"])} - {"", None}
    is_theirs = reader.is_reporter(one) or reader.is_home(one) and not ({"resident"} & set(reader.signed.roles))
    return (
        may("whistle.confirm") and not reader.department and one["stage"] == "answered" and is_theirs
        and not (reader.signed.actor in handled and people - {reader.signed.actor})
    )  # fmt: skip


def may_reopen(reader: Reader, one: dict) -> bool:
    until = one.get("reopen_until")
    is_theirs = reader.is_reporter(one) or reader.is_home(one) and not ({"resident"} & set(reader.signed.roles))
    in_time = bool(until) and saying.moment(until) > saying.now()
    return may("whistle.reopen") and one["stage"] == "settled" and in_time and is_theirs


def may_settle(reader: Reader, one: dict) -> bool:
    return may("whistle.settle") and reader.is_home(one) and one["stage"] in ("answered", "confirmed")


def may_summon(reader: Reader, one: dict) -> bool:
    return may("whistle.summon") and reader.is_home(one) and one["stage"] in ("blown", "dispatched")


def may_withdraw(reader: Reader, one: dict) -> bool:
    is_theirs = one.get("blown_by") == reader.signed.actor or reader.is_home(one) and may("whistle.settle")
    return (
        may("whistle.withdraw")
        and is_theirs
        and one["stage"] in ("awaiting", "blown", "dispatched")
        and not one["reports"]
    )


def to_rate(one: dict) -> list[str]:
    """Give the departments whose result is not rated yet."""
    return [s["department"] for s in one["summonses"] if s["stage"] == "fed_back" and s["department"] != HOME]


def may_rate(reader: Reader, one: dict) -> bool:
    ready = one["stage"] in ("answered", "confirmed", "settled")
    return may("evaluation.rate") and reader.is_home(one) and ready and bool(to_rate(one))


def asked_for(one: dict, what: str) -> list[str]:
    return [s["department"] for s in one["summonses"] if s.get(what) and s["stage"] != "called_off"]


def whom(departments: list[str]) -> dict[str, str]:
    return {code: saying.who(code) for code in departments}


def all_departments(one: dict) -> dict[str, str]:
    called = {s["department"] for s in one["summonses"] if s["stage"] != "called_off"}
    return {code: d["name"] for code, d in names.departments().items() if code not in called}


NOTE = Field("note", "note", N_("说明"))
WHY = Field("note", "note", N_("说明"), must=True)
PHOTOS = Field("photos", "photos", N_("照片"))
PLACE = Field("place", "place", N_("位置"))
YES_NO = {"true": N_("同意"), "false": N_("不同意")}

# In the order in which they are offered: the first one is the next step.
ACTS = (
    Act("signatures", whistle.sign, N_("签收"), N_("已签收"), lambda r, w: r.has(w, "called")),
    Act(
        "approvals", whistle.approve, N_("审核"), N_("已审核"),
        lambda r, w: may("whistle.approve") and r.is_home(w) and w["stage"] == "awaiting",
        (Field("approved", "choice", N_("是否同意发哨"), YES_NO, must=True), NOTE),
    ),
    Act(
        "confirmations", whistle.confirm, N_("到现场看：解决了吗？"), N_("已确认"), may_confirm,
        (
            Field("solved", "choice", "", {"true": N_("解决了"), "false": N_("没有解决")}, must=True),
            PHOTOS, PLACE, NOTE,
        ),
    ),
    Act(
        "settlements", whistle.settle, N_("销哨"), N_("已销哨"),
        lambda r, w: may_settle(r, w) and w["stage"] == "confirmed", (NOTE,),
        warns=N_("销哨以后，反映人在期限内仍可以重新反映。"),
    ),
    Act(
        "reports", whistle.report, N_("我到现场了（报到）"), N_("已报到"),
        lambda r, w: r.has(w, "called", "signed", "contacted"), (PLACE, PHOTOS, NOTE), tone="leaf",
    ),
    Act(
        "contacts", whistle.contact, N_("已联系反映人"), N_("已记下联系"), lambda r, w: r.has(w, "called", "signed"),
        (Field("way", "choice", N_("怎样联系的"), saying.WAYS), NOTE),
    ),
    Act("handlings", whistle.take_up, N_("开始处置"), N_("处置中"), lambda r, w: r.has(w, "reported"), (NOTE,)),
    Act(
        "answers", whistle.feed_back, N_("反馈结果"), N_("已反馈"), lambda r, w: r.has(w, "reported", "handling"),
        (
            Field("result", "choice", N_("结果"), saying.RESULTS, must=True),
            Field("text", "note", N_("怎样办的"), must=True),
            PHOTOS,
            Field("outcomes", "outcomes", N_("办成了什么（可不填）")),
        ),
        tone="leaf",
    ),
    Act(
        "ratings", evaluation.rate, N_("评价部门"), N_("已评价"), may_rate,
        (
            Field("department", "choice", N_("评价谁"), lambda w: whom(to_rate(w)), must=True),
            Field("indicators", "indicators", N_("五项指标，5 分最好"), must=True),
            NOTE,
        ),
    ),
    Act(
        "summonses", whistle.summon, N_("召集部门"), N_("已召集"), may_summon,
        (Field("departments", "departments", N_("请谁来（先选的为主办）"), all_departments, must=True), NOTE),
    ),
    Act(
        "return-decisions", whistle.decide_return, N_("审核退单"), N_("退单已审"),
        lambda r, w: may("whistle.decide") and r.is_home(w) and bool(asked_for(w, "returned")),
        (
            Field("department", "choice", N_("哪个部门的"), lambda w: whom(asked_for(w, "returned")), must=True),
            Field("upheld", "choice", N_("同意退单吗"), YES_NO, must=True), NOTE,
        ),
    ),
    Act(
        "extension-decisions", whistle.decide_extension, N_("审批延期"), N_("延期已审"),
        lambda r, w: may("whistle.decide") and r.is_home(w) and bool(asked_for(w, "extension")),
        (
            Field("department", "choice", N_("哪个部门的"), lambda w: whom(asked_for(w, "extension")), must=True),
            Field("granted", "choice", N_("同意延期吗"), YES_NO, must=True), NOTE,
        ),
    ),
    Act(
        "reopenings", whistle.reopen, N_("又出现了，重新反映"), N_("已重新反映"), may_reopen, (WHY, PHOTOS),
    ),
    Act(
        "extension-requests", whistle.ask_extension, N_("申请延期"), N_("已申请延期"),
        lambda r, w: bool(r.department) and r.has(w, *OPEN) and not r.summons(w)["extension"],
        (Field("until", "moment", N_("延到什么时候"), must=True), Field("note", "note", N_("为什么"), must=True)),
    ),
    Act(
        "returns", whistle.send_back, N_("退单"), N_("已退单"),
        lambda r, w: bool(r.department) and r.has(w, "called", "signed", "contacted", "reported"),
        (
            Field("reason", "choice", N_("退单原因"), saying.RETURNS, must=True),
            Field("proposes", "select", N_("建议由谁办（可不选）"), all_departments),
            Field("note", "note", N_("说明"), must=True),
        ),
        tone="rust", warns=N_("退单由街道审核；审核以前，您仍然负责这一件。"),
    ),
    Act(
        "settlements-unsolved", whistle.settle, N_("无法解决，结束这一件"), N_("已销哨"),
        lambda r, w: may_settle(r, w) and w["stage"] == "answered",
        (Field("reason", "choice", N_("原因（须有法定理由）"), saying.UNSOLVED, must=True), NOTE),
        tone="rust", warns=N_("这一件将以“未解决”结束，反映人会看到原因。"),
        also={"result": "unsolved"},
    ),
    Act(
        "escalations", whistle.escalate, N_("请上一级协调"), N_("已提级"),
        lambda r, w: may("whistle.escalate") and r.is_home(w) and w["stage"] in ("blown", "dispatched")
        and "resident" not in r.signed.roles and w["echelon"] == "community",
        (WHY,),
    ),
    Act(
        "supervisions", whistle.supervise, N_("督办"), N_("已督办"),
        lambda r, w: may("whistle.decide") and r.is_home(w) and w["stage"] == "dispatched", (WHY,),
    ),
    Act(
        "withdrawals", whistle.withdraw, N_("撤回"), N_("已撤回"), may_withdraw, (WHY,), tone="rust",
        warns=N_("撤回以后这一件就结束了；部门还没有到现场时才能撤回。"),
    ),
)  # fmt: skip
BY_NOUN = {act.noun: act for act in ACTS}


def offered(one: dict) -> list[Act]:
    """Give what may be done here and now, the next step first."""
    reader = Reader()
    return [act for act in ACTS if act.offered(reader, one)]


def choices_of(asked: Field, one: dict) -> dict[str, str]:
    """Give what a question may be answered with."""
    if callable(asked.choices):
        return asked.choices(one)
    return {code: _(text) for code, text in dict(asked.choices).items()}


def read(asked: Field) -> Iterator[tuple[str, Any]]:
    """Read the answer to one question, as the order has it; what was left open is left out."""
    name = asked.name
    if asked.kind == "photos":
        yield name, g.kept  # read before all else, so that they are kept whatever else is refused
    elif asked.kind == "place":
        yield name, forms.place()
    elif asked.kind == "departments":
        yield name, in_turn(request.form.getlist(name), typed("lead"))
    elif asked.kind == "outcomes":
        yield name, list(outcomes())
    elif asked.kind == "indicators":
        given = {each: typed(f"indicators.{each}") for each in saying.INDICATORS}
        yield name, {each: int(value) if value in "12345" and value else 0 for each, value in given.items()}
    elif asked.kind == "moment":
        yield name, forms.when(name)
    elif typed(name) in ("true", "false"):
        yield name, typed(name) == "true"
    elif typed(name) or asked.must:
        yield name, typed(name)


def in_turn(codes: list[str], lead: str) -> list[str]:
    """Give who is called, who leads first."""
    return sorted(dict.fromkeys(codes), key=lambda code: code != lead)


def outcomes() -> Iterator[dict]:
    for line in range(OUTCOME_LINES):
        measure, count, amount = (typed(f"{part}.{line}") for part in ("measure", "count", "amount"))
        if measure:
            made = {"measure": measure, "count": int(count) if count.isdigit() and len(count) < 9 else 1}
            yield made | ({"amount": number(amount)} if amount else {})


def number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text
