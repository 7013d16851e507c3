"""Recounts a day of the city over the API: walks every whistle of every district and holds it against the books.

It imports nothing of the platform's, so that it cannot repeat its mistakes. The books are the simulator's JSON
document: ``whistles`` says of each id what must be shown of it, ``facts`` how many of each kind must have been told.
Compared are each whistle, then the sums of each district and of each hour, what the figures service has counted, and
that the numbers in each street's register run on without a gap. It prints one JSON document and ends with 1 where a
sum differs.
"""

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

BEIJING = timezone(timedelta(hours=8))
# What is added up; the other fields are compared whistle by whistle only.
SUMMED = ("calls", "reports", "answers", "confirmations", "returns", "reopened", "ratings")
SUMMED += ("problems", "structures", "area")
FIGURES = ("blown", "reported", "settled")
MOST_SHOWN = 20


class Reader:
    """Somebody who only reads."""

    def __init__(self, url: str, login: str, password: str):
        self.url, self.token = url, ""
        self.order = {"login": login, "password": password}
        self.sign_in()

    def sign_in(self) -> None:
        self.token = ""
        self.token = self.ask("/v1/sessions", self.order)["token"]

    def ask(self, path: str, order: dict | None = None) -> dict:
        """Ask, and wait where one has to."""
        body = json.dumps(order).encode() if order is not None else None
        for _ in range(60):
            headers = {"Content-Type": "application/json"}
            headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
            try:
                with urllib.request.urlopen(
                    urllib.request.Request(self.url + path, body, headers), timeout=60
                ) as answer:
                    return json.loads(answer.read(), parse_float=Decimal)
            except urllib.error.HTTPError as error:
                if error.code == 401 and order is None:
                    self.sign_in()
                elif error.code in (429, 503):
                    time.sleep(float(error.headers.get("Retry-After") or 1))
                else:
                    raise SystemExit(f"{path}: {error.code} {error.read().decode()}") from None
        raise SystemExit(f"{path}: the platform does not answer")

    def pages(self, path: str):
        """Walk a list page by page."""
        after = ""
        while after is not None:
            page = self.ask(f"{path}{f'&after={urllib.request.quote(after)}' if after else ''}")
            yield from page["items"]
            after = page["next"]


def shown(whistle: dict, district: str) -> dict:
    """Give what the API shows of a whistle in the terms of the books."""
    active = [each for each in whistle["summonses"] if each["stage"] != "called_off"]
    made = [outcome for each in active if each["answer"] for outcome in each["answer"]["outcomes"]]
    built = [each for each in made if each["measure"] == "illegal_structure"]
    return {
        "district": district,
        "stage": whistle["stage"],
        "kind": whistle["kind"],
        "community": whistle["community"],
        "hour": datetime.fromisoformat(whistle["blown_at"]).astimezone(BEIJING).hour,
        "called": sorted(each["department"] for each in active),
        "lead": next((each["department"] for each in active if each["role"] == "lead"), None),
        "calls": len(whistle["summonses"]),
        "reports": len(whistle["reports"]),
        "answers": sum(each["answer"] is not None for each in active),
        "confirmations": len(whistle["confirmations"]),
        "returns": whistle["returns"],
        "reopened": whistle["reopened"],
        "ratings": sum(each["score"] is not None for each in active),
        "problems": sum(each["count"] for each in made if each["measure"] == "problem"),
        "structures": sum(each["count"] for each in built),
        "area": round(sum(Decimal(each["amount"] or 0) for each in built) * 100),
    }


def sums(whistles: dict[str, dict]) -> dict[str, dict]:
    """Add up by district: how many, in which stages, of which kinds, in which hours, and what was done."""
    found: dict[str, Counter] = defaultdict(Counter)
    for each in whistles.values():
        counted = found[each["district"]]
        counted["whistles"] += 1
        counted.update((f"stage {each['stage']}", f"kind {each['kind']}", f"hour {each['hour']:02}"))
        for name in SUMMED:
            counted[name] += each[name]
    return {district: dict(counted) for district, counted in found.items()}


