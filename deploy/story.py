"""Plays what the newspaper told of 万明园, over HTTP with real logins: a balcony, tins in a shop, a lamp at home.

The clock is moved forward only, and everything gets new ids: it may be played again and again.
"""

import sys
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from datetime import time as hour

from deploy.playing import Play, fresh, later, moment, off, told
from deploy.seed import person_id
from shared.rules.calendar import YearUnknown, is_national_workday
from shared.rules.days import BEIJING, day_of

WANMINGYUAN = "110102009041"
BUILDING_3, BUILDING_1 = f"{WANMINGYUAN}.01.3", f"{WANMINGYUAN}.01.1"
AT_3, AT_SHOP, AT_1 = (
    {"lon": 116.3441, "lat": 39.9312},
    {"lon": 116.3452, "lat": 39.9305},
    {"lon": 116.3436, "lat": 39.9309},
)
SOLVED = {"measure": "problem", "count": 1}
GREY, RED, GREEN, DARK = (120, 120, 110), (150, 50, 40), (40, 140, 60), (25, 25, 35)


def is_worked(day: date) -> bool:
    """Say whether a day is worked; where the year's plan is not out yet, from Monday to Friday."""
    try:
        return is_national_workday(day)
    except YearUnknown:
        return day.weekday() < 5


def two_days(now: datetime) -> date:
    """Give the next day, not yet begun, that is worked like the one after it."""
    day = day_of(now) + timedelta(days=1)
    while not (is_worked(day) and is_worked(day + timedelta(days=1))):
        day += timedelta(days=1)
    return day


