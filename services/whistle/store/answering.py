"""The whistle service's own view of the tree, the catalogue, the seats and who is away; built of the roster's facts.

Facts may come late, twice and in another order: a row keeps the newest of what replaces (by the version in the fact's
id), and every step of what adds up, under its number. So the same facts fold to the same rows, however they come.
"""

import time
from collections.abc import Iterable
from datetime import date, datetime

from pymongo.errors import BulkWriteError, DuplicateKeyError

from services.ledger import Store
from services.whistle.domain import answering as domain
from shared.contracts import events
from shared.rules.codes import district_of
from shared.rules.days import day_of

FRESH = 2.0
MOST = 20_000  # rows that a process remembers at once; then it begins anew
REMEMBERED: dict[tuple, tuple[float, dict]] = {}
SHIPS = 0  # the version of a unit as it ships; what was only mentioned by another unit's fact lies below
MENTIONED = -1
NO_RULE = {"lead": "", "assists": [], "community_first": False, "never_community": False}


def version_of(fact: dict) -> int:
    return int(fact["id"].rpartition("/")[2])


class Answering(Store):
    """Who answers for what: a view, which can be built anew from facts."""

    # -- fold -----------------------------------------------------------------------------------------------------

    def keep(self, collection: str, key: str, version: int, row: dict) -> None:
        """Keep a row, unless what we have is as new."""
        fresh = {**row, "version": version}
        try:
            self.rows(collection).insert_one({"_id": key, **fresh})
        except DuplicateKeyError:
            self.rows(collection).update_one({"_id": key, "version": {"$lt": version}}, {"$set": fresh})

    def add(self, collection: str, key: str, **said) -> None:
        """Add to a row what is said once and for all, whatever the row is or becomes; ``a__b`` lies in a, under b."""
        fresh = {name.replace("__", "."): value for name, value in said.items()}
        row: dict = {"_id": key, "version": MENTIONED}
        for name, value in said.items():
            outer, _, inner = name.partition("__")
            row[outer] = row.get(outer, {}) | {inner: value} if inner else value
        try:
            self.rows(collection).insert_one(row)
        except DuplicateKeyError:
            self.rows(collection).update_one({"_id": key}, {"$set": fresh})

    def opened(self, fact: dict) -> None:
        """Copy the tree as it ships; where an older fact names communities only, their codes name what is above."""
        told = {each["code"]: each for each in fact["data"].get("units", ())}
        communities = {code: {"level": "community"} for code in fact["data"]["communities"] if code not in told}
        units = {domain.plain(code): unit_row(each) for code, each in (communities | told).items()}
        streets = {code: {"level": "street"} for code in map(domain.above, communities) if code not in units}
        units |= streets
        try:
            self.rows("units_heard").insert_many(
                [{"_id": code, "version": SHIPS, **row} for code, row in units.items()]
            )
        except BulkWriteError as error:
            if any(each["code"] != 11000 for each in error.details["writeErrors"]):
                raise
            # These are known: from this fact when it came before, or as somebody's mention that came first.
            codes = list(units)
            for known in (codes[each["index"]] for each in error.details["writeErrors"]):
                self.keep("units_heard", known, SHIPS, units[known])

    def unit_is(self, fact: dict) -> None:
        """Copy a unit as it is from now on; one that ends in another hangs on it."""
        unit = fact["data"]["unit"]
        self.keep("units_heard", domain.plain(unit["code"]), version_of(fact), unit_row(unit))
        if unit.get("into"):
            self.add("units_heard", unit["into"], **{f"absorbed__{unit['code']}": True})

    def units_merged(self, fact: dict) -> None:
        """Hang communities on the one that they became part of."""
        data = fact["data"]
        for code in set(data["communities"]) - {data["into"]}:
            self.add("units_heard", code, merged={"into": data["into"], "since": data["since"]})
            self.add("units_heard", data["into"], **{f"absorbed__{code}": True})
        if fact["subject"] == data["unit"]["code"]:
            self.unit_is(fact)

    def unit_split(self, fact: dict) -> None:
        """Know the new community, and hang on it the places that went along."""
        data, old = fact["data"], fact["subject"]
        self.keep("units_heard", data["new"], SHIPS, unit_row({"name": data["name"], "level": "community"}))
        for place in data["places"]:
            self.add("units_heard", place, **{f"moved__{old}": data["new"]})

    def step(self, collection: str, key: str, fact: dict) -> None:
        """Keep one step of what adds up under its number."""
        self.add(collection, key, **{f"heard__n{version_of(fact)}": {"fact": fact["type"], **fact["data"]}})

    def term(self, fact: dict) -> None:
        self.step("seats_heard", f"{fact['data']['post']}@{fact['data']['unit']}", fact)

    def leave(self, fact: dict) -> None:
        """A leave is a person's, whose id is the record's; they may hold seats in several districts."""
        self.step("leaves_heard", self.of_district(fact["subject"]), fact)

    def person(self, fact: dict) -> None:
        """Keep what became of somebody beside their leaves: it keeps them from their seats as these do."""
        step = {"fact": fact["type"], "on": str(day_of(datetime.fromisoformat(fact["time"])))}
        step |= {name: fact["data"][name] for name in ("roles", "department") if name in fact["data"]}
        self.add("leaves_heard", self.of_district(fact["subject"]), **{f"told__n{version_of(fact)}": step})

    def category_set(self, fact: dict) -> None:
        data = fact["data"]
        row = {"name": data["name"], "retired": data["retired"]}
        self.keep("categories_heard", self.of_district(data["code"]), version_of(fact), row)

    def rule_set(self, fact: dict) -> None:
        row = {name: fact["data"][name] for name in NO_RULE}
        self.keep("rules_heard", rule_id(fact), version_of(fact), row | {"removed": False})

    def rule_removed(self, fact: dict) -> None:
        self.keep("rules_heard", rule_id(fact), version_of(fact), NO_RULE | {"removed": True})

    def unit_settings_changed(self, fact: dict) -> None:
        data = fact["data"]
        row = {"settings": data["settings"], "pilot_settings": data["pilot_settings"]}
        self.keep("settings_heard", domain.plain(data["unit"]), version_of(fact), row)

    # -- ask ------------------------------------------------------------------------------------------------------

    def of_district(self, id: str) -> str:
        return f"{self.caller.district}/{id}"

    def find(self, collection: str, ids: Iterable[str]) -> dict[str, dict]:
        """Find rows by their ids in one round trip, ``{id: row}``, empty where there is none; all remembered a while.

        What does not exist is remembered too: most seats along a path do not.
        """
        place, now, wanted, found = (self.database.name, self.caller.district, collection), time.monotonic(), [], {}
        for id in dict.fromkeys(ids):
            until, row = REMEMBERED.get((*place, id), (0.0, None))
            if now > until:
                wanted.append(id)
                if row is not None:  # one asks anew, and others go by what was known until the answer is here
                    REMEMBERED[(*place, id)] = (now + FRESH, row)
            else:
                found[id] = row
        if wanted:
            rows = {row["_id"]: row for row in self.rows(collection).find({"_id": {"$in": wanted}})}
            if len(REMEMBERED) > MOST:
                REMEMBERED.clear()
            for id in wanted:
                found[id] = rows.get(id, {})
                REMEMBERED[(*place, id)] = (now + FRESH, found[id])
        return found

    def around(self, unit: str, day: date) -> dict[str, dict]:
        """Give what is known of a unit, of all above it, and of every community that was merged into one of them.

        Codes name what is above, so all of it is found at once; only who was moved or merged is asked for again.
        """
        units = self.find("units_heard", domain.by_code(unit))
        while True:
            wide = domain.with_absorbed(domain.path_of(unit, units, day), units, day)
            wide += domain.mentioned(units, wide)
            if not (missing := [code for code in wide if code not in units]):
                return units
            units |= self.find("units_heard", missing)

    def communities(self, code: str) -> list[str]:
        """Give a community and all that were merged into it: what hung on them hangs on it."""
        day = self.today()
        return domain.with_absorbed([code], self.around(code, day), day)

    def successors(self, code: str) -> list[str]:
        """Give a community and what became of it, so that whoever acts for it now may act for what was its own."""
        day = self.today()
        return domain.successors(code, self.around(code, day), day)

    def path(self, unit: str) -> list[str]:
        """Give a place and all above it, as the tree is today; nothing where there is no such place now."""
        day = self.today()
        units = self.around(unit, day)
        known = units.get(unit) or {}
        is_there = "level" in known and (known.get("until") or "9999") >= day.isoformat()
        return domain.path_of(unit, units, day) if is_there else []

    def settings(self, unit: str, district: dict) -> dict:
        """Give the settings that hold at a unit: the district's, with what is set on the way down to it."""
        day = self.today()
        units = self.around(unit, day)
        path = domain.path_of(unit, units, day)
        return domain.settings_at(district, path, units, self.find("settings_heard", path))

    def name_of(self, unit: str) -> str:
        """Give the name of a unit; its code where no fact has named it."""
        return self.find("units_heard", [unit])[unit].get("name") or unit

    def terms(self, seat: str) -> list[dict]:
        """Give the terms of a seat as they are by now, not as they are remembered."""
        row = self.rows("seats_heard").find_one({"_id": seat}) or {}
        return domain.terms_of(row.get("heard", {}))

    def staff(self, department: str) -> set[str]:
        """Give everybody who holds a seat of a department today, anywhere in the district, or stands in there."""
        day, found = self.today(), set()
        for post in domain.posts_for(department):
            span = {"$gte": f"{post}@{self.caller.district}", "$lt": f"{post}@{self.caller.district}:"}
            rows = self.rows("seats_heard").find({"_id": span}, batch_size=1000)
            terms = [domain.term_on(domain.terms_of(row.get("heard", {})), day) for row in rows]
            people = domain.people_in(filter(None, terms))
            leaves = self.leaves(people, day)
            people |= {each for who in people for each in domain.substitutes(domain.away_on(leaves[who], day))}
            found |= {who for who in people if not domain.is_barred(leaves.get(who, ()), day, post)}
        return found

    def look_anew(self) -> None:
        """Forget what is remembered: what is decided now must not rest on how it was a moment ago."""
        REMEMBERED.clear()

    def today(self) -> date:
        return day_of(self.now())

    def must_know(self, category: str) -> None:
        """Refuse a category that neither the standard nor the district has; a retired one may be on old whistles."""
        id = self.of_district(category)
        known = category in events.shipped() or self.find("categories_heard", [id])[id]
        domain.must_be_known("category", category, bool(known))

    def responsible(self, category: str, unit: str, at: date | None) -> dict:
        """Give who answers for a category at a unit on a day: the lead and all who assist, each by name and seat."""
        day = at or self.today()
        unit = domain.plain(unit)
        self.must_know(category)
        units = self.around(unit, day) if district_of(unit) == self.caller.district else {}
        domain.must_be_known("unit", unit, unit == self.caller.district or "level" in units.get(unit, {}))
        rule = self.rule(category, unit, day)
        answers = self.answers([rule["lead"], *rule["assists"]], unit, day)
        lead, *assists = (answers[each] for each in (rule["lead"], *rule["assists"]))
        return rule | {"category": category, "unit": unit, "lead": lead, "assists": assists}

    def rule(self, category: str, unit: str, day: date) -> dict:
        """Give the catalogue's rule for a category at a unit; raises ``NotFound`` where it has none."""
        path = domain.path_of(unit, self.around(unit, day), day)
        ids = [f"{width}@{code}" for width in domain.widths(category) for code in path]
        return domain.resolve(category, path, self.find("rules_heard", ids))

    def answers(self, departments: Iterable[str], unit: str, day: date) -> dict[str, dict]:
        """Give who answers for each of these departments at a unit on a day."""
        departments, units = list(departments), self.around(unit, day)
        wide = domain.with_absorbed(domain.path_of(unit, units, day), units, day)
        rows = self.find("seats_heard", [seat for each in departments for seat in domain.seats_for(each, wide)])
        seats = {id: domain.terms_of(row["heard"]) for id, row in rows.items() if row}
        leaves = self.leaves({who for terms in seats.values() for who in domain.people_in(terms)}, day)
        return {each: domain.answer_for(each, wide, seats, leaves, day) for each in departments}

    def leaves(self, people: set[str], day: date) -> dict[str, list[dict]]:
        """Give the leaves of people, and of who stands in for those who are away on the day."""
        found: dict[str, list[dict]] = {}
        while asked := sorted(people - found.keys()):
            rows = self.find("leaves_heard", [self.of_district(who) for who in asked])
            for who in asked:
                row = rows[self.of_district(who)]
                found[who] = domain.leaves_of(row.get("heard", {})) + domain.absences_of(row.get("told", {}))
            people = {each for who in asked for each in domain.substitutes(domain.away_on(found[who], day))}
        return found


def unit_row(unit: dict) -> dict:
    """Give what is kept here of a unit."""
    names = ("name", "level", "parent", "until", "into")
    return {name: unit.get(name) for name in names} | {"pilot": unit.get("pilot", "")}


def rule_id(fact: dict) -> str:
    return f"{fact['data']['category']}@{fact['data']['unit']}"
