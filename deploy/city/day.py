"""What happens on one day of Beijing: who calls about what and when, who comes, who confirms; drawn from a seed.

Nothing here looks at the world: the same seed, date and scale give the same orders under the same ids. Volumes and
populations are published figures; the hours, kinds and habits below are this program's assumptions, and the report
says so.
"""

import bisect
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as hour
from itertools import accumulate

from deploy.seed import ROSTER
from services.roster.store.districts import district_names, divisions
from shared.contracts.roster import COMMUNITY
from shared.rules.calendar import is_national_workday
from shared.rules.days import BEIJING

# 12345 took 21.43 million calls in 2023, some 58,700 a day: 0.68 a second.
REAL_A_DAY = 58_700
# The census of 2020: what each district has of them.
PEOPLE_OF = {
    "110101": 708_829, "110102": 1_106_214, "110105": 3_452_460, "110106": 2_019_764, "110107": 567_851,
    "110108": 3_133_469, "110109": 392_606, "110111": 1_312_778, "110112": 1_840_295, "110113": 1_324_044,
    "110114": 2_269_487, "110115": 1_993_591, "110116": 441_040, "110117": 457_313, "110118": 527_683,
    "110119": 345_671,
}  # fmt: skip

# Assumed: how a day's calls lie on its hours, on a day of work and on one of rest, and on the days of a week.
HOURS_OF_WORK = (
    *(0.6, 0.4, 0.3, 0.3, 0.3, 0.5, 1.2, 2.8, 6.2, 8.6, 8.9, 7.2),
    *(4.8, 5.6, 7.2, 7.6, 7.0, 6.2, 5.4, 5.8, 5.6, 3.9, 2.2, 1.2),
)
HOURS_OF_REST = (
    *(0.8, 0.6, 0.4, 0.3, 0.3, 0.4, 0.9, 1.8, 3.8, 6.2, 7.4, 7.2),
    *(5.6, 5.8, 6.6, 6.8, 6.6, 6.4, 6.4, 7.0, 6.8, 5.0, 3.2, 1.7),
)
WEEKDAYS = (1.14, 1.08, 1.05, 1.04, 1.01, 0.86, 0.82)
# Assumed: a cold snap in the night. In so many minutes from then on, so large a share of the day more calls come.
SNAP_BEGINS, SNAP_MINUTES, SNAP_SHARE = (330, 450), 90, 0.08
SNAP_PEAK = 25  # minutes until it is worst

OFFICE, STATION, AWAKE = (hour(9), hour(18)), (hour(8, 30), hour(20)), (hour(7), hour(22, 30))
ROUND_THE_CLOCK = {"zilaishui", "gongdian", "ranqi", "reli", "gongan", "xiaofang"}
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
TAKES_UP = 50  # minutes in which what has waited overnight is taken up
STAFF = 2  # specialists of each department in each district; its lead comes beside them
INDICATORS = ("promptness", "attendance", "quality", "cooperation", "feedback")


@dataclass(frozen=True)
class Habit:
    """How a department works: the usual minutes until it signs, comes and gives its result; how often it objects."""

    name: str
    said: str
    share: int
    signs: int
    comes: int
    result: int
    returns: float


HABITS = (
    Habit("quick", "快", 30, 6, 35, 60, 0.01),
    Habit("usual", "平常", 40, 20, 90, 110, 0.02),
    Habit("slow", "慢", 18, 90, 260, 240, 0.02),
    Habit("returning", "常退单", 12, 30, 120, 120, 0.35),
)
AT_HOME = Habit("home", "社区自办", 0, 12, 30, 45, 0)


@dataclass(frozen=True)
class Matter:
    """What people call about: ``by`` whom it is blown; whom it calls, where not left to the catalogue."""

    share: float
    by: str
    kind: str
    category: str
    title: str
    lead: str = ""
    assists: tuple[str, ...] = ()


