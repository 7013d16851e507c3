"""Recounts over the API what a client's book says it was promised: nothing lost, no twins, each fact in effect once.

It imports nothing of the platform; it prints its verdict in one line of JSON and exits with 1 on any difference.
``--only-catch-up`` only waits until what the book promised by now is in the figures, and says how long that took.
"""

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import requests

PASSWORD = "huying-demo"
READERS = {"110102": "xc-look", "110107": "sjs-admin"}
SHANGHAI = timezone(timedelta(hours=8))
COUNTED = ("blown", "reported", "settled")
VERBS = {"whistles": "blown", "reports": "reported", "answers": "fed_back"}
VERBS |= {"confirmations": "confirmed", "settlements": "settled"}


def day_of(moment: str) -> str:
    """Give the day of Asia/Shanghai on which a moment lies."""
    return datetime.fromisoformat(moment).astimezone(SHANGHAI).date().isoformat()


class Reader:
    """Somebody who may read one district."""

    def __init__(self, url: str, login: str):
        self.url, self.login, self.session = url, login, requests.Session()
        self.session.trust_env = False
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=8)
        self.session.mount("http://", adapter)
        self.sign_in()

    def sign_in(self) -> None:
        self.session.headers.pop("Authorization", None)
        order = {"login": self.login, "password": PASSWORD}
        answer = self.patiently(lambda: self.session.post(self.url + "/v1/sessions", json=order, timeout=20))
        self.session.headers["Authorization"] = f"Bearer {answer.json()['token']}"

    def get(self, path: str, **query) -> dict:
        asked = {name: value for name, value in query.items() if value is not None}
        return self.patiently(lambda: self.session.get(self.url + path, params=asked, timeout=20)).json()

    def patiently(self, ask) -> requests.Response:
        """Ask until there is an answer: a platform that has just come back may still say 503 for a moment."""
        for _ in range(60):
            try:
                answer = ask()
            except (requests.ConnectionError, requests.Timeout):
                time.sleep(0.25)
                continue
            if answer.status_code == 401 and "Authorization" in self.session.headers:
                self.sign_in()
            elif answer.status_code == 503:
                time.sleep(0.25)
            else:
                answer.raise_for_status()
                return answer
        raise TimeoutError("the platform does not come back")

    def pages(self, path: str, **query):
        """Give the items of all pages."""
        after = None
        while True:
            page = self.get(path, after=after, **query)
            yield from page["items"]
            after = page["next"]
            if not after:
                return


class Promised:
    """What the book says: of each whistle, what was asked and what was answered with 201."""

    def __init__(self, path: str):
        self.asked: dict[str, dict[str, dict]] = defaultdict(dict)
        self.kept: dict[str, dict[str, dict]] = defaultdict(dict)
        self.mark = ""
        self.last = 0.0
        # The last line of a book that is still being written may be half of one.
        for text in Path(path).read_text(encoding="utf-8").splitlines(keepends=True):
            line = json.loads(text) if text.endswith("\n") else {"status": "half"}
            if line["status"] == "opened":
                self.mark = line["mark"]
            if line["status"] not in ("asked", 201):
                continue
            fact = VERBS[line["path"].rpartition("/")[2]]
            (self.kept if line["status"] == 201 else self.asked)[line["id"]][fact] = line
            self.last = max(self.last, line["at"])

    def district(self, id: str) -> str:
        return self.asked[id]["blown"]["order"]["community"][:6]

    def facts(self) -> dict[tuple[str, str, str], set[str]]:
        """Give the facts that have to be in effect: ``{(district, day, fact): {subject}}``."""
        found = defaultdict(set)
        for id, lines in self.kept.items():
            for fact, line in lines.items():
                if fact not in COUNTED:
                    continue
                found[self.district(id), day_of(moment(fact, line)), fact].add(id)
        return found


def moment(fact: str, line: dict) -> str:
    """Find in an answer when this was done."""
    answer = line["answer"]
    if fact == "reported":
        return next(each["at"] for each in answer["reports"] if each["act"] == line["order"]["act"])
    return answer["blown_at" if fact == "blown" else "settled_at"]


def catch_up(readers: dict[str, Reader], promised: Promised, limit: float, since: float) -> float | None:
    """Wait until each promised fact is in the figures; gives the seconds since ``since``, or None if late."""
    missing = promised.facts()
    while True:
        for (district, day, fact), subjects in list(missing.items()):
            asked_at = time.time()
            subjects -= {
                row["subject"] for row in readers[district].pages("/v1/figures/heard", day=day, fact=fact, limit=10_000)
            }
            if not subjects:
                del missing[district, day, fact]
        if not missing:
            return round(max(0.0, asked_at - since), 2)
        if time.time() > since + limit:
            return None
        time.sleep(0.2)


