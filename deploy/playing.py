"""What demo, story and year are played with: people who ask over HTTP, the platform's clock, a trace to print."""

import io
import os
import threading
import time
import uuid
from datetime import datetime, timedelta
from unicodedata import east_asian_width

import requests
from PIL import Image, ImageDraw

from deploy.seed import PASSWORD, PEOPLE, person_id
from shared.contracts import whistle
from shared.contracts.settings import CITY
from shared.rules.days import BEIJING, iso

PATIENCE = 120  # real seconds for which what is refused for a passing reason is asked for again
PASSING = (429, 502, 503, 504)
SOON = (404, 409, 422)  # how a service refuses what rests on a fact that it has not heard yet
ROLES = {
    "resident": "居民", "steward": "楼长", "worker": "社区工作者", "secretary": "书记", "specialist": "专员",
    "lead": "负责人", "street": "街道", "district": "区级", "operator": "运维",
}  # fmt: skip
CLOCKS = {
    "sign": "签收", "contact": "联系", "report": "报到", "resolve": "办结", "feed_back": "反馈", "confirm": "确认",
    "review": "复核",
}  # fmt: skip
DONE = {"solved": "已解决", "partly": "部分解决", "unsolved": "未解决"}
STEPS = {fact.name: fact.doc.partition(" / ")[0] for fact in whistle.CONTRACT.facts}
MEASURES = {each["measure"]: each["name"] for each in CITY["outcomes"]}
OPEN = threading.local()


def fresh() -> str:
    return str(uuid.uuid4())


def moment(text: str) -> datetime:
    """Read a moment as the API writes it."""
    return datetime.fromisoformat(text)


def told(at: str | datetime, form: str = "%m-%d %H:%M") -> str:
    """Write a moment as people in Beijing read it."""
    return (moment(at) if isinstance(at, str) else at).astimezone(BEIJING).strftime(form)


class Refused(SystemExit):
    """What was refused, in the words of the refusal; it ends the play."""

    def __init__(self, status: int, asked: str, problem: dict):
        self.status = status
        super().__init__(
            f"{asked}: {status} {problem.get('title')}: {problem.get('detail')} {problem.get('fields') or ''}"
        )


class Person:
    """Somebody signed in, asking over HTTP from any thread; signs in anew when the session ends."""

    def __init__(self, url: str, login: str):
        self.url, self.login, self.token, self.alone = url, login, "", threading.Lock()

    def sign_in(self, stale: str) -> None:
        """Get a token instead of a stale one, once for all threads: tries of one login at once count as guesses."""
        with self.alone:
            if self.token == stale:
                order = {"login": self.login, "password": PASSWORD}
                self.token = self.ask("POST", "/v1/sessions", order, bare=True)["token"]

    def ask(
        self, method: str, path: str, order: dict | bytes | None = None, soon: bool = False, bare: bool = False
    ) -> dict:
        """Ask and give the answer. Asked again, for an order finds what it did, where the reason is passing.

        ``soon``: what it rests on may still be on its way from another service. ``bare``: without signing in first.
        """
        limit = time.monotonic() + PATIENCE
        while True:
            token = self.token
            if not token and not bare:
                self.sign_in("")
                continue
            answer = self.once(method, path, order, "" if bare else token)
            if answer is not None and answer.status_code < 400:
                return answer.json() if answer.content else {}
            status = 503 if answer is None else answer.status_code
            if status == 401 and not bare and time.monotonic() < limit:
                self.sign_in(token)
            elif time.monotonic() > limit or not (status in PASSING or (soon and status in SOON)):
                raise Refused(status, f"{self.login} {method} {path}", self.problem(answer))
            else:
                time.sleep(float(answer.headers.get("Retry-After", 0.2)) if answer is not None else 0.5)

    def once(self, method: str, path: str, order: dict | bytes | None, token: str) -> requests.Response | None:
        """Ask once; None where nobody answered."""
        if not hasattr(OPEN, "session"):
            OPEN.session = requests.Session()
        body = {"data": order} if isinstance(order, bytes) else {"json": order}
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            return OPEN.session.request(method, self.url + path, headers=headers, timeout=15, **body)
        except requests.RequestException:
            return None

    @staticmethod
    def problem(answer: requests.Response | None) -> dict:
        try:
            return answer.json() if answer is not None else {"title": "没有回答 / no answer"}
        except ValueError:
            return {"title": answer.reason}


