"""Who may rate what, once; how it is amended; what each fact makes of a rating."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from shared.caller import Caller
from shared.contract import Happened
from shared.contracts.evaluation import amended, notes_erased, rated
from shared.contracts.roster import COMMUNITY
from shared.errors import Conflict, Forbidden, Invalid, NotFound
from shared.rules.codes import DIVISION, is_within
from shared.rules.days import BEIJING

AMENDABLE = timedelta(days=7)
MOST_AMENDMENTS = 5
SPAN = timedelta(days=366)
WITHHELD = {"withheld": True}


@dataclass(frozen=True)
class Rating:
    """The rating of one result of one department; ``given`` holds it as it was given first, and each amendment."""

    whistle: str = ""
    department: str = ""
    community: str = ""
    answer: str = ""
    person: str | None = None
    rated_at: datetime | None = None
    rated_by: str = ""
    given: list[dict] = field(default_factory=list)
    erasures: dict[str, str] = field(default_factory=dict)


# -- what each fact changes --------------------------------------------------------------------------------------------


def as_given(data: dict, at: datetime) -> dict:
    return {name: data.get(name) for name in ("act", "indicators", "score", "words")} | {"at": at}


def on_rated(rating: Rating, data: dict, at: datetime, actor: str) -> Rating:
    known = {name: data[name] for name in ("whistle", "department", "community", "answer", "person")}
    return Rating(**known, rated_at=at, rated_by=actor, given=[as_given(data, at)])


CHANGES = {
    "rated": on_rated,
    "amended": lambda rating, data, at, actor: replace(rating, given=[*rating.given, as_given(data, at)]),
    "notes_erased": lambda rating, data, at, actor: replace(
        rating, erasures=rating.erasures | {data["act"]: data["reason"]}
    ),
}


def evolve(rating: Rating, fact: str, data: dict, at: datetime, actor: str) -> Rating:
    """Give the rating as one more fact made it."""
    return CHANGES[fact](rating, data, at, actor)


# -- what may be rated -------------------------------------------------------------------------------------------------


def answer_of(heard: Mapping[str, dict], department: str) -> dict:
    """Give the result that a department fed back last, whatever order its facts came in: ``{n7: {fact, …}}``."""
    steps = sorted(heard.items(), key=lambda pair: int(pair[0][1:]))
    mine = [step for _, step in steps if step["department"] == department]
    if not any(step["fact"] == "fed_back" for step in mine):
        raise NotFound(
            "该部门尚无反馈,没有可评价的;刚反馈的请稍候 / It has fed nothing back yet that could be rated; "
            "if it just did, please wait a moment"
        )
    if mine[-1]["fact"] == "called_off":
        raise Conflict("该部门已撤单,不再评价 / It is not called any more, so it is not rated")
    return mine[-1]


def must_be_there(known: Collection, heard: Mapping) -> None:
    """What nobody has fed back has no ratings; another district's is not found either."""
    if not known and not any(step["fact"] == "fed_back" for step in heard.values()):
        raise NotFound("本区此哨尚无反馈,没有可评价的 / Nothing was fed back there in this district: nothing to rate")


def must_be_rater(caller: Caller, community: str, department: str, absorbed: Collection[str]) -> None:
    """The community rates, or its street (Regulation Arts 11(4), 44): never a department, and nobody themselves."""
    if caller.department:
        raise Forbidden("由社区或街道评价,不由部门 / The community or the street rates, not a department")
    if not is_in_reach(caller, community, absorbed):
        raise Forbidden("不在您的辖区 / Outside the unit that you act for")
    if department == COMMUNITY and "street" not in caller.roles:
        raise Forbidden("社区自办的由街道评价 / What the community solved itself is rated by the street")


def is_a_community(unit: str) -> bool:
    """Say whether a unit is a community or a village, and neither above nor below one."""
    return DIVISION.fullmatch(unit) is not None and not unit.endswith("000")


def is_in_reach(caller: Caller, community: str, absorbed: Collection[str]) -> bool:
    """Say whether a community is somebody's own, below their unit, or was merged into theirs (``absorbed``)."""
    return is_within(community, caller.unit or caller.district) or community in absorbed


# -- the acts ----------------------------------------------------------------------------------------------------------


def score_of(indicators: Mapping[str, int]) -> float:
    """Give the plain mean of the five, to one decimal."""
    return round(sum(indicators.values()) / len(indicators), 1)


def words_of(**said: str) -> dict:
    return {name: text for name, text in said.items() if text}


def is_the_same(
    rating: Rating, given: Mapping, words: Mapping, caller: Caller, indicators: Mapping, said: dict
) -> bool:
    """Say whether an order that comes again is the one that was carried out; of erased words nobody can tell."""
    known = words.get(given["words"], {"erased": True}) if given["words"] else {}
    same_words = "erased" in known or known == said
    return rating.rated_by == caller.actor and given["indicators"] == indicators and same_words


def must_be_the_same(same: bool) -> None:
    if not same:
        raise Conflict("编号已被使用,内容不同 / This id is already another order's")


