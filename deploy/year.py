"""Plays a pilot year of a street over the public API, with the sums that the newspaper told, on a throw-away platform.

The plan is drawn from the run's name, so that it is the same each time; every order has an id of its own, so that an
interrupted year goes on where it was: what is settled is done, the rest is asked for again and finds itself.
"""

import argparse
import random
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as hour

from deploy.playing import Play, Refused, moment, told
from deploy.seed import PASSWORD, PEOPLE, ROSTER
from deploy.settings import ROOT
from shared.contracts.rows import person_of
from shared.rules.calendar import Calendar, YearUnknown, is_national_workday
from shared.rules.days import BEIJING, day_of, iso

AT_ONCE = 8
DAY, HALF_HOUR = timedelta(days=1), timedelta(minutes=30)
OPENS, CLOSES = hour(9), hour(17)
LAST_DAY, HOME_FROM, HOME_DAYS = 330, 95, 80  # days of the year on which the last is blown, and those at home
OF_A_DEPARTMENT = 3  # people of each department who come to this street
INDICATORS = ("promptness", "attendance", "quality", "cooperation", "feedback")
SURNAMES, GIVEN = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华", "伟芳敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂"

# 全国年节及纪念日放假办法 (State Council Decree 795 of 2024): the thirteen days of rest by law, and days in lieu of
# those on a weekend. How the State Council will move working days about is not known before its notice.
BY_LAW = {
    2027: "01-01 02-05 02-06 02-07 02-08 04-05 05-01 05-02 06-09 09-15 10-01 10-02 10-03",
    2028: "01-01 01-25 01-26 01-27 01-28 04-04 05-01 05-02 05-28 10-01 10-02 10-03 10-04",
}


