"""The tables of places, of who sits where, and of the dispatch catalogue: judged and carried out as single orders are.

Judging asks the database a few times for all rows together, and then tries the rules of the single calls on a copy that
changes with each row, so that a row may stand on another of its file.
"""

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from services.roster.domain import catalogue as catalogue_rules
from services.roster.domain import holders as holder_rules
from services.roster.domain import seats as seat_rules
from services.roster.domain import units as unit_rules
from services.roster.domain.periods import covers, meet
from services.roster.store.catalogue import Categories, Rules
from services.roster.store.claims import Claims
from services.roster.store.departments import Departments
from services.roster.store.districts import Districts
from services.roster.store.holders import Cards, Staff
from services.roster.store.seats import Seats
from services.roster.store.units import Tree, Units
from services.tables.domain import TRIED, Row, refused, twins
from services.tables.store import Tables
from shared.contracts.roster import LEVELS
from shared.contracts.rows import KINDS, LEVEL_OF, person_of
from shared.errors import NotFound, Refusal
from shared.rules import codes
from shared.rules.days import day_of

NOT_BY_TABLE = "与已登记的不同,导入不改此项 / not the one on record, which a table does not change"
PATIENCE = 20.0  # seconds that a table waits for somebody: longer than a person would
CYCLE = "上级成环 / what is above goes in a circle"
TOGETHER = "姓名与电话须一起填写 / name and phone go together"


def id_of(table: str, row: Row, what: str = "") -> str:
    """Give the id that an order has which a row makes: the same whenever the row is carried out."""
    return str(uuid.uuid5(uuid.UUID(table), f"{row.sheet}/{row.line}/{what}"))


class PlaceTables(Tables):
    """Tables of compounds, buildings and entrances, in any order: what hangs on another may stand before it."""

    kind = KINDS["places"]
    usual = "code"
    columns = {"type": "level"}

    def ordered(self, rows: list[Row]) -> list[Row]:
        """What is above comes first, for each level hangs on a higher one."""
        return sorted(rows, key=lambda row: LEVELS.index(LEVEL_OF[row.values["level"]]))

    def known(self, rows: list[Row]) -> dict[str, dict]:
        """Ask for the units that rows name."""
        good = [row.values for row in rows if row.is_good]
        named = {each["code"] for each in good} | {each["parent"] for each in good}
        return {
            code: unit for code, unit in self.beside(Tree).several(sorted(named)).items() if unit["path"] is not None
        }

    def judge(self, rows: list[Row], known: dict[str, dict]) -> tuple[list[str], list[dict]]:
        """Try for each place what founding or changing it would do, from above to below."""
        good, there, outcomes = [row for row in rows if row.is_good], dict(known), []
        errors = list(twins(self.kind, rows, lambda values: values["code"], "code"))
        above = {row.values["code"]: row.values["parent"] for row in good}
        in_doubt = {row.texts.get("code") for row in rows if not row.is_good}
        for row in self.ordered(good):
            code, parent = row.values["code"], row.values["parent"]
            is_round = is_circle(above, code)
            if parent in in_doubt and not is_round:
                in_doubt.add(code)  # what is wrong is said of the place that it hangs on
                continue
            try:
                if is_round:
                    errors.append(row.wrong(self.kind, "parent", CYCLE))
                elif code in known and (wrong := differing(row.values, known[code])):
                    errors += [row.wrong(self.kind, column, NOT_BY_TABLE) for column in wrong]
                else:
                    outcome, there[code] = self.tried(row.values, there)
                    outcomes.append(outcome)
                    continue
            except Refusal as refusal:
                errors += refused(self.kind, row, refusal, self.columns, self.usual)
            in_doubt.add(code)
        return outcomes, errors

    def tried(self, values: dict, there: dict[str, dict]) -> tuple[str, dict]:
        """Give what would become of a place, and the place as it would be."""
        above, unit = there.get(values["parent"]), there.get(values["code"])
        who = {"caller": self.caller, "now": self.now()}
        if unit is None:
            happened = list(unit_rules.found(unit_rules.Unit(), above=above, taken=None, **who, **founding(values)))
            path = [*above["path"], above["code"]]
            return "new", happened[0].data["unit"] | {"path": path, "settings": {}, "pilot_settings": {}}
        unit_rules.must_be_open(unit, str(day_of(self.now())))
        if not (change := changing(values, unit)):
            return "same", unit
        change |= {"row": unit, "above": above if change["parent"] else None, "change": TRIED}
        (happened,) = unit_rules.change_unit(unit_rules.Unit(), **who, **change)
        path = [*above["path"], above["code"]] if change["parent"] else unit["path"]
        return "changed", unit | happened.data["unit"] | {"path": path}

    def holding(self, rows: list[Row]) -> AbstractContextManager:
        """Hold what the places hang on, which must not close just now."""
        return self.beside(Claims).of(*(row.values["parent"] for row in rows), patience=PATIENCE)

    def ahead(self, rows: list[Row]) -> dict[str, dict]:
        """Ask for the units that the next rows name, with the way to each."""
        tree, named = self.beside(Tree), {row.values[name] for row in rows for name in ("code", "parent")}
        found = tree.several(sorted(named))
        return {code: tree.find_way(code) if unit["path"] is None else unit for code, unit in found.items()}

    def carry_out(self, table: str, row: Row, known: dict[str, dict]) -> None:
        """Found one place or change it, and copy it into the tree as it is now."""
        tree, units, values = self.beside(Tree), self.beside(Units), row.values
        unit, above = known.get(values["code"]), known.get(values["parent"])
        if unit is None:
            record = units.found(above=above, taken=None, **founding(values))
            known[values["code"]] = tree.put(record, above)
        elif change := changing(values, unit):
            change |= {"row": unit, "above": above if change["parent"] else None, "change": id_of(table, row)}
            known[values["code"]] = tree.put(units.change(values["code"], unit_rules.change_unit, **change))

    def export(self, limit: int, after: str | None) -> dict:
        """Give a page of the places below the caller's unit that are open today, by their codes."""
        return self.page(self.open_places(after or ""), limit)

    def open_places(self, after: str) -> Iterator[tuple[str, dict]]:
        tree, today = self.beside(Tree), str(day_of(self.now()))
        for unit in tree.under(self.caller.unit or self.caller.district, after=after):
            if unit["level"] in LEVELS[3:] and covers(unit, today):
                yield unit["code"], unit | {"level": unit["type"]}