MATTERS = (
    Matter(11, "resident", "群众诉求", "2101", "楼道灯不亮"),
    Matter(11, "resident", "群众诉求", "0102", "楼前暴露垃圾"),
    Matter(8, "resident", "群众诉求", "0507", "楼道堆物"),
    Matter(8, "resident", "群众诉求", "0501", "无照游商占道"),
    Matter(8, "resident", "群众诉求", "0404", "下水道反复堵塞"),
    Matter(6, "resident", "群众诉求", "0502", "小区内斗殴喧哗"),
    Matter(5, "resident", "群众诉求", "0402", "停水"),
    Matter(5, "resident", "群众诉求", "0408", "停电"),
    Matter(3, "resident", "群众诉求", "0405", "暖气不热"),
    Matter(6, "secretary", "综合执法", "0116", "餐饮油烟扰民", "chengguan", ("shichang", "weijian", "xiaofang")),
    Matter(5, "secretary", "综合执法", "0590", "商户销售过期食品", "shichang", ("weijian", "chengguan", "gongan")),
    Matter(6, "secretary", "综合执法", "0101", "私搭乱建", "chengguan", ("zhujian", "zongzhi", "gongan", "xiaofang")),
    Matter(5, "secretary", "群众诉求", "0404", "雨污管线反复堵塞", "shuiwu", ("zhujian", "chengguan")),
    Matter(4, "secretary", "应急处置", "0401", "路面塌陷", "zhujian", ("gongan", "shuiwu", "xiaofang")),
    Matter(3, "secretary", "应急处置", "0403", "燃气泄漏", "ranqi", ("xiaofang", "gongan")),
    Matter(6, "street", "重点工作", "0303", "背街小巷整治渣土", "zhujian", ("chengguan", "shuiwu", "zongzhi")),
)
SNAP = (
    Matter(60, "resident", "群众诉求", "0405", "夜里降温,暖气不热"),
    Matter(25, "resident", "群众诉求", "0402", "水管冻裂,停水"),
    Matter(10, "resident", "群众诉求", "0408", "取暖用电跳闸"),
    Matter(5, "secretary", "应急处置", "0405", "供热管线爆裂", "reli", ("zhujian", "gongan")),
)
# Assumed: how those behave who called.
SILENT, UNSOLVED, REOPENS, RATES, CALLS_UP = 0.10, 0.08, 0.05, 0.5, 0.2


@dataclass(frozen=True)
class Station:
    """One street, by the community whose station stands for it; the place is invented, for none is published."""

    street: str
    community: str
    district: str
    name: str
    lon: float
    lat: float
    weight: float

    def login(self, role: str) -> str:
        return f"{role}.{self.community}"

    @property
    def place(self) -> dict:
        return {"lon": self.lon, "lat": self.lat}


@dataclass(frozen=True)
class Act:
    """One order of the day: when, by whom, what step of which whistle; ``calls`` is whom a blow has to call."""

    at: datetime
    login: str
    step: str
    whistle: str
    path: str
    order: dict
    calls: tuple[str, ...] = ()


def rule_of(category: str) -> dict:
    """Give the rule of the dispatch catalogue for a category: the longest that fits."""
    fit = [each for each in ROSTER["rules"] if each["category"] == "*" or category.startswith(each["category"])]
    return max(fit, key=lambda each: len(each["category"].rstrip("*")))


def calls_of(matter: Matter, chance: random.Random) -> list[str]:
    """Give whom a whistle calls, the lead first: whom its head names, or as the catalogue has it for a resident."""
    if matter.lead:
        return [matter.lead, *chance.sample(matter.assists, chance.randint(1, min(2, len(matter.assists))))]
    rule = rule_of(matter.category)
    if rule["never_community"]:
        return list(dict.fromkeys([rule["lead"], *rule["assists"]]))
    return [COMMUNITY]