def recount(readers: dict[str, Reader], promised: Promised) -> dict:
    """Compare the book with all that the API shows."""
    wrong: list[str] = []
    listed = {
        district: list(reader.pages("/v1/whistles", limit=200)) for district, reader in readers.items()
    }  # fmt: skip
    # An id is one whistle's within its district; another district may have chosen the same.
    times = Counter((district, whistle["id"]) for district, whistles in listed.items() for whistle in whistles)
    titles = Counter((whistle.get("words") or {}).get("title") for whistles in listed.values() for whistle in whistles)
    shown = {whistle["id"]: whistle for whistles in listed.values() for whistle in whistles}
    twins = [id for (_, id), count in times.items() if count > 1]
    twins += [title for title, count in titles.items() if count > 1 and title and title.startswith(promised.mark)]
    mine = {
        id
        for id, whistle in shown.items()
        if ((whistle.get("words") or {}).get("title") or "").startswith(promised.mark)
    }
    wrong += [f"{id} is there, and nobody asked for it" for id in mine - set(promised.asked)]
    lost = [
        f"{id} {fact}"
        for id, lines in promised.kept.items()
        for fact, line in lines.items()
        if not is_there(shown.get(id), fact, line)
    ]

    def history(id: str) -> tuple[str, dict]:
        return id, readers[shown[id]["community"][:6]].get(f"/v1/whistles/{id}/history")

    told: dict[str, tuple[str, str, str]] = {}  # the fact's id on the bus: (hash, district and day, fact)
    hashes = Counter()
    with ThreadPoolExecutor(6) as pool:
        for id, trace in pool.map(history, sorted((set(promised.kept) | mine) & set(shown))):
            if not trace["whole"] or [step["n"] for step in trace["steps"]] != list(range(1, trace["version"] + 1)):
                wrong.append(f"{id}: its history is not whole: {trace['broken']}")
            hashes.update(step["hash"] for step in trace["steps"])
            counts = Counter(step["fact"] for step in trace["steps"])
            for fact in (*VERBS.values(), "called"):
                verb = "blown" if fact == "called" else fact
                least, most = verb in promised.kept[id], verb in promised.asked[id]
                if counts[fact] > most:
                    twins.append(f"{id}: {counts[fact]} × {fact} in its history")
                if counts[fact] < least:
                    lost.append(f"{id}: {fact} is not in its history")
            for step in trace["steps"]:
                if step["fact"] in COUNTED:
                    district = shown[id]["community"][:6]
                    told[f"whistle/{district}/{id}/{step['n']}"] = (
                        step["hash"],
                        (district, day_of(step["at"])),
                        step["fact"],
                    )
                asked = promised.asked[id].get(step["fact"])
                if asked and step["fact"] != "blown" and step["data"]["act"] != asked["order"]["act"]:
                    wrong.append(f"{id}: {step['fact']} by another act than was asked")
    wrong += [f"a hash stands in two histories: {hash}" for hash, count in hashes.items() if count > 1]
    wrong += heard_once(readers, promised, told)
    return {
        "whistles": len(promised.kept), "writes": sum(len(lines) for lines in promised.kept.values()),
        "facts": len(told), "lost": len(lost), "twins": len(twins), "wrong": len(wrong),
        "differences": (lost + twins + wrong)[:10],
    }  # fmt: skip


def is_there(whistle: dict | None, fact: str, line: dict) -> bool:
    """Say whether what was promised is shown."""
    if whistle is None:
        return False
    order = line["order"]
    if fact == "reported":
        return order["act"] in [each["act"] for each in whistle["reports"]]
    if fact == "fed_back":
        return order["text"] in [(each["answer"] or {}).get("words", {}).get("text") for each in whistle["summonses"]]
    if fact == "confirmed":
        return order["act"] in [each["act"] for each in whistle["confirmations"] if each["solved"]]
    if fact == "settled":
        return whistle["stage"] == "settled" and whistle["settlement"]["note"] == order["note"]
    told = {name: order[name] for name in ("kind", "category", "community", "place")}
    words = whistle["words"] or {}
    return (
        told == {name: whistle[name] for name in told}
        and whistle["called"] == order["departments"]
        and (words.get("title"), words.get("text")) == (order["title"], order["text"])
    )


def heard_once(readers: dict[str, Reader], promised: Promised, told: dict[str, tuple]) -> list[str]:
    """Compare the rows behind the figures with the histories, and the figures with their rows."""
    wrong, rows = [], Counter()
    days = sorted({place for _, place, _ in told.values()})
    for district, day in days:
        sums = {
            row["fact"]: row["count"] for row in readers[district].get("/v1/figures", since=day, until=day)["items"]
        }
        for fact in COUNTED:
            found = list(readers[district].pages("/v1/figures/heard", day=day, fact=fact, limit=10_000))
            if sums.get(fact, 0) != len(found):
                wrong.append(
                    f"{district} {day}: the figure says {sums.get(fact, 0)} {fact}, {len(found)} rows are behind it"
                )
            for row in found:
                rows[row["id"]] += 1
                if row["id"] in told and told[row["id"]] != (row["hash"], (district, day), fact):
                    wrong.append(f"{row['id']}: not what its history says: {row}")
                if row["subject"] in promised.asked and row["id"] not in told:
                    wrong.append(f"{row['id']}: in the figures, not in its history")
    wrong += [f"{id}: {count} times in the figures" for id, count in rows.items() if count > 1]
    wrong += [f"{id}: not in the figures" for id in told if not rows[id]]
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("book")
    parser.add_argument("--since", type=float, default=0.0, help="catching up is measured from this moment (epoch)")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds within which figures have to catch up")
    parser.add_argument("--only-catch-up", action="store_true")
    said = parser.parse_args()
    began, promised = time.time(), Promised(said.book)
    readers = {district: Reader(said.url, login) for district, login in READERS.items()}
    since = said.since or promised.last
    seconds = catch_up(readers, promised, said.limit + max(0.0, began - since), since)
    verdict = {"caught_up": seconds}
    if not said.only_catch_up:
        verdict |= recount(readers, promised) | {"seconds": round(time.time() - began, 1)}
    print(json.dumps(verdict, ensure_ascii=False))
    sys.exit(0 if seconds is not None and not verdict.get("differences") else 1)


if __name__ == "__main__":
    main()