def founding(values: dict) -> dict:
    kept = {name: values[name] for name in ("code", "parent", "name", "since")}
    return kept | {"level": LEVEL_OF[values["level"]], "type": values["level"], "aliases": []}


def changing(values: dict, unit: dict) -> dict:
    """Give the order that makes a unit what a row says, or nothing where it is that already."""
    fresh = {name: values[name] if values[name] != unit[name] else None for name in ("name", "parent")}
    return fresh | {"aliases": None} if any(fresh.values()) else {}


def differing(values: dict, unit: dict) -> list[str]:
    """Name what a row says otherwise than the unit is, and what no change can make so."""
    wrong = [] if values["level"] == unit["type"] else ["level"]
    return wrong + ([] if str(values["since"]) == (unit["since"] or str(values["since"])) else ["since"])


def is_circle(above: dict[str, str], code: str) -> bool:
    """Say whether the way up from a place within its file comes back to it."""
    seen, here = set(), code
    while here in above and here not in seen:
        seen.add(here)
        here = above[here]
    return here == code


STRANGER = (
    "本区没有此登录名或编号的人,或刚添加尚未传到 / Nobody here has this login or id, "
    "or they came in just now and are not known yet"
)
NOBODY = "登录名和人员编号填其一 / a login or a person's id, one of the two"