class Day:
    """One day: its stations, departments' habits, leaves, and every whistle with all that will be done about it."""

    def __init__(
        self,
        seed: str,
        on: date,
        scale: float,
        districts: tuple[str, ...] = (),
        hours: tuple[int, int] = (0, 24),
    ):
        self.seed, self.date, self.scale = seed, on, scale
        self.districts = tuple(sorted(districts or district_names()))
        self.is_workday = is_national_workday(on)
        self.midnight = datetime.combine(on, hour(0), BEIJING)
        self.begins, self.ends = (self.midnight + timedelta(hours=each) for each in hours)
        self.hours = hours
        chance = self.chance("city")
        self.without: list[str] = []  # streets that have no community in the tree as it ships
        self.stations = list(self.all_stations(chance))
        self.departments = [each["code"] for each in ROSTER["departments"]]
        self.habits = {
            (district, each): chance.choices(HABITS, [habit.share for habit in HABITS])[0]
            for district in self.districts
            for each in self.departments
        }
        # On leave: in every eighth pair of a district and a department, the first specialist.
        self.away = {pair for pair in self.habits if chance.random() < 1 / 8}
        self.snap_begins = self.begins + self.snap_after(chance)

    def chance(self, *words: object) -> random.Random:
        return random.Random("/".join(map(str, (self.seed, self.date, *words))))

    def id(self, *words: object) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(map(str, ("city", self.seed, self.date, *words)))))

    def snap_after(self, chance: random.Random) -> timedelta:
        """Give when the cold snap begins to be felt: before breakfast, or early in a part of a day."""
        whole = self.hours == (0, 24)
        span = SNAP_BEGINS if whole else (5, 20 * (self.hours[1] - self.hours[0]))
        return MINUTE * chance.randint(*span)

    def all_stations(self, chance: random.Random) -> Iterator[Station]:
        """Give the streets of the districts that play, each by its first community; how much each has, is drawn."""
        rows = [row for row in divisions() if row["code"][:6] in self.districts]
        first: dict[str, str] = {}
        for row in rows:
            if row["level"] == "community":
                first.setdefault(f"{row['code'][:9]}000", row["code"])
        for row in (each for each in rows if each["level"] == "street"):
            if row["code"] not in first:
                self.without.append(row["name"])
            else:
                lon, lat = round(chance.uniform(116.05, 116.75), 6), round(chance.uniform(39.7, 40.3), 6)
                community, weight = first[row["code"]], chance.lognormvariate(0, 0.5)
                yield Station(row["code"], community, row["code"][:6], row["name"], lon, lat, weight)

    # -- how many, and when -------------------------------------------------------------------------------------------

    @property
    def curve(self) -> list[float]:
        """Give the share of the day's calls that comes in each of its hours."""
        hours = HOURS_OF_WORK if self.is_workday else HOURS_OF_REST
        return [each / sum(hours) for each in hours]

    @property
    def of_city(self) -> float:
        """Give which share of the city's people live in the districts that play."""
        return sum(PEOPLE_OF[each] for each in self.districts) / sum(PEOPLE_OF.values())

    @property
    def usual(self) -> int:
        """Give how many whistles come as on any such day, in the hours that are played."""
        of_week = WEEKDAYS[self.date.weekday()] * 7 / sum(WEEKDAYS)
        return round(REAL_A_DAY * of_week * self.scale * self.of_city * sum(self.curve[slice(*self.hours)]))

    def moments(self) -> list[tuple[datetime, bool]]:
        """Give when each whistle is blown, and whether the cold snap has it blown."""
        chance = self.chance("moments")
        first, last = self.hours
        ends = list(accumulate(self.curve[first:last]))
        found = []
        for _ in range(self.usual):
            drawn = chance.random() * ends[-1]
            n = bisect.bisect(ends, drawn)
            within = (drawn - (ends[n - 1] if n else 0)) / self.curve[first + n]
            found.append((self.begins + timedelta(hours=n + within), False))
        # It is worst soon after it begins, and ebbs away.
        for _ in range(round(self.usual * SNAP_SHARE)):
            after = min(chance.gammavariate(3, SNAP_PEAK / 2), SNAP_MINUTES)
            at = self.snap_begins + MINUTE * after
            if at < self.ends:
                found.append((at, True))
        return sorted(found)

    def whistles(self) -> Iterator[list[Act]]:
        """Yield all that will be done about each whistle before the day ends, one whistle after the other."""
        weights = [PEOPLE_OF[each.district] * each.weight for each in self.stations]
        mean = {}
        for station in self.stations:
            mean[station.district] = mean.get(station.district, 0) + station.weight
        weights = [weight / mean[each.district] for weight, each in zip(weights, self.stations, strict=True)]
        upto = list(accumulate(weights))
        for n, (at, of_snap) in enumerate(self.moments()):
            chance = self.chance("whistle", n)
            station = self.stations[bisect.bisect(upto, chance.random() * upto[-1])]
            matters = SNAP if of_snap else MATTERS
            matter = chance.choices(matters, [each.share for each in matters])[0]
            script = Script(self, self.id("whistle", n), station, matter, chance)
            acts = sorted(script.played(at), key=lambda each: each.at)
            yield [each for each in acts if each.at < self.ends]

    # -- who, and when they work --------------------------------------------------------------------------------------

    def open_at(self, at: datetime, hours: tuple[hour, hour], late: timedelta, on_rest_days: bool = True) -> datetime:
        """Give the next moment at which somebody is there; what has waited for them is seen to a little ``late``."""
        at = at.astimezone(BEIJING)
        opens, closes = hours
        while True:
            works = on_rest_days or is_national_workday(at.date())
            if works and at.time() < opens:
                at = datetime.combine(at.date(), opens, BEIJING) + late
            if works and at.time() < closes:
                return at
            at = datetime.combine(at.date() + DAY, hour(0), BEIJING)

    def specialists(self, district: str, department: str) -> list[str]:
        return [f"{department}-{n}.{district}" for n in range(STAFF)]

    def lead(self, district: str, department: str) -> str:
        return f"{department}-lead.{district}"

    def on_duty(self, district: str, department: str) -> str:
        """Give who of a department answers on this day: the first, or who stands in where the first is away."""
        return self.specialists(district, department)[(district, department) in self.away]


