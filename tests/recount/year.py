"""Recounts a pilot year over the API: walks every whistle, page by page, and holds the sums against what is expected.

It imports nothing of the platform's, so that it cannot repeat its mistakes. What is counted:

``stations``    communities in which a whistle was blown
``whistles``    whistles that called at least one department
``reports``     report-ins of departments' people
``problems``    problems solved, as departments' results have them (measure ``problem``)
``structures``  illegal structures removed, and ``area`` in square metres (measure ``illegal_structure``)
``home``        whistles that the community solved by itself; ``home_days``: from the first blown to the last settled
``open``        whistles that are not settled
"""

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from decimal import Decimal

BEIJING = timezone(timedelta(hours=8))
SUMS = ("stations", "whistles", "reports", "problems", "structures", "area", "home", "open")


class Reader:
    """Somebody who only reads."""

    def __init__(self, url: str, login: str, password: str):
        self.url, self.token = url, ""
        self.token = self.ask("/v1/sessions", {"login": login, "password": password})["token"]

    def ask(self, path: str, order: dict | None = None) -> dict:
        """Ask, and wait where one has to."""
        body = json.dumps(order).encode() if order is not None else None
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {self.token}"} if self.token else {}
        )
        for _ in range(60):
            try:
                with urllib.request.urlopen(
                    urllib.request.Request(self.url + path, body, headers), timeout=30
                ) as answer:
                    return json.loads(answer.read(), parse_float=Decimal)
            except urllib.error.HTTPError as error:
                if error.code not in (429, 503):
                    raise SystemExit(f"{path}: {error.code} {error.read().decode()}") from None
                time.sleep(float(error.headers.get("Retry-After") or 1))
        raise SystemExit(f"{path}: the platform does not answer")

    def pages(self, path: str):
        """Walk a list page by page."""
        after = ""
        while after is not None:
            page = self.ask(f"{path}{f'&after={urllib.request.quote(after)}' if after else ''}")
            yield from page["items"]
            after = page["next"]

    def whistles(self, street: str):
        """Walk every whistle of every community of a street, newest first."""
        for unit in self.pages(f"/v1/units?under={street[:9]}000&level=community&limit=100"):
            yield from self.pages(f"/v1/whistles?community={unit['code']}&limit=50")


def made(whistle: dict, measure: str, home: bool = False) -> list[dict]:
    """Give the outcomes in one measure of those who were called and not called off."""
    return [
        outcome
        for each in whistle["summonses"]
        if each["answer"] and each["stage"] != "called_off" and (each["department"] == "community") == home
        for outcome in each["answer"]["outcomes"]
        if outcome["measure"] == measure
    ]


def recount(whistles: list[dict]) -> dict:
    """Count the year, and beside it how its limits were kept."""
    found = dict.fromkeys(SUMS, 0) | {"area": Decimal(0)}
    kept, late, unknown, kinds = 0, 0, 0, {}
    home: list[dict] = []
    for each in whistles:
        kinds[each["kind"]] = kinds.get(each["kind"], 0) + 1
        found["open"] += each["stage"] != "settled"
        clocks = [*each["clocks"], *(clock for summons in each["summonses"] for clock in summons["clocks"])]
        late += sum(clock["late"] for clock in clocks)
        unknown += sum(clock["due"] is None for clock in clocks)
        kept += sum(clock["due"] is not None and not clock["late"] for clock in clocks)
        if all(summons["department"] == "community" for summons in each["summonses"]):
            if each["stage"] == "settled" and each["result"] == "solved" and made(each, "problem", home=True):
                home.append(each)
            continue
        found["whistles"] += 1
        found["reports"] += sum(report["department"] != "community" for report in each["reports"])
        found["problems"] += sum(outcome["count"] for outcome in made(each, "problem"))
        for outcome in made(each, "illegal_structure"):
            found["structures"] += outcome["count"]
            found["area"] += Decimal(outcome["amount"] or 0)
    found["stations"] = len({each["community"] for each in whistles})
    found["home"] = len(home)
    first = min((each["blown_at"] for each in home), default=None)
    last = max((each["settled_at"] for each in home), default=None)
    days = (datetime.fromisoformat(last) - datetime.fromisoformat(first)).days + 1 if home else 0
    return found | {"home_days": days, "kept": kept, "late": late, "unknown": unknown, "kinds": kinds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--login", default="zll")
    parser.add_argument("--password", default="huying-demo")
    parser.add_argument("--street", required=True, help="its code, as 110102009")
    parser.add_argument("--since", required=True, help="first day, as 2026-11-26")
    parser.add_argument("--until", required=True, help="last day")
    parser.add_argument("--home-days", type=int, default=92, help="the most days for what was solved at home")
    for name in SUMS:
        parser.add_argument(f"--{name}", type=Decimal, help="what it should be")
    said = parser.parse_args()

    def is_of_the_year(whistle: dict) -> bool:
        day = str(datetime.fromisoformat(whistle["blown_at"]).astimezone(BEIJING).date())
        return said.since <= day <= said.until

    began = time.monotonic()
    whole = list(Reader(said.url, said.login, said.password).whistles(said.street))
    if len({each["id"] for each in whole}) != len(whole):
        raise SystemExit("a page repeats what another page has")
    found = recount([each for each in whole if is_of_the_year(each)])
    wanted = {name: getattr(said, name) for name in SUMS if getattr(said, name) is not None}
    wrong = {name: f"{found[name]}, not {value}" for name, value in wanted.items() if found[name] != value}
    if found["home_days"] > said.home_days:
        wrong["home_days"] = f"{found['home_days']}, not within {said.home_days}"
    verdict = found | {"differences": wrong, "seconds": round(time.monotonic() - began, 1)}
    print(json.dumps(verdict, ensure_ascii=False, default=str))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