class Story:
    """The play, and the day on which it plays."""

    def __init__(self, on: Play, day: date):
        self.on, self.day = on, day
        self.wrong: list[str] = []

    def at(self, days: int, clock: str) -> datetime:
        """Move the clock to a time of one of the story's days."""
        to = datetime.combine(self.day + timedelta(days=days), hour.fromisoformat(clock), BEIJING)
        self.on.go(to)
        return to

    def seen(self, login: str, place: dict, metres: float, shows: tuple) -> dict:
        """Give where somebody stands and what they took a photo of."""
        return {"place": off(place, metres), "photos": [self.on.photo(login, shows)]}

    def must(self, so: bool, said: str) -> None:
        """Hold the story to what the newspaper told."""
        print(f"      {'✓' if so else '✗'} {said}")
        if not so:
            self.wrong.append(said)

    def whistle(self, whistle: dict) -> dict:
        return self.on.who("wmy").ask("GET", f"/v1/whistles/{whistle['id']}")

    def facts(self, whistle: dict) -> set[str]:
        steps = self.on.who("wmy").ask("GET", f"/v1/whistles/{whistle['id']}/history")["steps"]
        return {step["fact"] for step in steps}

    def end(self, whistle: dict) -> dict:
        """Print the trace of one whistle; gives it as it is now."""
        self.must(self.on.trace("wmy", whistle), "留痕完整 / the history holds")
        return self.whistle(whistle)

    # -- somebody is away -----------------------------------------------------------------------------------------

    def away(self) -> str:
        """城管's specialist is on leave, and a substitute answers; gives the leave's id."""
        on, absence = self.on, fresh()
        days = {"since": str(self.day), "until": str(self.day + timedelta(days=4))}
        path = f"/v1/holders/{person_id('xc-cg')}/leaves"
        on.who("xc-cg").ask("POST", path, {"absence": absence, **days, "substitute": person_id("xc-cg2")})
        on.say("xc-cg", "请假", f"{days['since']} 至 {days['until']},由 {on.named('xc-cg2')} 代")
        path = f"/v1/responsible?category=0101&unit={BUILDING_3}&at={self.day}"
        heard(lambda: on.who("wmy").ask("GET", path)["lead"]["person"] == person_id("xc-cg2"))
        return absence

    def back(self, absence: str) -> None:
        path = f"/v1/holders/{person_id('xc-cg')}/returns"
        day = str(day_of(self.on.now()))
        self.on.who("xc-cg").ask("POST", path, {"absence": absence, "change": fresh(), "back": day})
        self.on.say("xc-cg", "销假", f"{day} 起在岗")

    # -- three whistles -------------------------------------------------------------------------------------------

    def balcony(self) -> None:
        """An illegal balcony: three departments, a return, a meeting; removed within 48 hours."""
        on, act = self.on, self.on.act
        print(f"\n一、私搭阳台 / An illegal balcony  ({self.day})")
        self.at(0, "08:30")
        absence = self.away()
        self.at(0, "09:00")
        whistle = on.blow(
            "wmy", kind="综合执法", category="0101", community=WANMINGYUAN, unit=BUILDING_3, place=AT_3,
            title="3号楼六层阳台私搭乱建", text="居民反映阳台向外扩出一米多,楼下担心坠物。", address="万明园3号楼六层",
            expected="拆除私搭部分", source="resident", photos=[on.photo("wmy", GREY)],
        )  # fmt: skip
        cg = next(each for each in self.whistle(whistle)["summonses"] if each["department"] == "chengguan")
        self.must(cg["person"] == person_id("xc-cg2"), f"派给替岗人 {on.named('xc-cg2')} / to the substitute")
        self.at(0, "09:12")
        act("xc-cg2", "signatures", whistle, "签收")
        self.at(0, "09:20")
        act("xc-zz", "signatures", whistle, "签收")
        note = "阳台不在房屋安全鉴定范围,建议由城管单独处置。"
        act("xc-zj", "returns", whistle, "退单", reason="not_our_duty", proposes="chengguan", note=note)
        self.at(0, "09:35")
        note = "外扩部分压在承重墙上,仍须住建到场。"
        act("zll", "return-decisions", whistle, "审核", department="zhujian", upheld=False, note=note)
        self.at(0, "09:45")
        note = "住户拒绝入户,须有公安在场方能鉴定。"
        again = act("xc-zj", "returns", whistle, "退单", reason="needs_others", proposes="gongan", note=note)
        self.must(
            again["meeting"] is not None and again["meeting"]["due"], "再次退单,须会商 / a second return: a meeting"
        )
        began = self.at(0, "09:50")
        act(
            "zll", "meetings", whistle, "会商", said="召集城管、住建、综治、公安", at=later(began, minutes=40),
            departments=["chengguan", "zhujian", "zongzhi", "gongan"], where="万明园社区综合治理工作站",
        )  # fmt: skip
        self.at(0, "11:00")
        heard(lambda: "overdue" in self.facts(whistle))  # the timer looks once a second
        self.must(True, "住建签收超时,已告警 / the limit of 住建's signature rang")
        minutes = "城管主办,住建当日到场鉴定,综治做住户工作,公安到场维护秩序;次日上午拆除。"
        act("zll", "meeting-conclusions", whistle, "决定", minutes=minutes, summon=["gongan"], lead="chengguan")
        self.at(0, "11:05")
        for login in ("xc-zj", "xc-ga"):
            act(login, "signatures", whistle, "签收")
        act("xc-cg2", "contacts", whistle, "联系", way="visit", note="已上门告知住户并送达限期拆除通知。")
        self.at(0, "14:00")
        for login, metres, note in (
            ("xc-cg2", 8, "测量外扩 12.5 平方米。"), ("xc-cgl", 12, "带队到场。"),
            ("xc-zj", 20, "承重墙未受损,可以拆除。"), ("xc-zz", 6, "住户同意配合。"),
            ("xc-ga", 35, "现场秩序正常。"),
        ):  # fmt: skip
            act(login, "reports", whistle, "报到", note=note, **self.seen(login, AT_3, metres, RED))
        act("xc-cg2", "handlings", whistle, "处置", note="拉起警戒,约定次日九点拆除。")
        self.at(1, "10:30")
        removed = [{"measure": "illegal_structure", "count": 1, "amount": 12.5}, SOLVED]
        said = {"result": "solved", "text": "私搭阳台已拆除,12.5 平方米,渣土已清运。", "outcomes": removed}
        act("xc-cg2", "answers", whistle, "反馈", photos=[on.photo("xc-cg2", GREEN)], **said)
        for login, text in (
            ("xc-zj", "鉴定报告已出,墙体安全。"), ("xc-zz", "住户情绪平稳。"), ("xc-ga", "无警情。"),
        ):  # fmt: skip
            act(login, "answers", whistle, "反馈", result="solved", text=text)
        self.at(1, "15:00")
        seen = self.seen("wmy", AT_3, 10, GREEN)
        act("wmy", "confirmations", whistle, "确认", solved=True, note="已到现场看过,恢复原状。", **seen)
        self.rate(whistle, {"chengguan": 5, "zongzhi": 5, "gongan": 5, "zhujian": 3})
        act("wmy", "settlements", whistle, "销哨", note="违建拆除,居民满意。")
        self.back(absence)
        after = self.end(whistle)
        hours = (moment(after["answered_at"]) - moment(after["blown_at"])).total_seconds() / 3600
        self.must(hours <= 48, f"{hours:.1f} 小时拆除,48 小时之内 / removed within 48 hours")
        places, area = sums(after, "illegal_structure")
        self.must((places, area) == (1, 12.5), f"{places} 处 {area} 平方米 / places and m² removed")
        self.must(
            len(after["reports"]) == 5 and not any(each["far"] for each in after["reports"]), "五人到场 / five came"
        )

    def tins(self) -> None:
        """Expired tins that a resident found in a shop, seized the same day by 市场监管."""
        on, act = self.on, self.on.act
        print(f"\n二、过期罐头 / Expired tins  ({self.day + timedelta(days=2)})")
        self.at(2, "10:05")
        whistle = on.blow(
            "xc-res", kind="群众诉求", category="0590", community=WANMINGYUAN, place=AT_SHOP,
            title="小卖部还在卖过期罐头", text="货架上的午餐肉罐头过期两个月了。", address="万明园小区北门小卖部",
            photos=[on.photo("xc-res", GREY)],
        )  # fmt: skip
        self.must(whistle["called"] == ["shichang"], "居民绿哨按目录直派市场监管 / by the catalogue to 市场监管")
        self.at(2, "10:20")
        act("xc-sc", "signatures", whistle, "签收")
        act("xc-sc", "contacts", whistle, "联系", way="phone", note="已电话联系反映人,请其保留照片。")
        self.at(2, "11:10")
        act("xc-sc", "reports", whistle, "报到", note="到店检查。", **self.seen("xc-sc", AT_SHOP, 5, RED))
        act("xc-sc", "handlings", whistle, "处置", note="清点过期罐头 24 听。")
        self.at(2, "14:40")
        seized = [{"measure": "seized", "count": 24, "amount": 8.2}, SOLVED]
        said = {"result": "solved", "text": "查扣过期罐头 24 听 8.2 千克,责令整改并立案。", "outcomes": seized}
        act("xc-sc", "answers", whistle, "反馈", photos=[on.photo("xc-sc", GREEN)], **said)
        self.at(2, "17:30")
        seen = self.seen("xc-res", AT_SHOP, 4, GREEN)
        act("xc-res", "confirmations", whistle, "确认", solved=True, note="货架上没有了,谢谢。", **seen)
        self.rate(whistle, {"shichang": 5})
        act("wmy", "settlements", whistle, "销哨", note="当日查扣,居民确认。")
        after = self.end(whistle)
        days = {day_of(moment(after[name])) for name in ("blown_at", "answered_at", "settled_at")}
        self.must(len(days) == 1, "当日查扣、当日销哨 / seized and settled the same day")

    def lamp(self) -> None:
        """A lamp on the stairs, mended by the community itself: no department is called (问题不上交)."""
        on, act = self.on, self.on.act
        print(f"\n三、楼道灯 / A lamp on the stairs  ({self.day + timedelta(days=3)})")
        self.at(3, "19:10")
        whistle = on.blow(
            "xc-res", kind="群众诉求", category="2101", community=WANMINGYUAN, unit=BUILDING_1, place=AT_1,
            title="1号楼二层楼道灯不亮", text="晚上老人上下楼看不清台阶。", photos=[on.photo("xc-res", DARK)],
        )  # fmt: skip
        mine = self.whistle(whistle)["summonses"][0]
        self.must(mine["person"] == person_id("wmy-l"), f"派给本楼楼长 {on.named('wmy-l')} / to the building's steward")
        self.at(3, "19:20")
        act("wmy-l", "signatures", whistle, "签收")
        self.at(3, "19:40")
        act("wmy-l", "reports", whistle, "报到", note="带灯泡到场。", **self.seen("wmy-l", AT_1, 3, DARK))
        self.at(3, "19:55")
        mended = [{"measure": "repaired", "count": 1}, SOLVED]
        said = {"result": "solved", "text": "已换声控灯。", "outcomes": mended}
        act("wmy-l", "answers", whistle, "反馈", photos=[on.photo("wmy-l", GREEN)], **said)
        self.at(3, "20:10")
        seen = self.seen("xc-res", AT_1, 3, GREEN)
        act("xc-res", "confirmations", whistle, "确认", solved=True, note="亮了。", **seen)
        self.at(4, "09:00")
        act("wmy", "settlements", whistle, "销哨", note="社区自办,未惊动部门。")
        after = self.end(whistle)
        self.must({each["department"] for each in after["summonses"]} == {"community"}, "社区自己办结 / solved at home")

    def rate(self, whistle: dict, points: dict[str, int]) -> None:
        """The secretary rates each department (下考上)."""
        for department, point in points.items():
            given = dict.fromkeys(("promptness", "attendance", "quality", "cooperation", "feedback"), 5)
            given["cooperation"] = point
            self.on.act(
                "wmy", "ratings", whistle, "评价", self.on.of(department), True, department=department, indicators=given
            )


def sums(whistle: dict, measure: str) -> tuple[int, float]:
    """Give what a whistle's summonses have brought in one measure."""
    found = [
        made for each in whistle["summonses"] if each["answer"] for made in each["answer"]["outcomes"]
        if made["measure"] == measure
    ]  # fmt: skip
    return sum(each["count"] for each in found), sum(each["amount"] or 0 for each in found)


def heard(is_so: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until a service has heard what another told."""
    limit = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > limit:
            raise SystemExit("平台没有按时听到 / the platform has not heard it in time")
        time.sleep(0.1)


def main() -> None:
    """Play all three, and fail where the platform did not do what the newspaper told."""
    began, on = time.monotonic(), Play()
    on.learn_departments("wmy")
    story = Story(on, two_days(on.now()))
    story.balcony()
    story.tins()
    story.lamp()
    print(f"\n平台时间 / platform time: {told(on.now(), '%Y-%m-%d %H:%M')};{time.monotonic() - began:.1f} 秒 / seconds")
    for each in story.wrong:
        print(f"✗ {each}")
    sys.exit(1 if story.wrong else 0)


if __name__ == "__main__":
    main()
