"""Who is called: blowing, approving, summoning, returns, joint meetings, reassigning, handing over."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from services.whistle.domain import clocks
from services.whistle.domain.acts import (
    Given,
    acting_for,
    digest_of,
    must_be_in_unit,
    must_be_of_community,
    must_be_open,
    must_lead_to,
    must_move,
    once,
    point,
    summons_of,
    to,
    words_of,
)  # fmt: skip
from services.whistle.domain.whistles import ANSWERED, Whistle
from shared.caller import Caller
from shared.contract import Happened
from shared.contracts.permissions import may
from shared.contracts.roster import COMMUNITY
from shared.contracts.settings import ECHELONS
from shared.contracts.whistle import approved as approved_by
from shared.contracts.whistle import (
    blown,
    called,
    called_off,
    concluded,
    convened,
    escalated,
    handed_over,
    numbered,
    reassigned,
    recurred,
    rejected,
    return_decided,
    sent_back,
    supervised,
)  # fmt: skip
from shared.errors import Conflict, Forbidden, Invalid

RETURNS_TO_MEETING = 2
SOURCE = {"resident": "resident", "specialist": "department", "lead": "department"}


def right_to_blow(roles: Iterable[str], kind: str, rules: Mapping) -> Mapping:
    """Who may blow which kind is the district's table; gives the row, the one without approval first."""
    mine = [row for row in rules["blowing"] if row["role"] in roles]
    fit = [row for row in mine if kind in row["kinds"]]
    if not fit:
        kinds = "、".join(dict.fromkeys(each for row in mine for each in row["kinds"])) or "无 / none"
        raise Forbidden(f"您的角色不能发“{kind}”哨;可发:{kinds} / Your role may blow: {kinds}")
    return min(fit, key=lambda row: row["approval"])


def must_know_departments(departments: Iterable[str], rules: Mapping) -> None:
    strangers = sorted(set(departments) - {*rules["departments"], COMMUNITY})
    if strangers:
        known = "、".join(rules["departments"])
        raise Invalid(
            f"本区没有这些部门:{'、'.join(strangers)};可选:{known} / No such department here, choose from: {known}",
            {"departments": strangers},
        )


def must_be_callable(department: str, given: Given) -> None:
    """What is outside the community's duty list is never pushed down to it (Appeals Art. 17)."""
    if department == COMMUNITY and given.rule and given.rule["never_community"]:
        raise Invalid(
            "此类事项不在社区职责清单,不得下派社区 / Not on the community's duty list: it may not be pushed down to it",
            {"departments": [COMMUNITY]},
        )


def whom_to_call(caller: Caller, departments: list[str], given: Given) -> list[str]:
    """Give whom a new whistle calls, the lead first: whom it names, else as the catalogue says."""
    rule = given.rule
    if "resident" in caller.roles and departments:
        raise Forbidden("居民的哨由社区先接,请不要指定部门 / A resident's whistle goes to the community first")
    calls_others = set(departments) - {COMMUNITY} and not caller.department
    if calls_others and not may(caller.roles, "whistle.summon", caller.adjusted):
        raise Forbidden("由书记或街道召集部门,请不要指定 / The secretary or the street calls departments: name none")
    at_home = "resident" in caller.roles or (rule and rule["community_first"])
    if departments:
        if rule and rule["community_first"] and COMMUNITY not in departments and "street" not in caller.roles:
            raise Invalid(
                "此类事项先由社区处置,解决不了再召集部门 / The community tries this first; call departments up later",
                {"departments": [COMMUNITY]},
            )
        return departments
    if at_home and not (rule and rule["never_community"]):
        return [COMMUNITY]
    if not rule:
        raise Invalid(
            "派单目录没有对应规则,请指定部门 / The catalogue has no rule for it: name departments, please",
            {"departments": ["请填写 / required"]},
        )
    return list(dict.fromkeys([rule["lead"], *rule["assists"]]))


def call(
    department: str,
    role: str,
    *,
    kind: str,
    category: str,
    community: str,
    at: dict,
    given: Given,
    now: datetime,
    **told,
) -> Happened:
    """Call one department, to the named specialist who answers there, with what is promised from now on."""
    must_be_callable(department, given)
    answer = {name: given.answers.get(department, {}).get(name) for name in ("person", "seat", "instead_of", "why")}
    dues = clocks.dues_of(department, kind, category, given.rules, given.calendar, now)
    rule = given.rule["rule"] if given.rule else None
    return called(
        department=department, role=role, kind=kind, category=category, community=community, **answer, rule=rule,
        dues=dues, **at, **told, **to(department),
    )  # fmt: skip