class Script:
    """All that will be done about one whistle, whether the day is long enough for it or not."""

    def __init__(self, day: Day, id: str, station: Station, matter: Matter, chance: random.Random):
        self.day, self.id, self.station, self.matter, self.chance = day, id, station, matter, chance
        self.acts: list[Act] = []
        self.urgent = matter.kind == "应急处置"
        self.spot = self.near(station.place, 600)

    def near(self, place: dict, metres: int) -> dict:
        """Give a point some metres from a place."""
        return {name: round(place[name] + self.chance.randint(-metres, metres) / 111_195, 6) for name in ("lon", "lat")}

    def minutes(self, usual: float) -> timedelta:
        """Give a time that is mostly near the usual one and now and then much longer."""
        return timedelta(minutes=min(max(self.chance.lognormvariate(0, 0.6), 0.15), 6) * usual)

    def add(self, at: datetime, login: str, step: str, noun: str, **order: object) -> datetime:
        act = {"act": self.day.id(self.id, len(self.acts))}
        self.acts.append(Act(at, login, step, self.id, f"/v1/whistles/{self.id}/{noun}", order | act))
        return at

    def look(self, at: datetime, login: str, path: str, step: str = "look") -> datetime:
        """Somebody opens a list before they act."""
        self.acts.append(Act(at, login, step, self.id, path, {}))
        return at

    def played(self, at: datetime) -> list[Act]:
        """Play the whistle from its call to its end."""
        matter, station, chance = self.matter, self.station, self.chance
        who, called = station.login(matter.by), calls_of(matter, chance)
        named = {"departments": called} if matter.lead else {}
        order = {
            "id": self.id, "kind": matter.kind, "category": matter.category, "community": station.community,
            "title": matter.title, "text": f"{matter.title},请来看看。", "place": self.spot,
        }  # fmt: skip
        self.acts.append(Act(at, who, "blow", self.id, "/v1/whistles", order | named, tuple(called)))
        answered = self.worked(at, called)
        lead = called[0]
        if called == [COMMUNITY] and rule_of(matter.category)["lead"] != COMMUNITY and chance.random() < CALLS_UP:
            # What home could not solve: it answers so, and calls up whoever answers for it.
            lead = rule_of(matter.category)["lead"]
            at = self.add(
                self.when(answered, COMMUNITY, 15), station.login("secretary"), "summon", "summonses",
                departments=[lead], note="社区解决不了,请部门到场。",
            )  # fmt: skip
            answered = self.worked(at, [lead])
        self.ended(answered, who, lead)
        return self.acts

    def when(self, at: datetime, department: str, usual: float) -> datetime:
        """Give when a department, or the community, has done something that usually takes so many minutes."""
        at = at + self.minutes(usual)
        if self.urgent or department in ROUND_THE_CLOCK:
            return at
        if department == COMMUNITY:
            return self.open_at(at, STATION)
        return self.open_at(at, OFFICE, on_rest_days=False)

    def open_at(self, at: datetime, hours: tuple[hour, hour], on_rest_days: bool = True) -> datetime:
        """Give when somebody is there; after their opening they take up what has waited, one after the other."""
        return self.day.open_at(at, hours, MINUTE * self.chance.uniform(0, TAKES_UP), on_rest_days)

    def worked(self, at: datetime, called: list[str]) -> datetime:
        """Give when everybody who is called has given their result."""
        done, objected = [], False
        for n, department in enumerate(called):
            habit = AT_HOME if department == COMMUNITY else self.day.habits[self.station.district, department]
            free = [each for each in self.day.departments if each not in called and each not in ROUND_THE_CLOCK]
            may_object = not objected and not self.urgent and department not in (*ROUND_THE_CLOCK, COMMUNITY)
            if may_object and self.chance.random() < habit.returns:
                objected = True
                done.append(self.returned(at, department, habit, self.chance.choice(free), leads=n == 0))
            else:
                done.append(self.comes(self.signs(at, department, habit), department, habit, leads=n == 0))
        return max(done)

    def people_of(self, department: str) -> tuple[str, str]:
        """Give who acts for a department, and who comes beside them where the matter is the street's."""
        if department == COMMUNITY:
            return self.station.login("secretary"), ""
        district = self.station.district
        return self.day.on_duty(district, department), self.day.lead(district, department)

    def signs(self, at: datetime, department: str, habit: Habit) -> datetime:
        who, _ = self.people_of(department)
        at = self.when(at, department, habit.signs / (4 if self.urgent else 1))
        self.look(at, who, "/v1/inbox?scope=" + ("community" if department == COMMUNITY else "department"))
        return self.add(at, who, "sign", "signatures")

    def comes(self, at: datetime, department: str, habit: Habit, leads: bool) -> datetime:
        """Somebody of a department comes, works and gives the result back; gives when."""
        who, beside = self.people_of(department)
        sooner = 3 if self.urgent else 1
        if leads and department != COMMUNITY:
            at = self.add(self.when(at, department, 5), who, "contact", "contacts", way="phone", note="已联系。")
        at = self.add(
            self.when(at, department, habit.comes / sooner), who, "report", "reports", place=self.near(self.spot, 60)
        )
        if beside and self.matter.kind == "重点工作":
            self.add(at, beside, "report", "reports", place=self.near(self.spot, 60))
        if leads:
            at = self.add(self.when(at, department, 4), who, "take_up", "handlings")
        return self.answers(at, department, habit.result / sooner, leads)

    def answers(self, at: datetime, department: str, usual: float, leads: bool) -> datetime:
        who, _ = self.people_of(department)
        outcomes = [{"measure": "problem", "count": self.chance.choice((1, 1, 1, 2))}] if leads else []
        if leads and self.matter.category == "0101":
            area = self.chance.randint(300, 9000) / 100
            outcomes.append({"measure": "illegal_structure", "count": self.chance.choice((1, 1, 2, 3)), "amount": area})
        at = self.when(at, department, usual)
        return self.add(at, who, "answer", "answers", result="solved", text="已处置。", outcomes=outcomes)

    def returned(self, at: datetime, department: str, habit: Habit, instead: str, leads: bool) -> datetime:
        """A department objects; the street decides whether it goes on or another comes in its place."""
        who, _ = self.people_of(department)
        street, sees = self.station.login("street"), self.chance.random() < 0.5
        at = self.signs(at, department, habit)
        at = self.add(
            self.when(at, department, 10), who, "send_back", "returns", reason="not_our_duty", proposes=instead,
            note="认为不属本部门职责。",
        )  # fmt: skip
        at = self.open_at(at + self.minutes(40), STATION)
        taken = {"instead": instead} if sees else {}
        self.add(at, street, "decide", "return-decisions", department=department, upheld=sees, note="已核。", **taken)
        if not sees:
            return self.comes(at, department, habit, leads)
        other = self.day.habits[self.station.district, instead]
        return self.comes(self.signs(at, instead, other), instead, other, leads)

    def ended(self, answered: datetime, who: str, lead: str) -> None:
        """Whoever called looks, or does not; it is rated, settled, and sometimes comes back."""
        chance, head, lead = self.chance, self.station.login("secretary"), self.led_by(lead)
        awake = AWAKE if self.matter.by == "resident" else STATION
        if chance.random() < SILENT:
            return
        looks = self.open_at(answered + self.minutes(70), awake)
        if chance.random() < UNSOLVED:
            self.add(looks, who, "confirm", "confirmations", solved=False, note="还没好。")
            answered = self.answers(looks, lead, 60, leads=True)
            looks = self.open_at(answered + self.minutes(60), awake)
        self.add(looks, who, "confirm", "confirmations", solved=True)
        at = self.open_at(looks + self.minutes(15), STATION)
        comes_back = chance.random() < REOPENS
        # What comes back is rated when it is over, and that is another day.
        if lead != COMMUNITY and not comes_back and chance.random() < RATES:
            points = {each: chance.randint(3, 5) for each in INDICATORS}
            at = self.add(at, head, "rate", "ratings", department=lead, indicators=points)
        at = self.add(self.open_at(at + self.minutes(20), STATION), head, "settle", "settlements", note="销哨。")
        if comes_back:
            back = self.open_at(at + self.minutes(90), awake)
            self.add(back, who, "reopen", "reopenings", note="又坏了。")
            answered = self.answers(back, lead, 60, leads=True)
            looks = self.open_at(answered + self.minutes(60), awake)
            self.add(looks, who, "confirm", "confirmations", solved=True)
            self.add(self.open_at(looks + self.minutes(30), STATION), head, "settle", "settlements", note="销哨。")

    def led_by(self, lead: str) -> str:
        """Give who leads after all: a lead whose objection was upheld is followed by whoever came in its place."""
        for each in self.acts:
            if each.step == "decide" and each.order.get("instead") and each.order["department"] == lead:
                return each.order["instead"]
        return lead
