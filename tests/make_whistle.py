"""Whistles in memory: what an act is told, who acts, and a whistle at any stage, all with defaults."""

import copy
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from services.ledger import GENESIS, digest, link
from services.whistle.domain import acts, calling, closing, whistles, working
from shared.caller import Caller
from shared.contract import Happened
from shared.contracts.settings import CITY

DISTRICT, STREET, COMMUNITY, NEXT_DOOR = "110102", "110102009000", "110102009041", "110102009038"
DEPARTMENTS = ["chengguan", "zhujian", "shichang", "zongzhi"]
NOW = datetime(2026, 11, 24, 2, 20, 13, 456_000, tzinfo=UTC)  # a Tuesday, 10:20 in Beijing
ID = "9b2f4c1e-7d3a-4f60-8b1c-2a5d6e7f8091"
PLACE = {"lon": 116.3441, "lat": 39.9312}
RULES = CITY | {"departments": DEPARTMENTS, "resident_whistle": True}
ANSWERS = {
    each: {"person": f"{each}-1", "seat": f"{each}@{COMMUNITY}", "instead_of": None, "why": "在岗 / holds the seat"}
    for each in (*DEPARTMENTS, "community")
}


def given(**changes) -> acts.Given:
    """Give what an act is told of the world."""
    rules = RULES | changes.pop("rules", {})
    known = {"rules": rules, "policy": 1, "answers": ANSWERS, "calendar": acts.calendar_of(rules)}
    known |= {"staff": frozenset({"someone-else"})}
    return acts.Given(**known | changes)


def a_person(role: str, actor: str | None = None, unit: str = COMMUNITY, department: str = "") -> Caller:
    return Caller(DISTRICT, actor or role, (role,), unit, department)


def of(department: str, actor: str | None = None) -> Caller:
    """Give a department's specialist."""
    return a_person("specialist", actor or f"{department}-1", DISTRICT, department)


RESIDENT, WORKER, SECRETARY = a_person("resident"), a_person("worker"), a_person("secretary")
STREET_LEAD = a_person("street", unit=STREET)

# What an order of each act says when it says no more than it must.
ORDERS = {
    "approve": {"approved": True, "note": ""},
    "summon": {"departments": ["zongzhi"], "note": ""},
    "sign": {},
    "contact": {"way": "phone", "note": ""},
    "report": {"place": None, "photos": [], "note": ""},
    "take_up": {"note": ""},
    "feed_back": {"result": "solved", "text": "已清运", "photos": [], "outcomes": []},
    "send_back": {"reason": "not_our_duty", "proposes": "shichang", "note": "不属本部门"},
    "decide_return": {"department": "zhujian", "upheld": False, "instead": None, "note": ""},
    "reassign": {"department": "zhujian", "instead": "zongzhi", "note": "改派"},
    "convene": {"departments": ["chengguan", "zhujian"], "at": NOW + timedelta(days=1), "where": "工作站", "note": ""},
    "conclude": {"minutes": "由城管牵头", "release": [], "summon": [], "lead": "chengguan"},
    "ask_extension": {"until": NOW + timedelta(days=40), "note": "等产权单位"},
    "decide_extension": {"department": "chengguan", "granted": True, "note": ""},
    "put_on_account": {"obstacle": "season", "review": (NOW + timedelta(days=90)).date(), "note": "冬季不能施工"},
    "take_off_account": {"note": ""},
    "supervise": {"department": None, "note": "请今日反馈"},
    "escalate": {"note": "街道协调未果"},
    "withdraw": {"note": "重复"},
    "hand_over": {"department": "chengguan", "person": "someone-else", "note": ""},
    "join": {"place": None, "photos": [], "note": ""},
    "merge": {"into": "5d7e9f01-2a3b-4c5d-8e6f-708192a3b4c5", "note": ""},
    "part": {"note": "两处问题"},
    "confirm": {"solved": True, "place": None, "photos": [], "note": ""},
    "settle": {"result": "solved", "reason": None, "note": "", "photos": []},
    "reopen": {"photos": [], "note": "又堆起来了"},
    "move_dues": {"note": "日历已更新"},
    "erase": {"reason": "requested"},
}
RULE_OF = {name: getattr(next(m for m in (calling, working, closing) if hasattr(m, name)), name) for name in ORDERS}
BLOW = {
    "kind": "综合执法", "category": "0101", "community": COMMUNITY, "unit": None, "departments": ["chengguan"],
    "title": "私搭", "text": "", "address": "", "expected": "", "place": PLACE, "grid": None, "photos": [],
    "source": None, "confidential": False, "split_from": None,
}  # fmt: skip