@dataclass(frozen=True)
class Goals:
    """What the year comes to; ``area`` in hundredths of a square metre."""

    stations: int = 22
    whistles: int = 426
    reports: int = 2_607
    problems: int = 502
    structures: int = 387
    area: int = 1_280_468
    home: int = 437

    def scaled(self, scale: int) -> "Goals":
        """Give a smaller year of the same kind."""
        return Goals(max(2, self.stations // scale), *(each // scale for each in list(vars(self).values())[1:]))


@dataclass(frozen=True)
class Case:
    """A kind of matter: who leads, who may have to come along."""

    kind: str
    category: str
    title: str
    lead: str
    assists: tuple[str, ...]


BUILT = Case("综合执法", "0101", "私搭乱建", "chengguan", ("zhujian", "zongzhi", "gongan", "xiaofang"))
CASES = [
    Case("综合执法", "0501", "无照游商占道", "chengguan", ("shichang", "gongan", "weijian", "zongzhi")),
    Case("综合执法", "0116", "餐饮油烟扰民", "chengguan", ("shichang", "weijian", "xiaofang", "gongan")),
    Case("综合执法", "0590", "商户销售过期食品", "shichang", ("weijian", "chengguan", "gongan", "zongzhi")),
    Case("重点工作", "0303", "背街小巷整治渣土", "zhujian", ("chengguan", "shuiwu", "zongzhi", "gongan")),
    Case("群众诉求", "0404", "下水道反复堵塞", "shuiwu", ("zhujian", "chengguan", "weijian", "zongzhi")),
    Case("应急处置", "0406", "道路积水影响出行", "shuiwu", ("gongan", "chengguan", "xiaofang", "zhujian")),
    Case("应急处置", "0401", "路面塌陷", "zhujian", ("gongan", "chengguan", "shuiwu", "xiaofang")),
]
AT_HOME = (("2101", "楼道灯不亮"), ("0102", "楼前暴露垃圾"), ("0506", "自行车堵住单元门"), ("0507", "楼道堆物"))
# Half hours until whoever is called comes, and until the result is given back: within the city's limits.
COMES = {"综合执法": (2, 10), "重点工作": (4, 60), "群众诉求": (4, 40)}
RESULT = {"综合执法": (20, 200), "重点工作": (90, 480), "群众诉求": (20, 180)}


@dataclass(frozen=True)
class Order:
    """One order of the plan: when, by whom, upon which whistle."""

    at: datetime
    login: str
    whistle: str
    path: str
    order: dict


# -- the plan ----------------------------------------------------------------------------------------------------------


def shares(total: int, least: list[int], most: list[int], chance: random.Random) -> list[int]:
    """Part a total into shares that are each within their bounds; ``ValueError`` where that cannot be."""
    if not sum(least) <= total <= sum(most):
        raise ValueError(f"{total} is not within {sum(least)}–{sum(most)}")
    found = list(least)
    while (left := total - sum(found)) > 0:
        free = [n for n, share in enumerate(found) if share < most[n]]
        for n in chance.sample(free, min(left, len(free), max(1, len(free) // 3))):
            found[n] += 1
    return found


def pieces(total: int, count: int, least: int, chance: random.Random) -> list[int]:
    """Part an amount into so many pieces of very different size."""
    weights = [chance.lognormvariate(0, 0.9) for _ in range(count)]
    found = [least + int((total - least * count) * weight / sum(weights)) for weight in weights]
    found[-1] += total - sum(found)
    return found


class Plan:
    """Everything that will be ordered in the year, drawn from the run's name and its first day."""

    def __init__(self, run: str, first: date, goals: Goals, places: dict[str, dict], people: "People", known: Calendar):
        self.run, self.first, self.goals, self.people, self.calendar = run, first, goals, people, known
        self.places = places
        self.chance = random.Random(f"{run}/{goals}")
        self.orders: list[Order] = []

    def id(self, *words: object) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(map(str, (self.run, *words)))))

    def whistle(self, n: int) -> str:
        return self.id("whistle", n)

    def office(self, at: datetime) -> datetime:
        """Give the next half hour at which an office is open."""
        at = at.astimezone(BEIJING)
        while True:
            if not self.calendar.is_workday(at.date()) or at.time() > CLOSES:
                at = datetime.combine(at.date() + DAY, OPENS, BEIJING)
            elif at.time() < OPENS:
                at = datetime.combine(at.date(), OPENS, BEIJING)
            else:
                return at

    def after(self, at: datetime, least: int, most: int) -> datetime:
        """Give a time of an office so many half hours later."""
        return self.office(at + HALF_HOUR * self.chance.randint(least, most))

    def morning(self, day: int) -> datetime:
        at = datetime.combine(self.first + DAY * day, OPENS, BEIJING) + HALF_HOUR * self.chance.randint(0, 14)
        return self.office(at)

    def order(self, at: datetime, login: str, whistle: str, noun: str, **order) -> None:
        act = {"act": self.id(whistle, len(self.orders))} if noun else {}
        path = f"/v1/whistles/{whistle}/{noun}" if noun else "/v1/whistles"
        self.orders.append(Order(at, login, whistle, path, order | act))

    def drawn(self) -> list[Order]:
        """Draw the year; gives its orders as they follow one another."""
        goals, chance = self.goals, self.chance
        stations = sorted(self.places)
        built = set(chance.sample(range(goals.whistles), goals.whistles * 6 // 10))
        unsolved = set(chance.sample(sorted(set(range(goals.whistles)) - built), goals.whistles // 50))
        solved = [n for n in range(goals.whistles) if n not in unsolved]
        several = [chance.choice((2, 3, 3, 4, 4, 5)) for _ in range(goals.whistles)]
        reports = shares(goals.reports, several, [each * OF_A_DEPARTMENT for each in several], chance)
        problems = dict(zip(solved, shares(goals.problems, [1] * len(solved), [4] * len(solved), chance), strict=True))
        per_built = shares(goals.structures, [1] * len(built), [6] * len(built), chance)
        sizes = pieces(goals.area, goals.structures, 150, chance)
        removed = {
            n: (count, sum(sizes.pop() for _ in range(count)))
            for n, count in zip(sorted(built), per_built, strict=True)
        }
        days = [0, *sorted(chance.randint(0, LAST_DAY) for _ in range(goals.whistles - 1))]
        for n, day in enumerate(days):
            case = BUILT if n in built else chance.choice(CASES)
            station = stations[n % len(stations)]
            outcomes = [{"measure": "problem", "count": problems[n]}] if n in problems else []
            if n in removed:
                count, area = removed[n]
                outcomes.append({"measure": "illegal_structure", "count": count, "amount": area / 100})
            # The first is blown on the first day, whatever day that is: by it a run finds again when it began.
            at = self.morning(day) if n else datetime.combine(self.first, OPENS, BEIJING)
            self.called_up(n, case, station, at, several[n], reports[n], outcomes)
        for n in range(goals.home):
            self.at_home(
                goals.whistles + n, chance.choice(stations), self.morning(HOME_FROM + chance.randrange(HOME_DAYS))
            )
        return sorted(self.orders, key=lambda each: each.at)

    def spot(self, place: dict, most: int) -> dict:
        """Give a point some metres from a place."""
        return {name: round(place[name] + self.chance.randint(-most, most) / 111_195, 6) for name in ("lon", "lat")}

    def called_up(
        self, n: int, case: Case, station: str, at: datetime, several: int, reports: int, outcomes: list[dict]
    ) -> None:
        """A whistle that calls departments: most keep their limits, some do not; some are returned, or extended."""
        chance, id, place = self.chance, self.whistle(n), self.spot(self.places[station], 400)
        head = self.people.heads[station]
        departments = [case.lead, *chance.sample(case.assists, several - 1)]
        crew = {
            department: chance.sample(self.people.specialists[department], count)
            for department, count in zip(
                departments, shares(reports, [1] * several, [OF_A_DEPARTMENT] * several, chance), strict=True
            )
        }
        slow = chance.choice(("sign", "report", "result")) if chance.random() < 0.08 else ""
        self.order(
            at, head, id, "", id=id, kind=case.kind, category=case.category, community=station,
            departments=departments, title=case.title, text=f"{case.title},社区解决不了,请部门到场。", place=place,
        )  # fmt: skip
        if case.kind == "应急处置":
            signs, comes, result = at, at + timedelta(minutes=20), at + timedelta(minutes=chance.choice((60, 80, 100)))
        else:
            signs = at + HALF_HOUR
            comes = self.after(signs, *COMES[case.kind])
            result = self.after(
                max(comes, at + HALF_HOUR * RESULT[case.kind][0]), 1, RESULT[case.kind][1] - RESULT[case.kind][0]
            )
        if slow == "sign":
            signs = at + HALF_HOUR * chance.randint(5, 9)
        if slow == "report":
            comes = self.after(comes, *((4, 12) if case.kind == "应急处置" else (200, 300)))
        comes = max(comes, signs)
        result = max(result, comes + HALF_HOUR) if case.kind != "应急处置" or slow else result
        if slow == "result":
            result = self.after(result, *((4, 20) if case.kind == "应急处置" else (500, 700)))
        lead = crew[case.lead][0]
        for department, who in crew.items():
            self.order(signs, who[0], id, "signatures")
            if department == departments[-1] and chance.random() < 0.04:
                note = "认为不属本部门职责。"
                self.order(signs, who[0], id, "returns", reason="not_our_duty", proposes=case.lead, note=note)
                self.order(
                    signs,
                    self.people.street,
                    id,
                    "return-decisions",
                    department=department,
                    upheld=False,
                    note="仍须到场。",
                )
        self.order(signs, lead, id, "contacts", way="phone", note="已联系社区。")
        for who in crew.values():
            for login in who:
                self.order(comes, login, id, "reports", place=self.spot(place, 60))
        self.order(comes, lead, id, "handlings")
        if slow == "result" and chance.random() < 0.5:
            until, asks = iso(at + DAY * 45), self.office(at + DAY * 6)
            if comes < asks < result:
                self.order(asks, lead, id, "extension-requests", until=until, note="须等产权单位配合。")
                self.order(asks, self.people.street, id, "extension-decisions", department=case.lead, granted=True)
        done = "solved" if outcomes else "unsolved"
        for department, who in crew.items():
            said = {"outcomes": outcomes} if department == case.lead else {}
            self.order(
                result, who[0], id, "answers", result=done, text="已办结。" if outcomes else "本部门无权处置。", **said
            )
        looks = self.after(result, 2, 16)
        if outcomes:
            self.order(looks, head, id, "confirmations", solved=True, place=self.spot(place, 40))
        for department in departments:
            points = dict.fromkeys(INDICATORS, 5) | {chance.choice(INDICATORS): chance.randint(2 if slow else 3, 5)}
            self.order(looks, head, id, "ratings", department=department, indicators=points)
        ends = (
            {} if outcomes else {"result": "unsolved", "reason": chance.choice(("objective_obstacle", "beyond_duty"))}
        )
        self.order(self.after(looks, 0, 6), head, id, "settlements", note="销哨。", **ends)

    def at_home(self, n: int, station: str, at: datetime) -> None:
        """A resident's green whistle that the community solves by itself (问题不上交)."""
        chance, id, place = self.chance, self.whistle(n), self.spot(self.places[station], 400)
        resident, worker = self.people.residents[station], self.people.workers[station]
        category, title = chance.choice(AT_HOME)
        self.order(
            at, resident, id, "", id=id, kind="群众诉求", category=category, community=station, title=title, place=place
        )
        signs = at + HALF_HOUR * chance.randint(1, 3)
        self.order(signs, worker, id, "signatures")
        comes = self.after(signs, 1, 20)
        self.order(comes, worker, id, "reports", place=self.spot(place, 30))
        result = self.after(comes, 1, 30)
        solved = [{"measure": "problem", "count": 1}]
        self.order(result, worker, id, "answers", result="solved", text="社区已解决。", outcomes=solved)
        looks = self.after(result, 1, 30)
        self.order(looks, resident, id, "confirmations", solved=True)
        self.order(self.after(looks, 1, 10), self.people.heads[station], id, "settlements", note="社区自办。")


# -- who plays ---------------------------------------------------------------------------------------------------------


class People:
    """Who plays the year: the demo's people, and whom the district lets in beside them."""

    def __init__(self, on: Play, district: str, street: str):
        self.on, self.district = on, district
        self.heads = {each["unit"]: each["login"] for each in PEOPLE if each["unit"].startswith(street[:9])
                      and "secretary" in each["roles"]}  # fmt: skip
        self.street = self.one(street, "street")
        self.admin = self.one(district, "district")
        self.specialists: dict[str, list[str]] = defaultdict(list)
        for each in PEOPLE:
            if each["district"] == district and "specialist" in each["roles"]:
                self.specialists[each["department"]].append(each["login"])
        self.residents: dict[str, str] = {}
        self.workers: dict[str, str] = {}

    def one(self, unit: str, role: str) -> str:
        found = next((each["login"] for each in PEOPLE if each["unit"] == unit and role in each["roles"]), None)
        if not found:
            raise SystemExit(f"演示数据里没有 {unit} 的人 / The demo has nobody of {unit}: try street=110102009")
        return found

    def let_in(self, login: str, role: str, unit: str, department: str = "") -> str:
        """Let somebody in; who is in already stays."""
        chance = random.Random(login)
        name = chance.choice(SURNAMES) + "".join(chance.sample(GIVEN, 2))
        person = {"id": person_of(self.district, login), "district": self.district, "login": login, "name": name}
        place = {"roles": [role], "unit": unit, "department": department, "password": PASSWORD}
        try:
            self.on.who(self.admin).ask("GET", f"/v1/people/{person['id']}")
        except Refused as refused:
            if refused.status != 404:
                raise
            self.on.who(self.admin).ask("POST", "/v1/people", person | place)
        return login

    def come(self, stations: Iterable[str]) -> None:
        """Let in a resident and a worker of each station, and enough specialists of each department."""
        for station in stations:
            self.residents[station] = self.let_in(f"y{station[6:]}r", "resident", station)
            self.workers[station] = self.let_in(f"y{station[6:]}w", "worker", station)
        for department in {case.lead for case in (BUILT, *CASES)} | {
            each for case in (BUILT, *CASES) for each in case.assists
        }:
            for n in range(len(self.specialists[department]), OF_A_DEPARTMENT):
                login = f"y{department}{n}"
                self.specialists[department].append(self.let_in(login, "specialist", self.district, department))


def stations_of(on: Play, people: People, street: str, count: int) -> dict[str, dict]:
    """Give so many communities of the street with a station and a head, each with a place on the map."""
    units = on.who(people.admin).ask("GET", f"/v1/units?under={street}&level=community&limit=1000")["items"]
    found = sorted(each["code"] for each in units if each["code"] in people.heads)[:count]
    if len(found) < count:
        raise SystemExit(f"{street} 只有 {len(found)} 个有书记的演示社区 / only {len(found)} communities with a head")
    return {code: {"lon": 116.33 + 0.003 * (n % 6), "lat": 39.922 + 0.003 * (n // 6)} for n, code in enumerate(found)}


# -- the calendar ------------------------------------------------------------------------------------------------------


def by_law(year: int) -> set[date]:
    """Give the days of rest of a year by law, and the working days in lieu of those on a weekend."""
    found = {date.fromisoformat(f"{year}-{day}") for day in BY_LAW[year].split()}
    for day in sorted(found):
        if day.weekday() >= 5:
            lieu = day
            while lieu in found or lieu.weekday() >= 5:
                lieu += DAY
            found.add(lieu)
    return found


def is_known(year: int) -> bool:
    try:
        is_national_workday(date(year, 7, 1))
    except YearUnknown:
        return False
    return True


def enter_calendar(on: Play, people: People, years: Iterable[int]) -> Calendar:
    """Have the district enter the holidays of years whose plan is not out; gives the calendar that holds then."""
    settings = on.who(people.admin).ask("GET", f"/v1/units/{people.district}/settings")["items"]
    own = next((each["value"] for each in settings if each["name"] == "calendar"), None) or {"days": [], "years": []}
    missing = [year for year in years if not is_known(year) and year not in own["years"]]
    if strange := [year for year in missing if year not in BY_LAW]:
        raise SystemExit(f"没有 {strange} 年的法定节假日 / The days of rest of {strange} are not in this program")
    if missing:
        days = [{"day": str(day), "worked": False} for year in missing for day in sorted(by_law(year))]
        own = {"days": own["days"] + days, "years": own["years"] + missing}
        order = {"change": str(uuid.uuid4()), "settings": {"calendar": own}}
        on.who(people.admin).ask("POST", "/v1/districts/current/settings", order)
        said = "、".join(map(str, missing))
        print(f"  {said} 年放假安排尚未公布:按法定节假日录入区日历,是演示的假定,不是国务院通知")
        print(f"  {said}: the holiday notice is not out; the days by law are entered, which is the demo's assumption")
    return Calendar({date.fromisoformat(each["day"]): each["worked"] for each in own["days"]}, own["years"])


# -- the play ----------------------------------------------------------------------------------------------------------


def first_day(on: Play, people: People, run: str) -> date:
    """Give the day on which the run began, where it did; else tomorrow, as the platform's clock has it."""
    first = uuid.uuid5(uuid.NAMESPACE_URL, f"{run}/whistle/0")
    try:
        return day_of(moment(on.who(people.street).ask("GET", f"/v1/whistles/{first}")["blown_at"]))
    except Refused as refused:
        if refused.status != 404:
            raise
        day = day_of(on.now()) + DAY
        return day + DAY * (7 - day.weekday() if day.weekday() >= 5 else 0)


def settled(on: Play, people: People, orders: list[Order]) -> set[str]:
    """Give the ids of what the run has settled already, of all that was to be blown by now."""
    now, reader = on.now(), on.who(people.street)
    begun = [each.whistle for each in orders if each.path == "/v1/whistles" and each.at <= now]

    def is_settled(id: str) -> bool:
        try:
            return reader.ask("GET", f"/v1/whistles/{id}")["stage"] == "settled"
        except Refused as refused:
            if refused.status != 404:
                raise
            return False

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return {id for id, done in zip(begun, pool.map(is_settled, begun), strict=True) if done}


def windows(orders: list[Order]) -> Iterator[tuple[datetime, list[list[Order]]]]:
    """Yield what happens at one moment, the orders of each whistle one after the other."""
    moments: dict[datetime, dict[str, list[Order]]] = defaultdict(lambda: defaultdict(list))
    for each in orders:
        moments[each.at][each.whistle].append(each)
    for at in sorted(moments):
        yield at, list(moments[at].values())


def play(on: Play, orders: list[Order]) -> None:
    """Play orders, the clock moved on from moment to moment, whistles of one moment side by side."""
    done, began, shown = 0, time.monotonic(), 0.0

    def follow(mine: list[Order]) -> int:
        for each in mine:
            # What a rating rests on comes from another service a moment later.
            on.who(each.login).ask("POST", each.path, each.order, soon=each.path.endswith("/ratings"))
        return len(mine)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for at, whistles in windows(orders):
            on.go(at)
            done += sum(pool.map(follow, whistles))
            if time.monotonic() - shown > (0.2 if sys.stdout.isatty() else 15) or done == len(orders):
                shown = time.monotonic()
                progress(done, len(orders), at, shown - began)


def progress(done: int, count: int, at: datetime, seconds: float) -> None:
    """Show how far the year has come."""
    bar = "█" * (30 * done // count)
    line = f"  {bar:░<30} {100 * done // count:>3} %  {told(at, '%Y-%m-%d')}  {done}/{count}  {seconds:.0f} s"
    print(
        f"\r{line}" if sys.stdout.isatty() else line,
        end="" if sys.stdout.isatty() and done < count else "\n",
        flush=True,
    )


def recount(on: Play, people: People, street: str, first: date, goals: Goals) -> int:
    """Have a program that knows nothing of ours count the year over the API; gives how it ended."""
    wanted = {name: value for name, value in vars(goals).items() if name != "area"} | {"open": 0}
    wanted["area"] = f"{goals.area // 100}.{goals.area % 100:02}"
    argv = [sys.executable, str(ROOT / "tests" / "recount" / "year.py"), on.url, "--login", people.street]
    argv += ["--street", street[:9], "--since", str(first), "--until", str(first + 365 * DAY)]
    argv += [word for name, value in wanted.items() for word in (f"--{name}", str(value))]
    print("重新清点 / recount", flush=True)
    return subprocess.run(argv, check=False).returncode


def main() -> None:
    """Play the year and have it recounted."""
    parser = argparse.ArgumentParser(prog="make year")
    parser.add_argument("--street", default="110102009")
    parser.add_argument(
        "--scale",
        type=int,
        choices=range(1, 41),
        default=1,
        metavar="1–40",
        help="一年的几分之一 / a smaller year: all sums divided",
    )
    parser.add_argument("--run", default="", help="同名接着演 / a run's name: the same goes on where it was")
    said = parser.parse_args()
    began, on = time.monotonic(), Play()
    street, goals = f"{said.street[:9]}000", Goals().scaled(said.scale)
    run = f"year/{street}/{said.scale}/{said.run}"
    if street[:6] not in ROSTER["districts"]:
        raise SystemExit(f"演示数据里没有 {street[:6]} / The demo does not know {street[:6]}")
    people = People(on, street[:6], street)
    places = stations_of(on, people, street, goals.stations)
    first = first_day(on, people, run)
    print(f"{street} 一年 / a year: {first} → {first + 365 * DAY}  {goals}")
    calendar = enter_calendar(on, people, (first.year, first.year + 1))
    people.come(places)
    orders = Plan(run, first, goals, places, people, calendar).drawn()
    done = settled(on, people, orders)
    left = [each for each in orders if each.whistle not in done]
    if len(left) < len(orders):
        print(f"  接着演 / goes on: {len(orders) - len(left)} 项已完成 / orders are done")
    play(on, left)
    on.go(datetime.combine(first + 365 * DAY, OPENS, BEIJING))
    failed = recount(on, people, street, first, goals)
    verdict = "有差异 / a sum differs" if failed else "数目全对 / every sum is right"
    print(f"{verdict}  {time.monotonic() - began:.0f} 秒 / seconds")
    sys.exit(failed)


if __name__ == "__main__":
    main()
