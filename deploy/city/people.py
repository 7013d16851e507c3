"""Opens the city over the API: districts, who lives and works in their streets, who answers there, who is on leave."""

import csv
import io
import itertools
import random
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from deploy.city.day import Day, Station
from deploy.playing import Play
from deploy.seed import PASSWORD, ROSTER, SINCE
from deploy.year import GIVEN, SURNAMES
from shared.contracts.rows import person_of

AT_ONCE = 8
PATIENCE = 120  # seconds until what was told has come to whoever rests on it
CATALOGUE = ("category", "unit", "lead", "assists", "community_first", "never_community")


def admin(district: str) -> str:
    return f"admin.{district}"


def name_of(login: str) -> str:
    """Give somebody an invented name, the same each time."""
    chance = random.Random(login)
    return chance.choice(SURNAMES) + "".join(chance.sample(GIVEN, 2))


class Opening:
    """Opens what a day needs, district by district; each order has an id of its own, so it may be sent again."""

    def __init__(self, on: Play, day: Day, say: Callable[[str, str], None]):
        self.on, self.day, self.say = on, day, say

    def id(self, *words: object) -> str:
        return self.day.id("opening", *words)

    def everything(self) -> dict:
        """Open the city; gives what was opened, for the report."""
        began = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as self.pool:
            for district in self.day.districts:
                self.on.who("operator").ask("POST", "/v1/districts", {"code": district})
            self.each(
                self.admit, ((admin(each), "district", each, "", each, "operator") for each in self.day.districts)
            )
            self.each(self.set_departments, ((each,) for each in self.day.districts))
            self.say("区 / districts", str(len(self.day.districts)))
            people = list(self.people())
            self.each(self.admit, people)
            self.say("人 / people", str(len(people)))
            self.each(self.equip, ((each,) for each in self.day.districts))
            seats = sum(self.pool.map(self.seat, self.day.districts))
            self.say("岗位 / seats", str(seats))
            self.each(self.leave, ((*pair,) for pair in sorted(self.day.away)))
            self.say("请假 / on leave", str(len(self.day.away)))
        streets = len(self.day.stations)
        count = {role: sum(each[1] == role for each in people) for role in ("resident", "secretary", "street")}
        count |= {role: sum(each[1] == role for each in people) for role in ("specialist", "lead")}
        return {
            "districts": len(self.day.districts), "streets": streets, "people": len(people) + len(self.day.districts),
            "seats": seats, "away": len(self.day.away), "roles": count, "seconds": time.monotonic() - began,
        }  # fmt: skip

    def each(self, act: Callable, orders: Iterable[tuple]) -> None:
        list(self.pool.map(lambda order: act(*order), orders))

    def people(self) -> Iterable[tuple]:
        """Give who lives and works here: for each street three, for each department of a district three."""
        for station in self.day.stations:
            for role, unit in (
                ("resident", station.community),
                ("secretary", station.community),
                ("street", station.street),
            ):
                yield station.login(role), role, unit, "", station.district, admin(station.district)
        for district in self.day.districts:
            for department in self.day.departments:
                for login in self.day.specialists(district, department):
                    yield login, "specialist", district, department, district, admin(district)
                yield self.day.lead(district, department), "lead", district, department, district, admin(district)

    def admit(self, login: str, role: str, unit: str, department: str, district: str, by: str) -> None:
        # A department that was set a moment ago may be on its way still.
        order = {
            "id": person_of(district, login), "district": district, "login": login, "name": name_of(login),
            "roles": [role], "unit": unit, "department": department, "password": PASSWORD,
        }  # fmt: skip
        self.on.who(by).ask("POST", "/v1/people", order, soon=True)

    def equip(self, district: str) -> None:
        """Set a district's categories, its settings and its catalogue."""
        who = self.on.who(admin(district))
        for each in ROSTER["categories"]:
            who.ask("POST", "/v1/categories", each | {"change": self.id(district, "category", each["code"])})
        settings = {"departments": self.day.departments, "must_have": ROSTER["must_have"], "resident_whistle": True}
        order = {"settings": settings, "change": self.id(district, "settings")}
        who.ask("POST", "/v1/districts/current/settings", order, soon=True)
        words = {True: "是", False: "否"}
        rows = [
            [each["category"], district, each["lead"], "、".join(each["assists"]),
             words[each["community_first"]], words[each["never_community"]]]
            for each in ROSTER["rules"]
        ]  # fmt: skip
        self.bring_in(district, "rules", CATALOGUE, rows)

    def set_departments(self, district: str) -> None:
        for each in ROSTER["departments"]:
            order = each | {"change": self.id(district, "department", each["code"])}
            self.on.who(admin(district)).ask("POST", "/v1/departments", order)

    def seat(self, district: str) -> int:
        """Fill the seats of a district's stations: a head, and whom every community must have; gives how many."""
        rows = [row for each in self.day.stations if each.district == district for row in self.seats_of(each)]
        return self.bring_in(district, "seats", ("post", "unit", "login", "since"), rows)

    def seats_of(self, station: Station) -> Iterable[tuple[str, ...]]:
        yield "站长", station.community, station.login("secretary"), SINCE
        for department in ROSTER["must_have"]:
            yield department, station.community, self.day.specialists(station.district, department)[0], SINCE

    def leave(self, district: str, department: str) -> None:
        """A department's lead enters that the first specialist is away on this day, and who stands in."""
        away, other = (person_of(district, each) for each in self.day.specialists(district, department))
        order = {"absence": self.id(district, department, "leave"), "substitute": other}
        order |= dict.fromkeys(("since", "until"), str(self.day.date))
        self.on.who(self.day.lead(district, department)).ask("POST", f"/v1/holders/{away}/leaves", order, soon=True)

    def bring_in(self, district: str, kind: str, columns: Iterable[str], rows: list) -> int:
        """Bring a table in over the API; gives how many rows. What it rests on may be on its way still."""
        text = io.StringIO()
        csv.writer(text).writerows([columns, *rows])
        who, limit = self.on.who(admin(district)), time.monotonic() + PATIENCE
        for n in itertools.count():
            # A table that was refused stays refused under its id.
            id = self.id(district, kind, n)
            table = who.ask("POST", f"/v1/tables/{kind}?id={id}", text.getvalue().encode())
            if table["state"] != "refused":
                break
            if time.monotonic() > limit:
                raise SystemExit(f"{district} {kind}: {table['errors'][:3]}")
            time.sleep(1)
        table = who.ask("POST", f"/v1/tables/{kind}/{id}/runs")
        while table["state"] == "running":
            time.sleep(0.3)
            table = who.ask("GET", f"/v1/tables/{kind}/{id}")
        if table["state"] != "done":
            raise SystemExit(f"{district} {kind}: {table['state']} {table['errors'][:3]}")
        return len(rows)