class Life:
    """A whistle as the ledger would write it, in memory: its state, its history and the words beside it."""

    def __init__(self, **world):
        self.world, self.now = world, NOW
        self.state, self.head, self.entries, self.words = whistles.Whistle(), GENESIS, [], {}

    @property
    def key(self) -> str:
        return f"{DISTRICT}/{ID}"

    def add(self, happened: Iterable[Happened], caller: Caller) -> list[str]:
        """Write facts as they happened; gives their names."""
        names = []
        for each in happened:
            n = len(self.entries) + 1
            entry = {
                "n": n, "fact": each.fact.name, "at": self.now, "actor": caller.actor, "to": each.to,
                "role": caller.roles[0], "trace": "", "data": each.data, "prev": self.head,
            }  # fmt: skip
            data = dict(each.data)
            if each.words:
                said = {name: {"text": text, "salt": f"salt {n} {name}"} for name, text in each.words.items()}
                self.words[f"ref{n}"] = {"_id": f"ref{n}", "record": self.key, "district": DISTRICT, "said": said}
                digests = {name: digest(word["salt"], word["text"]) for name, word in said.items()}
                entry["words"] = {"ref": f"ref{n}", "digests": digests}
                data["words"] = f"ref{n}"
            entry["hash"] = self.head = link(self.key, entry)
            self.entries.append(entry)
            self.state = whistles.evolve(self.state, each.fact.name, data, self.now, caller.actor)
            names.append(each.fact.name)
        return names

    def texts(self) -> dict:
        return {ref: {name: said["text"] for name, said in row["said"].items()} for ref, row in self.words.items()}

    def decide(self, name: str, caller: Caller, act: str | None = None, **order) -> list[Happened]:
        """Decide one act with what it is told here; raises what refuses it."""
        place = order.get("unit") or ""
        by_code = {"path": tuple(place.rsplit(".", n)[0] for n in range(place.count(".") + 1))} if place else {}
        told = given(**by_code | self.world | order.pop("world", {}))
        asked = {"caller": caller, "now": self.now, "given": told}
        if name == "blow":
            return list(calling.blow(self.state, **asked, **BLOW | order))
        asked |= {"words": self.texts(), "act": act or str(uuid.uuid4())}
        return list(RULE_OF[name](self.state, **asked, **ORDERS[name] | order))

    def do(self, name: str, caller: Caller, act: str | None = None, **order) -> "Life":
        """Do one act; raises what refuses it."""
        self.add(self.decide(name, caller, act, **order), caller)
        return self

    def later(self, **by) -> "Life":
        self.now += timedelta(**by)
        return self

    def ring(self) -> list[str]:
        """Let all ring that is due by now; gives what was told."""
        timer = Caller(DISTRICT, "timer", ("timer",))
        return self.add(list(working.ring(self.state, caller=timer, now=self.now)), timer)

    def solved(self) -> "Life":
        """Have everybody who is called come and give their result."""
        for department in self.state.active:
            who = WORKER if department == "community" else of(department)
            self.do("report", who).do("feed_back", who)
        return self

    def row(self) -> dict:
        row = {"_id": self.key, "id": ID, "district": DISTRICT, "version": len(self.entries), "head": self.head}
        return copy.deepcopy(row | {"state": vars(self.state), "history": self.entries})


def a_life(*, by: Caller = SECRETARY, world: dict | None = None, **order) -> Life:
    """Give a whistle that was just blown."""
    return Life(**world or {}).do("blow", by, **order)


def at(stage: str) -> Life:
    """Give a whistle at a stage of its life, two departments called where anybody is."""
    both = {"departments": ["chengguan", "zhujian"]}
    if stage in ("awaiting", "rejected"):
        life = a_life(
            world={"rules": {"blowing": [{"role": "secretary", "kinds": ["综合执法"], "approval": True}]}}, **both
        )
        return life.do("approve", STREET_LEAD, approved=False, note="不在本街道") if stage == "rejected" else life
    life = a_life(**both)
    if stage == "withdrawn":
        return life.do("withdraw", SECRETARY)
    if stage == "merged":
        return life.do("merge", SECRETARY, world={"target": a_life(**both).state})
    if stage in ("answered", "confirmed", "settled"):
        life.solved()
    if stage in ("confirmed", "settled"):
        life.do("confirm", SECRETARY)
    if stage == "settled":
        life.do("settle", SECRETARY)
    return life