class Play:
    """One platform, whoever is signed in to it, and what was played so far."""

    def __init__(self, url: str | None = None):
        self.url = url or os.environ.get("HUYING_URL") or f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
        self.signed: dict[str, Person] = {}
        self.names = {person_id(each["login"]): self.titled(each) for each in PEOPLE}
        self.departments = {"community": "社区"}
        self.clock: tuple[datetime, float, float] | None = None

    @staticmethod
    def titled(person: dict) -> str:
        return f"{person['name']}({ROLES[person['roles'][0]]})" if person["roles"][0] in ROLES else person["name"]

    def who(self, login: str) -> Person:
        return self.signed.setdefault(login, Person(self.url, login))

    def named(self, login: str) -> str:
        return self.names.get(person_id(login), login)

    def learn_departments(self, login: str) -> None:
        """Learn what the departments of somebody's district are called."""
        self.departments |= {
            each["code"]: each["name"] for each in self.who(login).ask("GET", "/v1/departments")["items"]
        }

    # -- the platform's clock -------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return self.read(self.who("operator").ask("GET", "/v1/clock"))

    def read(self, said: dict) -> datetime:
        """Keep what the clock said, and when: nobody else moves it while a play is on."""
        self.clock = moment(said["now"]), said["speed"], time.monotonic()
        return self.clock[0]

    def go(self, to: datetime) -> None:
        """Move the platform's clock on to a moment; where that has passed, it stays."""
        if not self.clock:
            self.now()
        said, speed, since = self.clock
        forward = (to - said).total_seconds() - (time.monotonic() - since) * speed
        if forward > 0:
            self.read(self.who("operator").ask("POST", "/v1/clock", {"forward": forward}))

    # -- acts -----------------------------------------------------------------------------------------------------

    def blow(self, login: str, **order) -> dict:
        """Blow a whistle, and say so."""
        blown = self.who(login).ask("POST", "/v1/whistles", {"id": fresh(), **order})
        called = "、".join(self.departments.get(each, each) for each in blown["called"])
        self.say(login, "吹哨", f"{order['title']} → {called}")
        return blown

    def act(self, login: str, noun: str, on: dict, what: str, said: str = "", soon: bool = False, **order) -> dict:
        """Do one act upon a whistle, and say so; gives what the platform answered."""
        done = self.who(login).ask("POST", f"/v1/whistles/{on['id']}/{noun}", {"act": fresh(), **order}, soon)
        self.say(login, what, said or order.get("note") or order.get("text") or order.get("minutes") or "")
        return done

    def say(self, login: str, what: str, said: str) -> None:
        print(f"  {told(self.now())}  {wide(self.named(login), 16)}{wide(what, 6)}{said}".rstrip(), flush=True)

    def photo(self, login: str, shows: tuple[int, int, int]) -> str:
        """Take a photo, a plain picture that nobody else has, and give its digest."""
        picture = Image.new("RGB", (640, 480), shows)
        ImageDraw.Draw(picture).text((20, 20), fresh(), fill=(255, 255, 255))
        bytes_of = io.BytesIO()
        picture.save(bytes_of, "JPEG")
        return self.who(login).ask("POST", "/v1/photos", bytes_of.getvalue())["digest"]

    # -- the trace ------------------------------------------------------------------------------------------------

    def trace(self, login: str, on: dict) -> bool:
        """Print a whistle's history, what its clocks say and its proof; gives whether the proof holds."""
        reader = self.who(login)
        now = reader.ask("GET", f"/v1/whistles/{on['id']}")
        history = reader.ask("GET", f"/v1/whistles/{on['id']}/history")
        print(f"\n  留痕 / trace  {now['number'] or ''}  {now['words'].get('title', '')}")
        for step in history["steps"]:
            who, what = self.names.get(step["actor"], "平台"), STEPS[step["fact"]]
            line = f"{step['n']:>4}  {told(step['at'])}  {wide(who, 16)}{wide(what, 12)}"
            print(f"{line}{self.detail(step['data'])}  #{step['hash'][:8]}")
        for each in now["summonses"]:
            print(f"      时限 / limits  {self.of(each['department'])}: {limits(each['clocks'])}")
        if now["clocks"]:
            print(f"      时限 / limits  全件: {limits(now['clocks'])}")
        proof = "历史已核验,环环相扣 / history verified" if history["whole"] else f"断裂 / broken: {history['broken']}"
        print(f"      {proof}")
        return history["whole"]

    def of(self, department: str | None) -> str:
        return self.departments.get(department, department or "")

    def detail(self, data: dict) -> str:
        """Say in a few words what a step did."""
        parts = [self.of(data.get("department"))]
        if data.get("called"):
            parts.append("、".join(self.of(each) for each in data["called"]))
        if data.get("seat"):
            stands_in = f"(代 {self.names.get(data['instead_of'], '')})" if data.get("instead_of") else ""
            parts.append(f"→ {self.names.get(data['person'], '无人')}{stands_in}")
        if data.get("distance") is not None:
            parts.append(f"距现场 {data['distance']} 米{',过远' if data.get('far') else ''}")
        if data.get("result"):
            parts.append(DONE[data["result"]])
        parts += [made(each) for each in data.get("outcomes") or ()]
        if data.get("clock"):
            parts.append(f"{CLOCKS[data['clock']]}时限 {told(data['due'])}")
        if data.get("score") is not None:
            parts.append(f"{data['score']} 分")
        if data.get("proposes"):
            parts.append(f"建议 {self.of(data['proposes'])}")
        if "upheld" in data:
            parts.append("同意" if data["upheld"] else "不同意")
        if data.get("meeting"):
            parts.append("须会商")
        if data.get("lead"):
            parts.append(f"{self.of(data['lead'])}主办")
        return " ".join(part for part in parts if part)