class SeatTables(Tables):
    """Tables of who sits where, with the cards that are published of them."""

    kind = KINDS["seats"]
    usual = "post"
    columns = {"id": "post", "title": "name"}

    def person(self, values: dict) -> str:
        """Give whom a row names: by id, which the gateway has put beside every login that is known."""
        login = values["login"] or ""
        return values["person"] or (login if codes.ID.fullmatch(login) else person_of(self.caller.district, login))

    def known(self, rows: list[Row]) -> dict:
        """Ask for the units, seats, people and cards that rows name."""
        good = [row.values for row in rows if row.is_good]
        tree, seats, cards, staff = (self.beside(kind) for kind in (Tree, Seats, Cards, Staff))
        people = staff.several({self.person(each) for each in good})
        units = {each["unit"] for each in good} | {who["unit"] for who in people.values() if who["unit"]}
        ids = sorted({seat_rules.seat_id(each["post"], each["unit"]) for each in good})
        found = seats.rows("seats").find({"_id": {"$in": [seats.key(id) for id in ids]}}, {"history": 0})
        return {
            "units": tree.several(sorted(units)),
            "departments": self.beside(Departments).known(),
            "people": people,
            "seats": {row["id"]: seats.record_of(row).state for row in found},
            "cards": cards.published(set(people)),
        }

    def judge(self, rows: list[Row], known: dict) -> tuple[list[str], list[dict]]:
        """Try for each row what appointing, ending and publishing would do, each upon the ones before it."""

        def key(values: dict) -> tuple:
            return values["post"], values["unit"], self.person(values), values["since"]

        errors, outcomes = list(twins(self.kind, rows, key, self.usual)), []
        for row in (row for row in rows if row.is_good):
            id = seat_rules.seat_id(row.values["post"], row.values["unit"])
            seat = known["seats"].get(id, seat_rules.Seat())
            try:
                # Another id than its neighbours': two rows of one file are two terms.
                outcome, known["seats"][id] = self.tried(row.values, id_of(TRIED, row), seat, known)
                outcomes.append(outcome)
            except Refusal as refusal:
                errors += refused(self.kind, row, refusal, self.columns, self.usual)
        return outcomes, errors

    def tried(self, values: dict, term: str, seat: Any, known: dict) -> tuple[str, Any]:
        """Give what a row would do, and the seat as it would be."""
        person, who = self.person(values), {"caller": self.caller, "now": self.now()}
        if person not in known["people"]:
            said = STRANGER if values["login"] or values["person"] else NOBODY
            raise NotFound(said, {"person" if values["person"] and not values["login"] else "login": [said]})
        unit = known["units"].get(values["unit"])
        if unit is None:
            raise NotFound("本区没有这个单位 / No such unit in this district", {"unit": [values["unit"]]})
        decide, order = self.deciding(seat, values, term, unit, known["departments"], known["people"].get(person))
        happened = list(decide(seat, **who, **order)) if decide else []
        for each in happened:
            seat = seat_rules.evolve(seat, each.fact.name, each.data, who["now"], self.caller.actor)
        card = known["cards"].get(person, {})
        if is_news := is_another(card, values):
            order = self.publishing(values, term, self.about(known["people"].get(person), known["units"]))
            list(holder_rules.publish_card(holder_rules.Card(), **who, **order))
            known["cards"][person] = card | {name: values[name] for name in ("name", "phone")}
        outcome = "new" if decide is seat_rules.appoint else "changed" if happened or is_news else "same"
        return outcome, seat

    def deciding(self, seat: Any, values: dict, id: str, unit: dict, departments: set[str], who: dict | None) -> tuple:
        """Give the rule that makes a seat what a row says, and its order; none where it is so already."""
        person, until = self.person(values), values["until"] and str(values["until"])
        for term in seat.terms:
            if (term["person"], term["since"]) == (person, str(values["since"])) and meet(term, term):
                if term["until"] == until:
                    return None, {}
                last = {"until": values["until"] or seat_rules.NEVER}
                return seat_rules.end_term, {"unit": unit, "term": term["term"], "change": id, **last}
        order = {"unit": unit, "known": departments, "who": who, "other": None, "leaves": [], "post": values["post"]}
        order |= {"term": id, "person": person, "substitute": None}
        return seat_rules.appoint, order | {name: values[name] for name in ("since", "until")}

    def publishing(self, values: dict, change: str, about: dict) -> dict:
        said = {"name": values["name"], "phone": values["phone"], "title": "", "hours": []}
        return {"person": self.person(values), "change": change, **said, **about}

    @staticmethod
    def about(who: dict | None, units: dict[str, dict]) -> dict:
        """Give who somebody is, and the way to the unit where they work."""
        return {"who": who, "path": units[who["unit"]]["path"] if who and who["unit"] in units else []}

    def holding(self, rows: list[Row]) -> AbstractContextManager:
        """Hold the units, which must not close just now."""
        return self.beside(Claims).of(*(row.values["unit"] for row in rows), patience=PATIENCE)

    def ahead(self, rows: list[Row]) -> set[str]:
        """Ask for the departments that there are."""
        return self.beside(Departments).known()

    def carry_out(self, table: str, row: Row, known: set[str]) -> None:
        """Appoint somebody, or end their term, and publish their card."""
        values, person = row.values, self.person(row.values)
        seats, cards, staff, tree = (self.beside(kind) for kind in (Seats, Cards, Staff, Tree))
        id, unit = seat_rules.seat_id(values["post"], values["unit"]), tree.row(values["unit"])
        who, seat = staff.find(person), seats.get(id)
        decide, order = self.deciding(seat.state, values, id_of(table, row), unit, known, who)
        if decide:
            seats.change(id, decide, **order)
        card = cards.published({person})[person]
        if is_another(card, values):
            about = self.about(who, tree.several([who["unit"]]) if who and who["unit"] else {})
            order = self.publishing(values, id_of(table, row, "card"), about)
            # What the card says beside name and phone stays.
            order |= {"title": card.get("title") or "", "hours": card["hours"]}
            cards.change(person, holder_rules.publish_card, **order)

    def export(self, limit: int, after: str | None) -> dict:
        """Give a page of the terms of today and later within the caller's unit, by seat, with their holders' cards."""
        seats, tree = self.beside(Seats), self.beside(Tree)
        district, own, today = self.caller.district, self.caller.unit, {"since": str(day_of(self.now()))}
        asked = {"_id": {"$gt": seats.key(after or ""), "$lt": f"{district}/~"}}
        items, last, here = [], None, None
        for row in seats.rows("seats").find(asked, {"history": 0}, batch_size=limit).sort("_id", 1):
            if len(items) >= limit:
                last = here
                break
            here, state = row["id"], seats.record_of(row).state
            terms = [term for term in state.terms if meet(term, today)]
            unit = tree.find(state.unit) if terms and own != district else None
            if own == district or (unit and own in (*unit["path"], unit["code"])):
                items += [{"post": state.post, "unit": state.unit, **term} for term in terms]
        cards = self.beside(Cards).published({item["person"] for item in items})
        rows = [item | {name: cards[item["person"]].get(name) for name in ("name", "phone")} for item in items]
        return self.page((("", row) for row in rows), len(rows)) | {"next": last}


