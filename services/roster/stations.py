"""What the roster shows, put together from several kinds of record: seats with who answers, stations, gaps."""

from services.ledger import Record
from services.roster.domain.districts import CITY
from services.roster.domain.periods import covers
from services.roster.domain.seats import HEAD, SITS, STEWARD, fits, post_and_unit, seat_id, term_at, who_answers
from services.roster.domain.units import inherited
from shared.contracts.permissions import may
from shared.errors import Invalid, NotFound
from shared.rules.days import day_of

CHUNK = 200


class Stations:
    """Reads through the stores of one entrypoint's service; it writes nothing."""

    def __init__(self, service):
        self.of = service

    def day(self, at) -> str:
        """Give the day asked for, or today in Beijing."""
        return str(at or day_of(self.of.changed.now()))

    # -- settings -----------------------------------------------------------------------------------------------------

    def settings(self, code: str) -> list[dict]:
        """Give the settings at a unit, each with its origin."""
        return self.settings_on(self.of.tree.way(code), self.district_settings())

    def district_settings(self) -> dict:
        return self.of.open.get(self.of.open.caller.district).state.settings

    @staticmethod
    def settings_on(way: list[dict], district: dict) -> list[dict]:
        # A district's own values are its record's; only what it sets for its pilots lies with the tree.
        return inherited(CITY, [way[0] | {"settings": district}, *way[1:]])

    def values_at(self, units: list[dict]) -> dict[str, dict]:
        """Give the values of all settings at several communities; who is no department any more cannot be missed."""
        above = self.of.tree.several([code for unit in units for code in unit["path"]])
        district, found = self.district_settings(), {}
        for unit in units:
            way = [*(above[code] for code in unit["path"] if code in above), unit]
            values = {each["name"]: each["value"] for each in self.settings_on(way, district)}
            values["must_have"] = [each for each in values["must_have"] if each in values["departments"]]
            found[unit["code"]] = values
        return found

    # -- seats --------------------------------------------------------------------------------------------------------

    def answering(self, records: list[Record], day: str) -> dict[str, tuple[str | None, str | None]]:
        """Give for each seat who holds it on a day, and who answers."""
        terms = [term for record in records if (term := term_at(record.state.terms, day))]
        people = {each for term in terms for each in (term["person"], term["substitute"]) if each}
        leaves = self.of.away.leaves(people)
        named = (
            {leave["substitute"] for each in leaves.values() for leave in each if covers(leave, day)} - people - {None}
        )
        leaves |= self.of.away.leaves(named)
        staff = {person: who for person, who in self.of.staff.several(people | named).items() if who["active"]}
        found = {}
        for record in records:
            # Whoever has moved to other work since answers for this no more.
            fit = {person for person, who in staff.items() if fits(record.state.post, who)}
            holder = (term_at(record.state.terms, day) or {}).get("person")
            found[record.id] = (holder, who_answers(record.state.terms, day, leaves, fit))
        return found

    def seats(self, records: list[Record], day: str) -> list[dict]:
        """Give seats as their readers see them on a day."""
        who = self.answering(records, day)
        return [
            self.seat_of(record) | dict(zip(("holder", "answers"), who[record.id], strict=True)) for record in records
        ]

    def sees_people(self) -> bool:
        """Say whether the caller works here: what colleagues tell each other and who is away is not published."""
        caller = self.of.tree.caller
        return may(caller.roles, "person.read", caller.adjusted)

    def seat_of(self, record: Record) -> dict:
        (post, unit), is_ours = post_and_unit(record.id), self.sees_people()
        terms = [
            term | {"note": record.words.get(term["note"], {}).get("note") if term["note"] and is_ours else None}
            for term in record.state.terms
        ]
        return {"id": record.id, "version": record.version, "post": post, "unit": unit, "terms": terms}

    def seat(self, record: Record) -> dict:
        return self.seats([record], self.day(None))[0]

    def page_of_seats(
        self, unit: str | None, post: str | None, person: str | None, at, limit: int, after: str | None
    ) -> dict:
        """Give a page of the seats of a unit and all below it, or of one person, by unit and post."""
        top, day = self.of.tree.row(unit or self.of.tree.caller.district), self.day(at)
        done = place_of(after)
        if person:
            records = self.of.filled.held_by(person)
            rows = self.of.tree.several([record.state.unit for record in records])
            records = [each for each in records if is_below(rows.get(each.state.unit), top["code"])]
            chunks = [records]
        else:
            chunks = (
                self.of.filled.of([row["code"] for row in rows])
                for rows in self.chunks(top, self.level_of(post), done[0])
            )
        found: list[Record] = []
        for records in chunks:
            found += [
                each
                for each in records
                if (each.state.unit, each.state.post) > done and post in (None, each.state.post)
            ]
            if len(found) > limit:
                break
        shown = self.seats(found[:limit], day)
        last = f"{shown[-1]['unit']}~{shown[-1]['post']}" if len(found) > limit else None
        return {"items": shown, "next": last}

    @staticmethod
    def level_of(post: str | None) -> str | None:
        if post is None:
            return None
        levels = SITS.get(post, ("community",))
        return levels[0] if len(levels) == 1 else None

    def chunks(self, top: dict, level: str | None, begin: str):
        """Walk a unit and all below it in the order of codes, some at a time, from a code on."""
        rows = [top] if top["code"] >= begin and level in (None, top["level"]) else []
        # The unit that a page ended in may have more: it comes again.
        for row in self.of.tree.under(top["code"], level, after=just_before(begin)):
            rows.append(row)
            if len(rows) == CHUNK:
                yield rows
                rows = []
        yield rows

    # -- stations -----------------------------------------------------------------------------------------------------

    def station(self, community: str, at) -> dict:
        """Give a station's list on a day: its head, and a line for each department that sits there or must."""
        row, day = self.of.tree.row(community), self.day(at)
        if row["level"] != "community":
            raise Invalid("工作站设在社区 / A station is a community's", {"community": [row["level"]]})
        records = [
            each for each in self.of.filled.of([community]) if each.state.post not in SITS or each.state.post == HEAD
        ]
        who = self.answering(records, day)
        values = self.values_at([row])[community]
        must = values["must_have"]
        names = {each["code"]: each["name"] for each in self.of.offices.all()}
        seated = [each.state.post for each in records if who[each.id][0] and each.state.post != HEAD]
        posts = [HEAD, *must, *sorted(set(seated) - set(must))]
        cards = self.of.cards.published({person for pair in who.values() for person in pair if person})
        # Who says nothing of their own hours keeps those of the place.
        cards = {person: card | {"hours": card["hours"] or values["duty_hours"]} for person, card in cards.items()}
        lines = []
        for post in posts:
            holder, answers = who.get(seat_id(post, community), (None, None))
            line = {"post": post, "department": names.get(post), "is_gap": answers is None}
            lines.append(line | {"holder": cards.get(holder), "answers": cards.get(answers)})
        street = self.of.tree.find(row["parent"]) or {"name": ""}
        return {
            "community": community,
            "name": row["name"],
            "street": street["name"],
            "at": day,
            "head": lines[0],
            "lines": lines[1:],
        }

    def gaps(self, unit: str | None, at, limit: int, after: str | None) -> dict:
        """Give a page of what nobody covers on a day, by unit and post."""
        top, day, done = self.of.tree.row(unit or self.of.tree.caller.district), self.day(at), place_of(after)
        found: list[dict] = []
        for rows in self.chunks(top, None, done[0]):
            there = [row for row in rows if covers(row, day) and row["level"] in ("community", "building")]
            found += [gap for gap in self.gaps_of(there, day) if (gap["unit"], gap["post"]) > done]
            if len(found) > limit:
                break
        last = f"{found[limit - 1]['unit']}~{found[limit - 1]['post']}" if len(found) > limit else None
        return {"items": found[:limit], "next": last}

    def gaps_of(self, rows: list[dict], day: str) -> list[dict]:
        """Give what communities and buildings lack on a day, in their order."""
        communities = [row for row in rows if row["level"] == "community"]
        compounds = [row["parent"] for row in rows if row["level"] == "building"]
        who = self.answering(self.of.filled.of(sorted({*(row["code"] for row in rows), *compounds})), day)
        values, found = self.values_at(communities), []
        for row in rows:
            if row["level"] == "community":
                for post in sorted([HEAD, *values[row["code"]]["must_have"]]):
                    found += self.gap(row, post, [who.get(seat_id(post, row["code"]))])
            else:
                # Whoever looks after a compound looks after its buildings.
                found += self.gap(row, STEWARD, [who.get(seat_id(STEWARD, row[at])) for at in ("code", "parent")])
        return found

    @staticmethod
    def gap(row: dict, post: str, seats: list[tuple | None]) -> list[dict]:
        if any(each and each[1] for each in seats):
            return []
        why = "away" if any(each and each[0] for each in seats) else "empty"
        return [{"unit": row["code"], "name": row["name"], "post": post, "why": why}]

    # -- people -------------------------------------------------------------------------------------------------------

    def holder(self, person: str) -> dict:
        """Give what somebody holds, when they are away, and what is published of them."""
        if not self.of.staff.find(person):
            raise NotFound(f"本区没有这个人({person}) / No such person in this district ({person})")
        record, card = self.of.away.get(person), self.of.cards.get(person)
        leaves = self.of.away.listed(record) if self.sees_people() or person == self.of.away.caller.actor else []
        return {
            "person": person,
            "version": record.version,
            "leaves": [each for each in leaves if each["since"] <= each["until"]],
            "seats": self.seats(self.of.filled.held_by(person), self.day(None)),
            "card": self.of.cards.shown(card) if card.state.words else None,
        }


def place_of(after: str | None) -> tuple[str, str]:
    """Give the unit and post where the page before ended."""
    unit, _, post = (after or "").partition("~")
    return unit, post


def just_before(code: str) -> str:
    """Give a text that sorts before a code and after every code before it."""
    return code[:-1] + chr(ord(code[-1]) - 1) + "~" if code else ""


def is_below(row: dict | None, top: str) -> bool:
    return row is not None and top in (row["code"], *row["path"])