def made(outcome: dict) -> str:
    """Write an outcome: 拆除违法建设 1(12.5 m²)."""
    amount = f"({outcome['amount']:g} {outcome['unit']})" if outcome.get("amount") is not None else ""
    return f"{MEASURES.get(outcome['measure'], outcome['measure'])} {outcome['count']}{amount}"


def limits(clocks: list[dict]) -> str:
    """Write limits as kept, late or running: 签收 ✓ 09:12 ≤ 10:00."""
    found = []
    for each in clocks:
        if each["due"] is None:
            found.append(f"{CLOCKS[each['clock']]} 未知({each['unknown']} 年放假安排)")
        elif each["met"] is None:
            found.append(f"{CLOCKS[each['clock']]} … {told(each['due'])}")
        else:
            sign = "✗" if each["late"] else "✓"
            found.append(f"{CLOCKS[each['clock']]} {sign} {told(each['met'])} / {told(each['due'])}")
    return ";".join(found)


def wide(text: str, columns: int) -> str:
    """Fill a text up to so many columns of a terminal, where a Chinese letter takes two."""
    return text + " " * (columns - sum(1 + (east_asian_width(letter) in "WF") for letter in text))


def off(place: dict, metres: float) -> dict:
    """Give a point so many metres to the north of a place, as somebody's phone would say."""
    return {"lon": place["lon"], "lat": round(place["lat"] + metres / 111_195, 6)}


def later(since: datetime, **span: float) -> str:
    """Give a moment later than another as an order carries it."""
    return iso(since + timedelta(**span))
