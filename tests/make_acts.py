"""Each act upon a whistle over HTTP: who does it, in which words, and what has to come before it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.make import Client, fresh


@dataclass
class Act:
    """One good order, and the steps that lead to where it may be given; ``by`` blows, the head unless somebody else."""

    who: Client
    noun: str
    order: dict = field(default_factory=dict)
    before: tuple["Act", ...] = ()
    by: Client | None = None

    def after(self, *before: "Act") -> "Act":
        return Act(self.who, self.noun, self.order, before, self.by)

    def do(self, id: str):
        return self.who.act(self.noun, id, self.order)


def good_acts(head: Client, street: Client, one: Client, admin: Client, resident: Client, **blow) -> dict[str, Act]:
    """Give one good act for each call that changes a whistle, by the name of the call, where ``one`` is of 城管."""
    now = datetime.fromisoformat(head.get("/v1/clock").json()["now"])
    soon, late = (now + timedelta(days=1)).isoformat(), (now + timedelta(days=30)).isoformat()
    spring = (now + timedelta(days=90)).strftime("%Y-%m-%d")
    lead, both = {"department": "chengguan"}, {"departments": ["chengguan", "zhujian"]}
    other = {"into": head.blow(**blow)["id"]}
    sign, came = Act(one, "signatures"), Act(one, "reports", {"place": {"lon": 116.3441, "lat": 39.9312}})
    made = [{"measure": "illegal_structure", "count": 1, "amount": 12.5}]
    gave = Act(one, "answers", {"result": "solved", "text": "已拆除。", "outcomes": made}, (came,))
    seen = Act(head, "confirmations", {"solved": True}, (came, gave))
    done = Act(head, "settlements", {"note": "好"}, (came, gave, seen))
    back = Act(one, "returns", {"reason": "not_our_duty", "proposes": "zhujian", "note": "属住建"})
    met = Act(street, "meetings", {**both, "at": soon, "where": "工作站"})
    asked = Act(one, "extension-requests", {"until": late, "note": "等产权单位"})
    rests = Act(street, "accounts", {"obstacle": "season", "review": spring, "note": "冬季不能施工"})
    merged = Act(head, "mergers", other)
    return {
        "approve": Act(street, "approvals", {"approved": True}, by=one),
        "summon": Act(head, "summonses", {"departments": ["zhujian"], "note": "请住建到场"}),
        "sign": sign,
        "contact": Act(one, "contacts", {"way": "visit", "note": "已约定"}),
        "report": came,
        "take_up": Act(one, "handlings", {}, (came,)),
        "feed_back": gave,
        "send_back": back,
        "decide_return": Act(street, "return-decisions", {**lead, "upheld": False}, (back,)),
        "convene": met,
        "conclude": Act(street, "meeting-conclusions", {"minutes": "由城管牵头", "lead": "chengguan"}, (met,)),
        "ask_extension": asked,
        "decide_extension": Act(street, "extension-decisions", {**lead, "granted": True}, (asked,)),
        "put_on_account": rests,
        "take_off_account": Act(street, "account-ends", {}, (rests,)),
        "supervise": Act(street, "supervisions", {**lead, "note": "请今日反馈"}),
        "escalate": Act(head, "escalations", {"note": "协调未果"}),
        "withdraw": Act(head, "withdrawals", {"note": "重复"}),
        "reassign": Act(street, "reassignments", {**lead, "instead": "zhujian", "note": "属住建"}),
        "hand_over": Act(street, "handovers", lead, (sign,)),
        "join": Act(resident, "joinings", {"note": "我家也是"}),
        "merge": merged,
        "part": Act(head, "partings", {"note": "两处问题"}, (merged,)),
        "confirm": seen,
        "settle": done,
        "reopen": Act(head, "reopenings", {"note": "又搭起来了"}, (came, gave, seen, done)),
        "move_dues": Act(street, "recomputations", {"note": "日历已更新"}),
        "erase": Act(admin, "erasures", {"reason": "requested"}),
    }  # fmt: skip


def led_to(act: Act, head: Client, **blow) -> str:
    """Blow a whistle and lead it to where an act may be done; gives its id."""
    id = (act.by or head).blow(id=fresh(), **blow)["id"]
    made = [step.do(id) for step in act.before]
    assert [each.status_code for each in made] == [201] * len(made), [each.text for each in made]
    return id