def call_into(whistle: Whistle, department: str, role: str, *, given: Given, now: datetime, **told) -> Happened:
    at = point({"lon": whistle.lon, "lat": whistle.lat} if whistle.lon is not None else None)
    what = {"kind": whistle.kind, "category": whistle.category, "community": whistle.community, "at": at}
    return call(department, role, **what, given=given, now=now, **told)


def call_all(whistle: Whistle, departments: Iterable[str], *, given: Given, now: datetime, lead: str | None = None):
    """Call several: one leads (首接负责), the others assist; a lead that is there stays."""
    has_lead = whistle.lead is not None
    for department in departments:
        leads = department == lead or (lead is None and not has_lead)
        yield call_into(whistle, department, "lead" if leads else "assist", given=given, now=now)
        has_lead = has_lead or leads


def blow(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, kind: str, category: str, community: str,
    departments: list[str], place: dict | None, source: str | None, **order,
) -> Iterator[Happened]:  # fmt: skip
    """The four statutory kinds, for one's own unit, by whom the district lets blow them (Regulation Art. 5)."""
    must_lead_to(whistle, "blown")
    must_be_in_unit(caller, community)
    row = right_to_blow(caller.roles, kind, given.rules)
    if row["role"] == "resident" and not given.rules["resident_whistle"]:
        raise Forbidden("本区尚未开通居民吹哨 / Residents do not blow whistles in this district yet")
    must_know_departments(departments, given.rules)
    whom = whom_to_call(caller, departments, given)
    for department in whom:
        must_be_callable(department, given)
    if order["unit"] and community not in given.path:
        raise Invalid("地点不在该社区 / The place is not in that community", {"unit": [order["unit"]]})
    limit = clocks.limit_for(given.rules["limits"], kind, category, "confirm")
    what = {"kind": kind, "category": category, "community": community}
    ordered = what | order | {"departments": departments, "place": place, "source": source}
    at = point(place)
    yield blown(
        order=digest_of("blow", ordered), **what, unit=order["unit"], grid=order["grid"], called=whom,
        source=source or next((SOURCE[role] for role in caller.roles if role in SOURCE), "community"),
        echelon=next((level for level in reversed(ECHELONS) if level in caller.roles), "community"),
        awaiting=row["approval"], confidential=order["confidential"], split_from=order["split_from"],
        ladder=given.rules["ladder"], policy=given.policy,
        confirm={name: limit[name] for name in ("amount", "unit", "remind")} if limit else None, **at,
        words=words_of(order),
    )  # fmt: skip
    if not row["approval"]:
        for n, department in enumerate(whom):
            yield call(department, "assist" if n else "lead", **what, at=at, given=given, now=now)


@once
def approve(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, approved: bool, note: str
) -> Iterator[Happened]:
    """Where the district wants it, the street approves before anybody is called; nobody approves their own."""
    must_be_of_community(caller, whistle, given)
    if whistle.stage != "awaiting":
        raise Conflict("此哨不在待审核 / This whistle does not wait for approval")
    if caller.actor == whistle.blown_by:
        raise Forbidden("不能审核自己发的哨 / Nobody approves their own whistle")
    words = words_of({"note": note})
    if not approved and not words:
        raise Invalid("不通过须说明理由 / Why not, please", {"note": ["请填写 / required"]})
    if not approved:
        yield rejected(**told, words=words)
        return
    yield approved_by(**told, words=words)
    yield from call_all(whistle, whistle.asked, given=given, now=now)


@once
def summon(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, departments: list[str], note: str
) -> Iterator[Happened]:
    """The station or the street calls departments, at once or when home could not solve it; what was done stays."""
    must_be_open(whistle)
    must_be_of_community(caller, whistle, given)
    must_lead_to(whistle, "dispatched", "answered")
    must_know_departments(departments, given.rules)
    if twice := sorted(set(departments) & whistle.active.keys()):
        raise Conflict(f"已召集:{'、'.join(twice)} / Called already: {', '.join(twice)}")
    at_home = set(whistle.active) == {COMMUNITY}
    for n, department in enumerate(departments):
        leads = n == 0 and (at_home or whistle.lead is None)
        own = {"act": told["act"], "order": told["order"], "words": words_of({"note": note})} if n == 0 else {}
        yield call_into(whistle, department, "lead" if leads else "assist", given=given, now=now, **own)


@once
def send_back(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, reason: str, proposes: str | None,
    note: str,
) -> Iterator[Happened]:  # fmt: skip
    """退单: with a reason; it counts only when it is decided. The first called names who should have it (首接负责,
    Appeals Art. 14); the second return of a whistle calls a joint meeting."""
    department = acting_for(caller, whistle, given)
    must_move(whistle, department, "returned")
    if department == whistle.first and not proposes:
        raise Invalid(
            "首接部门退单须写明应由谁办 / The first department called has to name who should have it",
            {"proposes": ["请填写 / required"]},
        )
    if proposes:
        must_know_departments([proposes], given.rules)
        if proposes == department:
            raise Invalid("不能建议本部门 / Not one's own department, please", {"proposes": [proposes]})
    must_hold_no_meeting(whistle)
    yield sent_back(
        **told, department=department, reason=reason, proposes=proposes,
        meeting=whistle.returns + 1 >= RETURNS_TO_MEETING, words=words_of({"note": note}), **to(department),
    )  # fmt: skip


