"""What a whistle is, where it may go, and what each fact makes of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.whistle.domain import clocks
from services.whistle.domain.clocks import moment
from shared.contracts.settings import ECHELONS

# A whistle goes only here.
NEXT: dict[str | None, set[str]] = {
    None: {"awaiting", "blown"},
    "awaiting": {"blown", "dispatched", "rejected", "withdrawn"},
    "blown": {"dispatched", "withdrawn", "merged", "settled"},
    "dispatched": {"answered", "blown", "withdrawn", "merged"},
    "answered": {"confirmed", "dispatched", "settled", "merged"},
    "confirmed": {"settled", "dispatched"},
    "settled": {"dispatched"},
    "merged": {"blown"},
    "withdrawn": set(),
    "rejected": set(),
}
# And each of its summonses only here; what is called off may be called again.
NEXT_OF_SUMMONS: dict[str, set[str]] = {
    "called": {"signed", "contacted", "reported", "returned", "called_off"},
    "signed": {"contacted", "reported", "returned", "called_off"},
    "contacted": {"reported", "returned", "called_off"},
    "reported": {"handling", "fed_back", "returned", "called_off"},
    "handling": {"fed_back", "called_off"},
    "fed_back": {"rated", "handling", "called_off"},
    "rated": {"handling", "called_off"},
    "returned": {"called", "signed", "contacted", "reported", "called_off"},
    "called_off": {"called"},
}

SAID = {
    "awaiting": "待审核", "blown": "已发哨", "dispatched": "办理中", "answered": "待确认", "confirmed": "已确认",
    "settled": "已销哨", "withdrawn": "已撤回", "rejected": "审核未通过", "merged": "已并案",
    "called": "已派单", "signed": "已签收", "contacted": "已联系", "reported": "已报到", "handling": "处置中",
    "fed_back": "已反馈", "rated": "已评价", "returned": "退单待审", "called_off": "已撤单",
}  # fmt: skip

ANSWERED = ("fed_back", "rated")
UNRATED = {"score": None, "rating": None, "revision": 0}


@dataclass(frozen=True)
class Whistle:
    """A whistle as its history made it; ``words`` are references, never the words.

    ``acts`` remembers each act by its id, ``[digest of the order, by whom, words]``, so that a twin is known.
    """

    stage: str | None = None
    kind: str = ""
    category: str = ""
    community: str = ""
    unit: str | None = None
    grid: str | None = None
    source: str = ""
    echelon: str = "community"
    confidential: bool = False
    number: str | None = None
    asked: list[str] = field(default_factory=list)
    summonses: dict[str, dict] = field(default_factory=dict)
    first: str | None = None
    reports: dict[str, dict] = field(default_factory=dict)
    reporters: list[dict] = field(default_factory=list)
    lon: float | None = None
    lat: float | None = None
    policy: int = 0
    ladder: list[dict] = field(default_factory=list)
    confirm: dict | None = None
    clocks: dict[str, dict] = field(default_factory=dict)
    wake: datetime | None = None
    blown_at: datetime | None = None
    blown_by: str = ""
    answered_at: datetime | None = None
    settled_at: datetime | None = None
    settled_by: str | None = None
    result: str | None = None
    reason: str | None = None
    reopen_until: datetime | None = None
    reopened: int = 0
    returns: int = 0
    meeting: dict | None = None
    account: dict | None = None
    supervised: int = 0
    confirmations: list[dict] = field(default_factory=list)
    merged_into: str | None = None
    split_from: str | None = None
    recurrence_of: str | None = None
    words: str | None = None
    settlement: str | None = None
    acts: dict[str, list] = field(default_factory=dict)
    erasures: dict[str, str] = field(default_factory=dict)

    @property
    def active(self) -> dict[str, dict]:
        """Give the summonses that were not called off, the lead first."""
        mine = {name: each for name, each in self.summonses.items() if each["stage"] != "called_off"}
        return dict(sorted(mine.items(), key=lambda pair: pair[1]["role"] != "lead"))

    @property
    def lead(self) -> str | None:
        return next((name for name, each in self.active.items() if each["role"] == "lead"), None)

    @property
    def people(self) -> set[str]:
        """Give everybody who reported it."""
        return {self.blown_by, *(each["person"] for each in self.reporters)}

    @property
    def is_answered(self) -> bool:
        return bool(self.active) and all(each["stage"] in ANSWERED for each in self.active.values())


# -- what each fact changes --------------------------------------------------------------------------------------------


def replace(whistle: Whistle, **changes: Any) -> Whistle:
    """Give another whistle, with these changes; it is made a dozen times for each blow, so forty fields are copied at
    once and not checked one by one. A field that is none is found when the record is read again.
    """
    other = object.__new__(Whistle)
    vars(other).update(vars(whistle), **changes)
    return other


def with_summons(whistle: Whistle, department: str, **changes) -> Whistle:
    return replace(whistle, summonses=whistle.summonses | {department: whistle.summonses[department] | changes})


def on_blown(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    known = ("kind", "category", "community", "unit", "grid", "confidential", "policy", "confirm", "split_from")
    fresh = {name: data[name] for name in known if name in data}
    return replace(
        whistle, stage="awaiting" if data.get("awaiting") else "blown", asked=data["called"],
        source=data.get("source") or "community", echelon=data.get("echelon") or "community",
        ladder=data.get("ladder") or [], lon=data.get("lon"), lat=data.get("lat"), blown_at=at, blown_by=actor,
        words=data.get("words"), **fresh,
    )  # fmt: skip


def on_called(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    named = {name: data.get(name) for name in ("person", "seat", "instead_of", "why")}
    summons = {
        "role": data.get("role") or "lead", "stage": "called", "called_at": at, "dispatched_at": at, "former": None,
        "clocks": {}, "returned": None, "extension": None, "answer": None, **UNRATED, **named,
    }  # fmt: skip
    if summons["role"] == "lead":
        others = {name: each | {"role": "assist"} for name, each in whistle.summonses.items()}
        whistle = replace(whistle, summonses=others)
    return replace(
        whistle, stage="dispatched", summonses=whistle.summonses | {data["department"]: summons}, answered_at=None,
        first=whistle.first or data["department"],
    )  # fmt: skip


def on_called_off(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    whistle = with_summons(whistle, data["department"], stage="called_off", returned=None, extension=None, met_at=at)
    if whistle.stage not in ("dispatched", "answered", "confirmed"):
        return whistle
    if not whistle.active:
        return replace(whistle, stage="blown")
    return answered(whistle, at) if whistle.is_answered and whistle.stage == "dispatched" else whistle


def answered(whistle: Whistle, at: datetime) -> Whistle:
    """Each summons is answered: now somebody has to look on the spot."""
    return replace(whistle, stage="answered", answered_at=at)


def to_stage(stage: str):
    """Give the change of a fact that brings a summons to a stage and no further back."""

    def change(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
        return with_summons(whistle, data["department"], stage=stage)

    return change


def on_signed(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    return with_summons(whistle, data["department"], stage="signed", person=data["person"])


def on_reported(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    known = ("department", "person", "distance", "far", "lon", "lat", "words")
    attendance = {name: data.get(name) for name in known} | {"at": at}
    reports = whistle.reports | {data["act"]: attendance}
    summons = whistle.summonses[data["department"]]
    came = {"stage": "reported"} if summons["stage"] in ("called", "signed", "contacted") else {}
    if came and not summons["person"]:
        came["person"] = data["person"]
    return with_summons(replace(whistle, reports=reports), data["department"], **came)


def on_fed_back(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    answer = {name: data.get(name) for name in ("act", "result", "outcomes", "words")} | {"at": at, "by": actor}
    whistle = with_summons(whistle, data["department"], stage="fed_back", answer=answer, extension=None, **UNRATED)
    return answered(whistle, at) if whistle.is_answered else whistle


def on_sent_back(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    asked = {name: data.get(name) for name in ("reason", "proposes", "words")} | {"at": at, "by": actor}
    former = whistle.summonses[data["department"]]["stage"]
    whistle = with_summons(whistle, data["department"], stage="returned", former=former, returned=asked)
    return replace(whistle, returns=whistle.returns + 1, meeting={"due": True} if data["meeting"] else whistle.meeting)


def on_return_decided(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    if data["upheld"]:  # it is called off by the next fact
        return whistle
    former = whistle.summonses[data["department"]]["former"]
    return with_summons(whistle, data["department"], stage=former, former=None, returned=None)


def on_convened(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    meeting = {"due": False, "departments": data["departments"], "at": moment(data["at"]), "words": data.get("words")}
    return replace(whistle, meeting=meeting)


def on_concluded(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    meeting = (whistle.meeting or {}) | {"due": False, "concluded_at": at, "minutes": data.get("words")}
    whistle = replace(whistle, meeting=meeting)
    for department, summons in whistle.active.items():
        if summons["stage"] == "returned" and department not in data["release"]:
            back = {"stage": summons["former"], "former": None, "returned": None}
            whistle = with_summons(whistle, department, **back)
    if data.get("lead") in whistle.active:
        for department in whistle.active:
            role = "lead" if department == data["lead"] else "assist"
            whistle = with_summons(whistle, department, role=role)
    return whistle


def on_extension_asked(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    asked = {"until": moment(data["until"]), "at": at, "by": actor, "words": data.get("words")}
    return with_summons(whistle, data["department"], extension=asked)


def on_extension_decided(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    asked = whistle.summonses[data["department"]]["extension"] or {}
    said = {"granted": data["granted"], "until": asked.get("until"), "at": at}
    said |= {"reason": asked.get("words"), "words": data.get("words")}
    return with_summons(whistle, data["department"], extension=None, extended=said)


def on_put_on(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    account = {"obstacle": data["obstacle"], "review": data["review"], "since": at, "words": data.get("words")}
    return replace(whistle, account=account)


def on_taken_off(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    return replace(
        whistle, account=None, clocks={name: each for name, each in whistle.clocks.items() if name != "review"}
    )


def on_handed_over(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    named = {name: data.get(name) for name in ("person", "seat", "instead_of", "why")}
    return with_summons(whistle, data["department"], **named)


def on_joined(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    reporter = {name: data.get(name) for name in ("person", "from_whistle", "words")} | {"at": at}
    return replace(whistle, reporters=[*whistle.reporters, reporter])


def on_confirmed(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    known = ("act", "solved", "distance", "far", "words")
    seen = {name: data.get(name) for name in known} | {"at": at, "by": actor}
    whistle = replace(whistle, confirmations=[*whistle.confirmations, seen])
    return replace(whistle, stage="confirmed") if data["solved"] else back_to_work(whistle, at)


def back_to_work(whistle: Whistle, at: datetime) -> Whistle:
    """Who leads handles it again; the others stay as they answered."""
    lead = whistle.lead
    summons = whistle.summonses[lead]
    whistle = with_summons(whistle, lead, stage="handling", answer=summons["answer"], dispatched_at=at)
    return replace(
        whistle, stage="dispatched", answered_at=None, settled_at=None, settled_by=None, result=None, reason=None,
        settlement=None, reopen_until=None,
    )  # fmt: skip


def on_settled(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    return replace(
        whistle, stage="settled", settled_at=at, settled_by=actor, result=data["result"], reason=data.get("reason"),
        reopen_until=moment(data.get("reopen_until")), settlement=data.get("words"), account=None,
    )  # fmt: skip


def on_reopened(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    return replace(back_to_work(whistle, at), reopened=whistle.reopened + 1)


def on_overdue(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    """What was told the street or the district is in their hands, too (Regulation Arts 17, 44)."""
    whistle = rung(whistle, data)
    told = data["told"] if data["told"] in ECHELONS else "community"
    return replace(whistle, echelon=max(whistle.echelon, told, key=ECHELONS.index))


def on_scored(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    rated = {name: data[name] for name in UNRATED}
    if whistle.summonses[data["department"]]["stage"] == "fed_back":
        rated["stage"] = "rated"
    return with_summons(whistle, data["department"], **rated)


def rung(whistle: Whistle, data: dict, *_) -> Whistle:
    """Count what a clock has rung."""
    name, department = data["clock"], data["department"]
    home = whistle.summonses[department]["clocks"] if department else whistle.clocks
    fresh = home | {name: home[name] | {"rung": home[name].get("rung", 0) + 1}}
    return with_summons(whistle, department, clocks=fresh) if department else replace(whistle, clocks=fresh)


def staged(stage: str):
    return lambda whistle, data, at, actor: replace(whistle, stage=stage)


def same(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    return whistle


CHANGES = {
    "blown": on_blown,
    "approved": same,
    "rejected": staged("rejected"),
    "called": on_called,
    "called_off": on_called_off,
    "signed": on_signed,
    "contacted": to_stage("contacted"),
    "reported": on_reported,
    "taken_up": to_stage("handling"),
    "fed_back": on_fed_back,
    "sent_back": on_sent_back,
    "return_decided": on_return_decided,
    "reassigned": same,
    "convened": on_convened,
    "concluded": on_concluded,
    "extension_asked": on_extension_asked,
    "extension_decided": on_extension_decided,
    "put_on": on_put_on,
    "taken_off": on_taken_off,
    "supervised": lambda whistle, data, at, actor: replace(
        whistle, supervised=whistle.supervised + 1, echelon=max(whistle.echelon, data["echelon"], key=ECHELONS.index)
    ),
    "escalated": lambda whistle, data, at, actor: replace(whistle, echelon=data["echelon"]),
    "withdrawn": staged("withdrawn"),
    "handed_over": on_handed_over,
    "joined": on_joined,
    "merged": lambda whistle, data, at, actor: replace(whistle, stage="merged", merged_into=data["into"]),
    "parted": lambda whistle, data, at, actor: replace(whistle, stage="blown", merged_into=None),
    "confirmed": on_confirmed,
    "settled": on_settled,
    "reopened": on_reopened,
    "dues_moved": same,
    "reminded": rung,
    "overdue": on_overdue,
    "numbered": lambda whistle, data, at, actor: replace(whistle, number=data["number"]),
    "recurred": lambda whistle, data, at, actor: replace(whistle, recurrence_of=data["of"]),
    "scored": on_scored,
    "words_erased": lambda whistle, data, at, actor: replace(
        whistle, erasures=whistle.erasures | {data["act"]: data["reason"]}
    ),
}  # fmt: skip


def evolve(whistle: Whistle, fact: str, data: dict, at: datetime, actor: str) -> Whistle:
    """Give the whistle as one more fact made it: what it changes, then the clocks that it stops or sets."""
    whistle = stopped(CHANGES[fact](whistle, data, at, actor), fact, data, at)
    if dues := data.get("dues"):
        whistle = with_dues(whistle, dues, rests=fact == "taken_off")
    if data.get("act") and data.get("order") and data["act"] not in whistle.acts:
        whistle = replace(whistle, acts=whistle.acts | {data["act"]: [data["order"], actor, data.get("words")]})
    return replace(whistle, wake=clocks.wake(whistle))


def stopped(whistle: Whistle, fact: str, data: dict, at: datetime) -> Whistle:
    """Stop the clocks that a fact answers."""
    if meets := clocks.MEETS.get(fact):
        department = data["department"]
        mine = met(whistle.summonses[department]["clocks"], meets, at)
        whistle = with_summons(whistle, department, clocks=mine)
    if fact in ("confirmed", "settled", "withdrawn", "merged"):
        whistle = replace(whistle, clocks=met(whistle.clocks, ("confirm", "review"), at))
    return whistle


def met(running: Mapping[str, dict], names: tuple[str, ...], at: datetime) -> dict:
    """Give clocks of which these have stopped; one that stopped before keeps its moment."""
    return {name: each | {"met": at} if name in names and "met" not in each else each for name, each in running.items()}


def with_dues(whistle: Whistle, dues: Iterable[dict], rests: bool) -> Whistle:
    """Set clocks anew: they have rung nothing yet, unless they only rested."""
    clocks_of = {"": whistle.clocks} | {name: each["clocks"] for name, each in whistle.summonses.items()}
    fresh: dict[str, dict] = {}
    for due in dues:
        department, name = due["department"], due["clock"]
        home = fresh.setdefault(department, dict(clocks_of[department]))
        rung = {"rung": home[name]["rung"]} if rests and home.get(name, {}).get("rung") else {}
        home[name] = clocks.fresh(due) | rung
    for department, home in fresh.items():
        whistle = with_summons(whistle, department, clocks=home) if department else replace(whistle, clocks=home)
    return whistle
