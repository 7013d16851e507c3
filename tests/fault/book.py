"""A client with a book of its own: takes whistles from the call to the end, and writes down what it was promised.

It imports nothing of the platform. A line is on the disk before an order is asked and after it was answered with 201;
an order without an answer is asked again, word by word, until there is one.
"""

import argparse
import json
import os
import random
import signal
import sys
import threading
import time
import uuid
from collections import Counter

import requests

PASSWORD = "huying-demo"
# who blows and settles, who reports in, where, for which department: two districts, two of each
PEOPLE = [
    ("wmy", "xc-cg", "110102009041", "chengguan"),
    ("sjy", "sjs-cg", "110107001012", "chengguan"),
    ("zll", "xc-sc", "110102009041", "shichang"),
    ("bbs", "sjs-xf", "110107001012", "xiaofang"),
]
PLACES = {"110102009041": {"lon": 116.3441, "lat": 39.9312}, "110107001012": {"lon": 116.2297, "lat": 39.9052}}
AWAY = (502, 503, 504)  # said by the platform, or by a proxy before it: ask again
NO_ANSWER = 20  # seconds after which a request counts as hanging: far above every deadline of the platform


class Book:
    """The client's own record of what it asked and what it was promised, each line on the disk before it goes on."""

    def __init__(self, path: str):
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, **line) -> None:
        # One write to a file opened for appending is never torn by another thread's.
        os.write(self.file, (json.dumps(line, ensure_ascii=False) + "\n").encode())
        os.fsync(self.file)


class Tally:
    """What the clients saw, counted together, and how much is still to be done."""

    def __init__(self, writes: int, seconds: float):
        self.lock, self.left, self.until = threading.Lock(), writes, time.monotonic() + seconds
        self.enough = False
        self.seen, self.longest, self.longest_at = Counter(), 0.0, 0.0
        self.strange: list[str] = []

    def take(self) -> bool:
        """Take one write from what is to be done; says whether there was one."""
        with self.lock:
            self.left -= 1
            return self.left >= 0 and not self.enough and time.monotonic() < self.until

    def is_over(self) -> bool:
        return time.monotonic() > self.until

    def note(self, what: str, took: float) -> None:
        with self.lock:
            self.seen[what] += 1
            if took > self.longest:
                self.longest, self.longest_at = took, time.time()