def released(
    gone: list[str], whistle: Whistle, *, told: dict, given: Given, now: datetime, is_replaced: bool = False
) -> Iterator[Happened]:
    """Release departments; where all who stay have answered, the limit for the look on the spot begins to run."""
    left = {name: each for name, each in whistle.active.items() if name not in gone}
    is_over = left and not is_replaced and all(each["stage"] in ANSWERED for each in left.values())
    for department in gone:
        dues = confirm_due(whistle, now, given) if is_over and department == gone[-1] else []
        off = {"department": department, "community": whistle.community, "act": told["act"]}
        yield called_off(**off, dues=dues, **to(department))


def confirm_due(whistle: Whistle, now: datetime, given: Given) -> list[dict]:
    """Give the limit for the look on the spot, which begins when the last one has answered, as it was promised."""
    if not whistle.confirm:
        return []
    return [{"department": "", "clock": "confirm"} | clocks.due_after(whistle.confirm, now, given.calendar)]


def must_hold_no_meeting(whistle: Whistle) -> None:
    """What a joint meeting is to decide, nobody decides alone."""
    if whistle.meeting and not whistle.meeting.get("concluded_at"):
        raise Conflict("须由会商决定 / A joint meeting is to decide")


@once
def decide_return(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, department: str, upheld: bool,
    instead: str | None, note: str,
) -> Iterator[Happened]:  # fmt: skip
    """Upheld, it is released; who led is released only when another leads (首接负责). Refused, it goes on."""
    must_be_open(whistle)
    must_be_of_community(caller, whistle, given)
    summons = summons_of(whistle, department)
    if summons["stage"] != "returned":
        raise Conflict(f"{department} 没有退单待审 / {department} has no return to be decided")
    must_hold_no_meeting(whistle)
    if instead and not upheld:
        raise Invalid("不同意退单则无须另派 / Nobody else is called where a return is refused", {"instead": [instead]})
    if upheld and summons["role"] == "lead" and not instead:
        raise Invalid(
            "首接负责:须指定新的主办部门 / The lead is released only when another leads",
            {"instead": ["请填写 / required"]},
        )
    yield return_decided(**told, department=department, upheld=upheld, words=words_of({"note": note}), **to(department))
    if upheld:
        yield from replaced(whistle, department, instead, told=told, given=given, now=now)


def replaced(
    whistle: Whistle, department: str, instead: str | None, *, told: dict, given: Given, now: datetime
) -> Iterator[Happened]:
    """Release a department and call another in its place and role."""
    if instead:
        must_know_departments([instead], given.rules)
        if instead in whistle.active:
            raise Conflict(f"已召集:{instead} / Called already: {instead}")
        # Called before the other is released: a whistle is never without somebody.
        yield call_into(whistle, instead, whistle.summonses[department]["role"], given=given, now=now)
    yield from released([department], whistle, told=told, given=given, now=now, is_replaced=bool(instead))


@once
def reassign(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, department: str, instead: str,
    note: str,
) -> Iterator[Happened]:  # fmt: skip
    """改派: the street calls another department in a department's place, before that has given its result."""
    must_move(whistle, department, "called_off")
    must_be_of_community(caller, whistle, given)
    must_hold_no_meeting(whistle)
    words = words_of({"note": note})
    yield reassigned(**told, department=department, instead=instead, words=words, **to(department))
    yield from replaced(whistle, department, instead, told=told, given=given, now=now)


@once
def convene(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, departments: list[str], at: datetime,
    where: str, note: str,
) -> Iterator[Happened]:  # fmt: skip
    """会商: all who are called and whoever may have to come."""
    must_be_open(whistle)
    must_be_of_community(caller, whistle, given)
    must_know_departments(departments, given.rules)
    if whistle.meeting and not whistle.meeting.get("due") and not whistle.meeting.get("concluded_at"):
        raise Conflict("会商已召集 / A joint meeting is convened already")
    if at < now - timedelta(minutes=5):
        raise Invalid("会商时间已过 / That time has passed", {"at": ["过去 / past"]})
    yield convened(**told, departments=departments, at=at, words=words_of({"where": where, "note": note}))