def limits(whistle: dict) -> list[tuple[str, str, bool]]:
    """Give each limit of a whistle that was met or ran out: whose, which, and whether it was late."""
    found = [("", clock) for clock in whistle["clocks"]]
    found += [(each["department"], clock) for each in whistle["summonses"] for clock in each["clocks"]]
    return [
        (department, clock["clock"], clock["late"])
        for department, clock in found
        if clock["due"] is not None and (clock["met"] or clock["late"])
    ]


def gaps(numbers: dict[str, list[str]]) -> list[str]:
    """Name what is missing or twice in the registers: 展览路街道〔2026〕0001号 and on, street by street."""
    wrong = []
    for register, mine in numbers.items():
        last = sorted(int(number.rpartition("〕")[2].rstrip("号")) for number in mine)
        if last != list(range(1, len(mine) + 1)):
            wrong.append(f"{register}: {len(mine)} numbers up to {last[-1]}, not each once")
    return wrong


def differences(books: dict, found: dict[str, dict]) -> list[str]:
    """Name every whistle that is missing, strange, or shown otherwise than the books have it."""
    wanted, wrong = books["whistles"], []
    wrong += [f"{id}: in the books, not shown" for id in wanted.keys() - found.keys()]
    wrong += [f"{id}: shown, not in the books" for id in found.keys() - wanted.keys()]
    for id in wanted.keys() & found.keys():
        wrong += [
            f"{id}: {name} is {found[id][name]}, not {value}"
            for name, value in wanted[id].items()
            if found[id][name] != value
        ]
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--books", required=True, help="the simulator's books, a JSON file")
    parser.add_argument("--day", required=True, type=date.fromisoformat)
    parser.add_argument("--login", default="admin.{}", help="who reads a district: {} stands for its code")
    parser.add_argument("--password", default="huying-demo")
    said = parser.parse_args()
    began = time.monotonic()
    with open(said.books, encoding="utf-8") as file:
        books = json.load(file)
    found: dict[str, dict] = {}
    counted: dict[str, dict] = {}
    # By district, for streets of two districts may have one name.
    numbers: dict[str, list[str]] = defaultdict(list)
    kept: dict[str, Counter] = defaultdict(Counter)
    wrong: list[str] = []
    for district in sorted(books["facts"]):
        reader = Reader(said.url, said.login.format(district), said.password)
        for whistle in reader.pages("/v1/whistles?limit=50"):
            if whistle["id"] in found:
                wrong.append(f"{whistle['id']}: a page repeats what another page has")
            found[whistle["id"]] = shown(whistle, district)
            if whistle["number"]:
                numbers[f"{district} {whistle['number'].partition('〕')[0]}"].append(whistle["number"])
            else:
                wrong.append(f"{whistle['id']}: has no number")
            for department, clock, late in limits(whistle):
                kept[f"{district} {department} {clock}"]["late" if late else "kept"] += 1
        # What was clicked a little late may lie on the day after.
        span = f"since={said.day}&until={said.day + timedelta(days=1)}"
        counted[district] = Counter()
        for each in reader.ask(f"/v1/figures?{span}")["items"]:
            counted[district][each["fact"]] += each["count"]
        wrong += [
            f"{district}: figures have {counted[district][name]} {name}, not {books['facts'][district].get(name, 0)}"
            for name in FIGURES
            if counted[district][name] != books["facts"][district].get(name, 0)
        ]
    wrong += differences(books, found) + gaps(numbers)
    of_books, of_api = sums(books["whistles"]), sums(found)
    for district in sorted(of_books.keys() | of_api.keys()):
        mine, theirs = of_books.get(district, {}), of_api.get(district, {})
        wrong += [
            f"{district}: {name} {theirs.get(name, 0)}, not {mine.get(name, 0)}"
            for name in sorted(mine.keys() | theirs.keys())
            if mine.get(name, 0) != theirs.get(name, 0)
        ]
    verdict = {
        "whistles": len(found), "sums": of_api, "wanted": of_books, "figures": counted, "limits": kept,
        "registers": len(numbers), "differences": wrong[:MOST_SHOWN], "more": max(0, len(wrong) - MOST_SHOWN),
        "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip
    print(json.dumps(verdict, ensure_ascii=False, default=str))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