class Client(threading.Thread):
    """One person at each end of a whistle, one order after the other."""

    def __init__(self, url: str, number: int, book: Book, tally: Tally, mark: str, pace: float, only: str):
        super().__init__(daemon=True)
        self.url, self.book, self.tally, self.mark, self.pace, self.only = url, book, tally, mark, pace, only
        self.blower, self.reporter, self.community, self.department = PEOPLE[number % len(PEOPLE)]
        self.choice, self.session, self.tokens = random.Random(number), requests.Session(), {}
        self.session.trust_env = False

    def run(self) -> None:
        while self.tally.take():
            self.whistle()

    def whistle(self) -> None:
        """Blow one whistle; of two one is come to and answered, of two of these one is looked at and settled."""
        id = str(uuid.uuid4())
        order = {
            "id": id, "kind": "综合执法", "category": "0101", "community": self.community,
            "departments": [self.department], "title": f"{self.mark} {id[:13]}", "text": f"第一行\n{id}",
            "place": PLACES[self.community],
        }  # fmt: skip
        done = self.ask(self.blower, "/v1/whistles", order, id)
        if not done or self.only == "blow" or self.choice.random() < 0.5 or not self.tally.take():
            return
        path = f"/v1/whistles/{id}"
        for login, noun, order in (
            (self.reporter, "reports", {}),
            (self.reporter, "answers", {"result": "solved", "text": f"已拆除 {id}"}),
            (self.blower, "confirmations", {"solved": True}),
            (self.blower, "settlements", {"note": f"已办结 {id}"}),
        ):
            if noun == "confirmations" and self.choice.random() < 0.5:
                return
            if noun != "reports" and not self.tally.take():
                return
            if not self.ask(login, f"{path}/{noun}", {"act": str(uuid.uuid4())} | order, id):
                return

    def ask(self, login: str, path: str, order: dict, id: str) -> bool:
        """Ask until the answer is 201; says whether it ever was."""
        self.book.write(id=id, path=path, order=order, login=login, status="asked", at=time.time())
        pause = 0.05
        while not self.tally.is_over():
            headers = self.signed(login)
            status, body = self.once(path, order, headers) if headers else (None, None)
            if status == 201:
                self.book.write(id=id, path=path, order=order, login=login, status=201, at=time.time(), answer=body)
                time.sleep(self.pace)
                return True
            if status == 401:
                self.tokens.pop(login, None)
            elif status not in (None, *AWAY):
                with self.tally.lock:
                    self.tally.strange.append(f"{path.rpartition('/')[2]}: {status} {json.dumps(body)[:300]}")
                return False
            time.sleep(pause * self.choice.uniform(0.5, 1))
            pause = min(pause * 2, 0.5)
        return False

    def once(self, path: str, order: dict, headers: dict) -> tuple[int | None, dict | None]:
        """Ask once; gives the status and the body, or nothing where no answer came."""
        began = time.monotonic()
        try:
            answer = self.session.post(self.url + path, json=order, headers=headers, timeout=NO_ANSWER)
            status, body = answer.status_code, answer.json()
        except (requests.RequestException, ValueError):
            # A killed process takes its connections with it, and an answer may break off in the middle.
            status, body = None, None
            self.session.close()
        self.tally.note(str(status or "no answer"), time.monotonic() - began)
        return status, body

    def signed(self, login: str) -> dict | None:
        """Give the headers of somebody who is signed in, or nothing where that is not possible just now."""
        if login not in self.tokens:
            status, body = self.once("/v1/sessions", {"login": login, "password": PASSWORD}, {})
            if status != 201:
                return None
            self.tally.seen["201"] -= 1  # not a write
            self.tokens[login] = {"Authorization": f"Bearer {body['token']}"}
        return self.tokens[login]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("book")
    parser.add_argument("--writes", type=int, default=200, help="201s to be had, at the most")
    parser.add_argument("--seconds", type=float, default=60, help="after so long it stops, whatever is left")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--pace", type=float, default=0.0, help="seconds that a client rests after each 201")
    parser.add_argument("--only", choices=["blow", ""], default="")
    said = parser.parse_args()
    book, tally = Book(said.book), Tally(said.writes, said.seconds)
    mark = f"book-{uuid.uuid4().hex[:12]}"
    book.write(status="opened", mark=mark, at=time.time())
    began = time.monotonic()

    def finish(*_) -> None:
        tally.enough = True

    # Told to stop, every client still has its last order answered.
    signal.signal(signal.SIGTERM, finish)
    clients = [Client(said.url, n, book, tally, mark, said.pace, said.only) for n in range(min(said.clients, 64))]
    for client in clients:
        client.start()
    while any(client.is_alive() for client in clients) and time.monotonic() < tally.until + 2 * NO_ANSWER:
        time.sleep(0.05)
    writes = tally.seen["201"]
    verdict = {
        "writes": writes, "retries": sum(tally.seen.values()) - writes, "seen": dict(tally.seen),
        "longest": round(tally.longest, 2), "longest_at": round(tally.longest_at, 2),
        "seconds": round(time.monotonic() - began, 1), "strange": tally.strange[:20],
        "unfinished": sum(client.is_alive() for client in clients),
    }  # fmt: skip
    book.write(status="closed", at=time.time())
    print(json.dumps(verdict, ensure_ascii=False))
    sys.exit(1 if tally.strange or verdict["unfinished"] else 0)


if __name__ == "__main__":
    main()