@once
def conclude(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, minutes: str, release: list[str],
    summon: list[str], lead: str | None,
) -> Iterator[Happened]:  # fmt: skip
    """The meeting decides who goes, who comes and who leads; whoever returned and is not released goes on."""
    must_be_open(whistle)
    must_be_of_community(caller, whistle, given)
    meeting = whistle.meeting
    if not meeting or meeting.get("due") or meeting.get("concluded_at"):
        raise Conflict("没有召集中的会商 / No joint meeting is convened")
    must_know_departments(summon, given.rules)
    for department in release:
        summons_of(whistle, department)
    if twice := sorted(set(summon) & whistle.active.keys()):
        raise Conflict(f"已召集:{'、'.join(twice)} / Called already: {', '.join(twice)}")
    staying = [each for each in whistle.active if each not in release]
    if not staying and not summon:
        raise Invalid("会商须留下承办部门 / Somebody has to stay or to come", {"summon": ["请填写 / required"]})
    leads = lead or (whistle.lead if whistle.lead in staying else None)
    if leads not in (*staying, *summon):
        raise Invalid("须指定主办部门 / Who leads?", {"lead": [lead or "请填写 / required"]})
    yield concluded(**told, release=release, lead=leads, words=words_of({"minutes": minutes}))
    for department in summon:
        yield call_into(whistle, department, "lead" if department == leads else "assist", given=given, now=now)
    yield from released(release, whistle, told=told, given=given, now=now, is_replaced=bool(summon))


@once
def supervise(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, department: str | None, note: str
) -> Iterator[Happened]:
    """督办: the street or the district presses for it (Regulation Art. 11(5), 44)."""
    must_be_open(whistle)
    must_be_of_community(caller, whistle, given)
    if department:
        summons_of(whistle, department)
    echelon = "district" if "district" in caller.roles else "street"
    whom = to(department) if department else {}
    yield supervised(**told, echelon=echelon, department=department, words=words_of({"note": note}), **whom)


@once
def escalate(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, note: str
) -> Iterator[Happened]:
    """提级: what cannot be coordinated goes to the echelon above (Regulation Art. 17(3), Appeals Art. 20)."""
    must_be_open(whistle)
    must_be_of_community(caller, whistle, given)
    here = ECHELONS.index(whistle.echelon)
    if here + 1 == len(ECHELONS):
        raise Conflict("已在区级 / It is the district's already")
    if max((ECHELONS.index(role) for role in caller.roles if role in ECHELONS), default=0) < here:
        raise Conflict(f"已提级,由上级办理 / It is the {whistle.echelon}'s already, which passes it on")
    yield escalated(**told, echelon=ECHELONS[here + 1], words=words_of({"note": note}))


@once
def hand_over(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, department: str, person: str | None,
    note: str,
) -> Iterator[Happened]:  # fmt: skip
    """交接: by the department's own people or the street; to whoever holds the seat, where nobody is named, and only
    to somebody who holds one of that department or stands in there."""
    must_be_open(whistle)
    summons = summons_of(whistle, department)
    if caller.department != department:
        must_be_of_community(caller, whistle, given)
    if person and person not in given.staff:
        raise Invalid(
            f"{department} 没有这位专员 / Nobody of that name holds a seat of {department}, or stands in",
            {"person": [person]},
        )
    answer = given.answers.get(department, {})
    whom = {"person": person, "why": "交接 / handed over"} if person else given_to(answer)
    if not whom["person"]:
        raise Conflict("此岗现无人,请指定接手人 / Nobody holds the seat now: name somebody, please")
    if whom["person"] == summons["person"]:
        raise Conflict("已由此人承办 / It is theirs already")
    words = words_of({"note": note})
    yield handed_over(
        act=told["act"], order=told["order"], community=whistle.community, department=department, **whom, words=words,
        **to(department),
    )  # fmt: skip


def given_to(answer: Mapping) -> dict:
    return {name: answer.get(name) for name in ("person", "seat", "instead_of", "why")}


def pass_on(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, department: str, left: str
) -> Iterator[Happened]:
    """When somebody's term ends, their open work goes to whoever answers then; where nobody does, to the department."""
    summons = whistle.active.get(department)
    if summons and summons["person"] == left and summons["stage"] in clocks.OPEN_SUMMONS:
        whom = given_to(given.answers.get(department, {}))
        if whom["person"] != left and whistle.stage not in clocks.ENDED:
            yield handed_over(department=department, community=whistle.community, **whom, **to(department))


def enter(
    whistle: Whistle, *, caller: Caller, now: datetime, number: str, recurrence_of: str | None
) -> Iterator[Happened]:
    """A whistle is entered in the street's register of the year, once; the same settled there before is named."""
    if whistle.number is None:
        yield numbered(number=number, community=whistle.community)
        if recurrence_of:
            yield recurred(of=recurrence_of, community=whistle.community)
