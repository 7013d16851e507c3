"""What the roster asks of those who hold seats: their absences, their name cards, and who they are."""

from contextlib import suppress

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from services.ledger import Ledger, Record, Store
from services.roster.domain import holders as domain
from services.roster.store.blank import BlankFirst


class Holders(BlankFirst, Ledger):
    """When people are away, by person."""

    service, collection, kind, evolve = "roster", "holders", domain.Holder, staticmethod(domain.evolve)
    indexes = {"holders": [([("district", ASCENDING), ("state.substitutes", ASCENDING)], {})]}

    @staticmethod
    def listed(record: Record) -> list[dict]:
        """Give a person's leaves by their first day."""
        leaves = [each | {"absence": id, "person": record.id} for id, each in record.state.leaves.items()]
        return sorted(leaves, key=lambda leave: leave["since"])

    def leaves(self, people: set[str]) -> dict[str, list[dict]]:
        """Give the leaves of several people."""
        keys = [self.key(person) for person in sorted(people)]
        rows = self.rows("holders").find({"_id": {"$in": keys}}, {"history": 0}) if keys else ()
        return {row["id"]: self.listed(self.record_of(row)) for row in rows}

    def naming(self, person: str) -> list[dict]:
        """Give the leaves of those who have named a person as their substitute in one."""
        rows = self.rows("holders").find({"state.substitutes": person}, {"history": 0})
        return [leave for row in rows for leave in self.listed(self.record_of(row))]


class Cards(BlankFirst, Ledger):
    """The name cards that are published, by person; withdrawing one erases its words.

    A card's id is ``card.<person>``: a fact's id names its service and its record, and a person's own id is that of the
    record of their leaves.
    """

    service, collection, kind, evolve = "roster", "cards", domain.Card, staticmethod(domain.evolve_card)
    erasing = "card_withdrawn"

    def get(self, id: str, history: bool = False) -> Record:
        """Find a person's card, or give a blank one."""
        return super().get(f"card.{id.removeprefix('card.')}", history)

    def said(self, person: str, change: str) -> dict | None:
        """Give the words that were published under a change, None where it published none or they are erased."""
        record = self.get(person, history=True)
        refs = [each["words"]["ref"] for each in record.history if each["data"]["change"] == change and "words" in each]
        words = record.words.get(refs[0], {}) if refs else {}
        return None if "erased" in words else words or None

    def erase(self, person: str, change: str) -> None:
        """Erase what was published before a withdrawal."""
        self.forget(domain.withdrawn_by(self.get(person, history=True).history, change), "withdrawn")

    def shown(self, record: Record) -> dict:
        said = record.words.get(record.state.words, {})
        words = {name: said.get(name) for name in ("name", "phone", "title")}
        person = record.id.removeprefix("card.")
        return {"person": person, "version": record.version, "hours": record.state.hours, **words}

    def published(self, people: set[str]) -> dict[str, dict]:
        """Give the cards of several people; of whom nothing is published, a card that says only who."""
        keys = [self.key(f"card.{person}") for person in sorted(people)]
        rows = self.rows("cards").find({"_id": {"$in": keys}}, {"history": 0}) if keys else ()
        found = [self.shown(record) for record in self.with_words([self.record_of(row) for row in rows])]
        blank = {person: {"person": person, "version": 0, "hours": []} for person in people}
        return blank | {card["person"]: card for card in found}


class Staff(Store):
    """The roster's own copy of who is admitted, in which roles and where, and who is not to work just now."""

    def heard(self, fact: dict) -> None:
        """Copy what identity told of a person, unless what we have is newer: facts may come late or twice."""
        rows, key, n = self.rows("people_now"), self.key(fact["subject"]), int(fact["id"].rpartition("/")[2])
        blank = {"roles": [], "unit": "", "department": "", "placed": 0, "held": 0, "suspended": False, "gone": False}
        with suppress(DuplicateKeyError):
            rows.insert_one({"_id": key, "person": fact["subject"], **blank})
        if fact["type"] in ("admitted", "moved"):
            place = {name: fact["data"][name] for name in ("roles", "unit", "department")}
            rows.update_one({"_id": key, "placed": {"$lt": n}}, {"$set": place | {"placed": n}})
        elif fact["type"] == "dismissed":
            rows.update_one({"_id": key}, {"$set": {"gone": True}})
        else:
            held = {"suspended": fact["type"] == "suspended", "held": n}
            rows.update_one({"_id": key, "held": {"$lt": n}}, {"$set": held})

    def key(self, person: str) -> str:
        return f"{self.caller.district}/{person}"

    def several(self, people: set[str]) -> dict[str, dict]:
        """Give what is known of several people."""
        keys = [self.key(person) for person in sorted(people)]
        rows = self.rows("people_now").find({"_id": {"$in": keys}}) if keys else ()
        return {row["person"]: row | {"active": not (row["suspended"] or row["gone"])} for row in rows}

    def find(self, person: str | None) -> dict | None:
        """Find one person of this district."""
        return self.several({person}).get(person) if person else None
