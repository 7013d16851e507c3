"""The simulator's own books: what must have come of every order that was acknowledged, kept without the platform.

They are written down as one JSON document, by which ``tests/recount/city.py`` judges what the API shows.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from deploy.city.day import Act
from shared.contracts.roster import COMMUNITY
from shared.rules.days import BEIJING

# The fact by which each step is told on the district's stream.
TOLD_AS = {
    "blow": "blown", "sign": "signed", "contact": "contacted", "report": "reported", "take_up": "taken_up",
    "answer": "fed_back", "send_back": "sent_back", "decide": "return_decided", "summon": "called",
    "confirm": "confirmed", "rate": "rated", "settle": "settled", "reopen": "reopened",
}  # fmt: skip


@dataclass
class Case:
    """One whistle as it must stand."""

    district: str
    kind: str
    community: str
    hour: int
    lead: str = ""
    stage: str = "dispatched"
    done: dict[str, bool] = field(default_factory=dict)
    outcomes: dict[str, list[dict]] = field(default_factory=dict)
    calls: int = 0
    reports: int = 0
    confirmations: int = 0
    returns: int = 0
    reopened: int = 0
    ratings: int = 0

    def call(self, department: str) -> None:
        self.done[department], self.calls, self.stage = False, self.calls + 1, "dispatched"

    def again(self) -> None:
        """Who leads has to handle it again."""
        self.done[self.lead], self.stage = False, "dispatched"

    def must_show(self) -> dict:
        """Give what the API must show of it."""
        made = [each for mine in self.outcomes.values() for each in mine]
        of = {name: [each for each in made if each["measure"] == name] for name in ("problem", "illegal_structure")}
        return {
            "district": self.district, "stage": self.stage, "kind": self.kind, "community": self.community,
            "hour": self.hour, "called": sorted(self.done), "lead": self.lead, "calls": self.calls,
            "reports": self.reports, "answers": len(self.outcomes), "confirmations": self.confirmations,
            "returns": self.returns, "reopened": self.reopened, "ratings": self.ratings,
            "problems": sum(each["count"] for each in of["problem"]),
            "structures": sum(each["count"] for each in of["illegal_structure"]),
            "area": sum(round(each["amount"] * 100) for each in of["illegal_structure"]),
        }  # fmt: skip


class Books:
    """All whistles of the day, and how many of each fact every district must have been told."""

    def __init__(self):
        self.cases: dict[str, Case] = {}
        self.facts: dict[str, Counter] = {}

    def note(self, act: Act, district: str, answer: dict) -> None:
        """Write down one acknowledged order; of the answer only what the platform alone can say: when."""
        facts = self.facts.setdefault(district, Counter())
        facts[TOLD_AS[act.step]] += 1
        order = act.order
        if act.step == "blow":
            hour = datetime.fromisoformat(answer["blown_at"]).astimezone(BEIJING).hour
            case = self.cases[act.whistle] = Case(district, order["kind"], order["community"], hour)
            for each in act.calls:
                case.call(each)
                facts["called"] += 1
            case.lead = act.calls[0]
            facts["numbered"] += 1
            return
        case = self.cases[act.whistle]
        department = act.login.partition("-")[0] if "-" in act.login else COMMUNITY
        match act.step:
            case "report":
                case.reports += 1
            case "answer":
                case.done[department], case.outcomes[department] = True, order["outcomes"]
                case.stage = "answered" if all(case.done.values()) else case.stage
            case "send_back":
                case.returns += 1
            case "decide" if order["upheld"]:
                case.lead = order["instead"] if order["department"] == case.lead else case.lead
                case.call(order["instead"])
                del case.done[order["department"]]
                facts.update(("called", "called_off"))
            case "summon":
                case.lead = order["departments"][0]
                case.call(case.lead)
            case "confirm":
                case.confirmations += 1
                if order["solved"]:
                    case.stage = "confirmed"
                else:
                    case.again()
            case "rate":
                case.ratings += 1
                facts["scored"] += 1
            case "settle":
                case.stage = "settled"
            case "reopen":
                case.reopened += 1
                case.again()

    def written(self) -> dict:
        """Give the books as a document."""
        return {
            "whistles": {id: case.must_show() for id, case in self.cases.items()},
            "facts": {district: dict(sorted(counted.items())) for district, counted in sorted(self.facts.items())},
        }