def rated_before(known: Iterable, *, caller: Caller, act: str, department: str, indicators: Mapping, note: str):
    """Find what this very order did, among the ratings of its whistle; another order under its id is refused."""
    for record in known:
        rating, first = record.state, record.state.given[0]
        if first["act"] == act:
            same = is_the_same(rating, first, record.words, caller, indicators, words_of(note=note))
            must_be_the_same(same and rating.department == department)
            return record
    return None


def must_be_unrated(known: Iterable, answer: Mapping) -> None:
    """One rating for each result."""
    if any((each.state.department, each.state.answer) == (answer["department"], answer["act"]) for each in known):
        raise Conflict("已评价;七日内评价人可以修改 / Rated already: whoever gave it may amend it for seven days")


def rate(
    rating: Rating, *, caller: Caller, now: datetime, whistle: str, answer: Mapping, absorbed: Collection[str],
    known: Iterable, act: str, indicators: Mapping, note: str,
) -> Iterator[Happened]:  # fmt: skip
    """What was fed back is rated right after it (Appeals Art. 33); told to the department, without who rated."""
    department = answer["department"]
    must_be_rater(caller, answer["community"], department, absorbed)
    must_be_unrated(known, answer)
    yield rated(
        act=act, whistle=whistle, department=department, community=answer["community"], answer=answer["act"],
        person=answer["by"], revision=1, indicators=indicators, score=score_of(indicators), words=words_of(note=note),
        **to(department),
    )  # fmt: skip


def amend(
    rating: Rating, *, caller: Caller, now: datetime, act: str, indicators: Mapping, reason: str, words: Mapping
) -> Iterator[Happened]:
    """Only by whoever gave it, within seven days and with a reason; what was given before stays."""
    for given in rating.given:
        if given["act"] == act:
            must_be_the_same(is_the_same(rating, given, words, caller, indicators, words_of(reason=reason)))
            return
    if caller.actor != rating.rated_by:
        raise Forbidden("只有评价人可以修改 / Only whoever gave it may amend it")
    if now > rating.rated_at + AMENDABLE:
        raise Conflict("已过七日,不能修改 / The seven days are over: it stays as it is")
    if len(rating.given) > MOST_AMENDMENTS:
        raise Conflict(f"最多修改 {MOST_AMENDMENTS} 次 / It may be amended {MOST_AMENDMENTS} times at the most")
    if rating.given[-1]["indicators"] == indicators:
        raise Invalid("与原评价相同 / That is how it was rated already", {"indicators": ["没有变化 / unchanged"]})
    known = {name: getattr(rating, name) for name in ("whistle", "department", "community", "answer", "person")}
    yield amended(
        **known, act=act, revision=len(rating.given) + 1, indicators=indicators, score=score_of(indicators),
        words=words_of(reason=reason), **to(rating.department),
    )  # fmt: skip


def erase(rating: Rating, *, caller: Caller, now: datetime, act: str, reason: str) -> Iterator[Happened]:
    """With a whistle's words goes what was written beside its ratings (PIPL Arts 19, 47), once."""
    if act not in rating.erasures and any(given["words"] for given in rating.given):
        yield notes_erased(act=act, reason=reason, whistle=rating.whistle, community=rating.community)


def erased_by(history: tuple[dict, ...], act: str) -> list[str]:
    """Give the references of all that was written before an erasure; none where there was nothing to erase."""
    steps = [each["n"] for each in history if each["fact"] == "notes_erased" and each["data"]["act"] == act]
    return [each["words"]["ref"] for each in history[: max(steps, default=0)] if "words" in each]


def to(department: str) -> dict:
    """Give to whom a fact about a department's result is told: to it alone, or to all where it is the community's."""
    return {} if department == COMMUNITY else {"to": department}


# -- who reads ---------------------------------------------------------------------------------------------------------


def may_read(rating: Rating, caller: Caller, absorbed: Collection[str]) -> bool:
    """A department reads its own, everybody else those of their unit and below."""
    if caller.department:
        return rating.department == caller.department
    return is_in_reach(caller, rating.community, absorbed)


def shown(record, caller: Caller) -> dict:
    """Give a rating to a reader: to the department that was rated without who rated it, and without their words."""
    rating, last = record.state, record.state.given[-1]

    def remark(ref: str | None) -> dict | None:
        said = record.words.get(ref)
        if said and "erased" in said:
            return {"erased": said["erased"]}
        return WITHHELD if said and caller.department else said

    return vars(rating) | {
        "id": record.id,
        "version": record.version,
        "score": last["score"],
        "indicators": last["indicators"],
        "rated_by": None if caller.department else rating.rated_by,
        "amended_at": last["at"] if len(rating.given) > 1 else None,
        "given": [each | {"words": remark(each["words"])} for each in rating.given],
    }


def span(since: date | None, until: date | None, today: date) -> tuple[datetime, datetime]:
    """Give the moments between which a span of Beijing days lies: the last 31 days, a year at the most."""
    until = until or today
    since = since or until - timedelta(days=30)
    if until < since or until - since > SPAN:
        raise Invalid("起止日期须顺序且不超过一年 / From earlier to later, a year at most", {"until": ["范围 / span"]})
    return midnight(since), midnight(until + timedelta(days=1))


def midnight(day: date) -> datetime:
    """Give the moment at which a Beijing day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=BEIJING)