def is_another(card: dict, values: dict) -> bool:
    """Say whether a row publishes another card than there is; what is left empty is left as it is."""
    said = {name: values[name] for name in ("name", "phone") if values[name]}
    if not said or all(card.get(name) == text for name, text in said.items()):
        return False
    if len(said) < 2:
        raise NotFound(TOGETHER, {name: [TOGETHER] for name in ("name", "phone") if name not in said})
    return True


class RuleTables(Tables):
    """Tables of the dispatch catalogue."""

    kind = KINDS["rules"]
    usual = "category"

    def known(self, rows: list[Row]) -> dict:
        """Ask for the rules and units that rows name, and for all that rules are judged by."""
        good, rules = [row.values for row in rows if row.is_good], self.beside(Rules)
        keys = sorted({rules.key(f"{each['category']}@{each['unit']}") for each in good})
        found = rules.rows("rules").find({"_id": {"$in": keys}}, {"history": 0})
        units = {each["unit"] for each in good}
        return {
            "rules": {row["id"]: rules.record_of(row).state for row in found},
            "units": {unit for unit in units if rules.is_unit(unit)},
            **self.order(),
        }

    def order(self) -> dict:
        """Give what every rule is judged by."""
        district = self.beside(Districts).get(self.caller.district)
        return {"codes": self.beside(Categories).codes(), "departments": district.state.settings["departments"]}

    def judge(self, rows: list[Row], known: dict) -> tuple[list[str], list[dict]]:
        """Try for each rule what setting it would do."""
        errors = list(twins(self.kind, rows, lambda values: (values["category"], values["unit"]), self.usual))
        outcomes, beside = [], {name: known[name] for name in ("codes", "departments")}
        for row in (row for row in rows if row.is_good):
            rule = known["rules"].get(f"{row.values['category']}@{row.values['unit']}", catalogue_rules.Rule())
            try:
                # Also of what is the same: it may be no rule any more that could be set.
                order = row.values | beside | {"is_unit": row.values["unit"] in known["units"], "change": TRIED}
                order["catalogue"] = rule.catalogue
                list(catalogue_rules.set_rule(replace(rule, changes={}), caller=self.caller, now=self.now(), **order))
                outcomes.append("same" if is_set(rule, row.values) else "changed" if is_standing(rule) else "new")
            except Refusal as refusal:
                errors += refused(self.kind, row, refusal, self.columns, self.usual)
        return outcomes, errors

    def holding(self, rows: list[Row]) -> AbstractContextManager:
        """Hold the catalogue, whose versions have one order."""
        return self.beside(Claims).of("catalogue", patience=PATIENCE)

    def ahead(self, rows: list[Row]) -> dict:
        """Ask for what every rule is judged by, and which version the catalogue has."""
        return self.order() | {"catalogue": self.beside(Rules).catalogue()}

    def carry_out(self, table: str, row: Row, known: dict) -> None:
        """Set one rule, unless it stands as it is."""
        rules, values = self.beside(Rules), row.values
        try:
            if is_set(rules.get(f"{values['category']}@{values['unit']}").state, values):
                return
        except NotFound:
            pass  # a rule that there never was
        made = rules.set(version=None, change=id_of(table, row), **values, **known)
        known["catalogue"] = max(known["catalogue"], made["catalogue"])

    def export(self, limit: int, after: str | None) -> dict:
        """Give a page of the rules that stand, by category and unit."""
        page = self.beside(Rules).listing(None, None, limit, after)
        return self.page((("", rule) for rule in page["items"]), limit) | {"next": page["next"]}


def is_standing(rule: Any) -> bool:
    return bool(rule.category) and not rule.removed


def is_set(rule: Any, values: dict) -> bool:
    """Say whether a rule stands as a row says."""
    said = ("lead", "assists", "community_first", "never_community")
    return is_standing(rule) and all(getattr(rule, name) == values[name] for name in said)
