"""Builders with every default: what a test does not name is plausible and its own."""

import time
import uuid
from collections.abc import Callable

import requests

WANMINGYUAN, SIJIYUAN = "110102009041", "110107001012"
PASSWORD = "huying-demo"
BY_ITSELF = ("numbered", "recurred")  # what a whistle is given and nobody does


def fresh() -> str:
    """Give an id that nobody else has."""
    return str(uuid.uuid4())


def a_blow(**changes) -> dict:
    """Give an order that blows a whistle in 万明园 and calls 城管."""
    return {
        "id": fresh(), "kind": "综合执法", "category": "0101", "community": WANMINGYUAN, "departments": ["chengguan"],
        "title": "六层阳台私搭乱建", "text": "阳台向外扩出一米多。", "place": {"lon": 116.3441, "lat": 39.9312},
        **changes,
    }  # fmt: skip


def a_fact(type: str, subject: str, n: int = 1, district: str = "110102", **data) -> dict:
    """Give a fact of the roster's as a service hears it."""
    return {"id": f"roster/{district}/{subject}/{n}", "type": type, "subject": subject, "district": district} | {
        "data": data
    }


class Client:
    """Somebody who asks over HTTP, signed in or not."""

    def __init__(self, url: str, login: str | None = None, password: str = PASSWORD):
        self.url, self.session = url, requests.Session()
        self.known_as = {"login": login, "password": password}
        if login:
            self.sign_in()

    def sign_in(self) -> None:
        """Begin a session, the first or another."""
        self.since = time.monotonic()
        answer = requests.post(f"{self.url}/v1/sessions", json=self.known_as, timeout=30)
        assert answer.status_code == 201, answer.text
        self.signed = answer.json()
        self.session.headers["Authorization"] = f"Bearer {self.signed['token']}"

    def staying(self) -> "Client":
        """Stay signed in for as long as a run takes: anew after ten minutes, for a token is good for fifteen."""

        def bear(request: requests.PreparedRequest) -> requests.PreparedRequest:
            mine = request.headers.get("Authorization") == self.session.headers["Authorization"]
            if mine and time.monotonic() - self.since > 600:
                self.sign_in()
                request.headers["Authorization"] = self.session.headers["Authorization"]
            return request

        self.session.auth = bear
        return self

    def get(self, path: str, **options) -> requests.Response:
        return self.session.get(self.url + path, timeout=30, **options)

    def post(self, path: str, order: dict | None = None, **options) -> requests.Response:
        return self.session.post(self.url + path, json=order, timeout=30, **options)

    def delete(self, path: str) -> requests.Response:
        return self.session.delete(self.url + path, timeout=30)

    def blow(self, **changes) -> dict:
        """Blow a whistle and give it; fails the test when that is refused."""
        answer = self.post("/v1/whistles", a_blow(**changes))
        assert answer.status_code == 201, answer.text
        return answer.json()

    def act(self, noun: str, id: str, order: dict, **options) -> requests.Response:
        """Do one act upon a whistle, under an id of its own unless the order names one."""
        return self.post(f"/v1/whistles/{id}/{noun}", {"act": fresh()} | order, **options)

    def report(self, id: str, **order) -> requests.Response:
        return self.act("reports", id, order)

    def feed_back(self, id: str, **order) -> requests.Response:
        return self.act("answers", id, {"result": "solved", "text": "已处置。"} | order)

    def confirm(self, id: str, **order) -> requests.Response:
        return self.act("confirmations", id, {"solved": True} | order)

    def settle(self, id: str, **order) -> requests.Response:
        return self.act("settlements", id, {"note": "已拆除。"} | order)

    def erase(self, id: str, **order) -> requests.Response:
        return self.act("erasures", id, {"reason": "requested"} | order)

    def steps(self, id: str) -> list[str]:
        """Give what people did to a whistle, by the names of the facts; not what it was given by itself."""
        steps = self.get(f"/v1/whistles/{id}/history").json()["steps"]
        return [step["fact"] for step in steps if step["fact"] not in BY_ITSELF]

    def at_rest(self, id: str) -> requests.Response:
        """Give a whistle when it has its number, so that nothing but an act moves it from now on."""
        return eventually(lambda: (seen := self.get(f"/v1/whistles/{id}")).json()["number"] and seen)


def solved(id: str, head: Client, *specialists: Client) -> None:
    """Have all who are called come and give their result, and the head see on the spot that it is solved."""
    acts = [act(id) for each in specialists for act in (each.report, each.feed_back)] + [head.confirm(id)]
    assert [each.status_code for each in acts] == [201] * len(acts), [each.text for each in acts]


def bearing(url: str, session: dict) -> Client:
    """Give somebody who carries the token of a session."""
    client = Client(url)
    client.signed = session
    client.session.headers["Authorization"] = f"Bearer {session['token']}"
    return client


def eventually(what: Callable[[], object], seconds: float = 10, every: float = 0.1):
    """Wait until something is so, and give it; fails with what it was last."""
    limit = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > limit:
            raise AssertionError(f"not within {seconds} s: {getattr(found, 'text', '') or repr(found)}")
        time.sleep(every)


class Mute:
    """A process that inserts each row by itself and tells nothing: with a database it notes each save as untold."""

    def __init__(self, database=None):
        from services.epochs import Epoch, Epochs

        self.epochs = Epochs(database) if database is not None else None
        self.alone = Epoch

    def insert(self, *steps) -> None:
        for collection, rows in steps:
            for row in rows:
                collection.insert_one(row)

    def begin(self, ledger):
        """Give each save an epoch of its own."""
        if self.epochs is None:
            epoch = self.alone()
            return epoch, epoch.begin()
        self.epochs.close(ledger)
        return self.epochs.begin(ledger)

    def tell(self, *saved) -> None:
        pass
