"""What the roster asks of seats: who sits where."""

from pymongo import ASCENDING

from services.ledger import Ledger, Record
from services.roster.domain import seats as domain
from services.roster.store.blank import BlankFirst


class Seats(BlankFirst, Ledger):
    """The seats of a district, by post and unit."""

    service, collection, kind, evolve = "roster", "seats", domain.Seat, staticmethod(domain.evolve)
    indexes = {
        "seats": [
            ([("district", ASCENDING), ("state.unit", ASCENDING)], {}),
            ([("district", ASCENDING), ("state.people", ASCENDING)], {}),
            ([("district", ASCENDING), ("state.substitutes", ASCENDING)], {}),
        ]
    }

    def asked(self, question: dict) -> list[Record]:
        rows = self.rows("seats").find(question, {"history": 0}, batch_size=500)
        return sorted((self.record_of(row) for row in rows), key=lambda record: (record.state.unit, record.state.post))

    def of(self, units: list[str]) -> list[Record]:
        """Give the seats of units, by unit and post."""
        return self.asked({"state.unit": {"$in": units} if len(units) > 1 else units[0]}) if units else []

    def held_by(self, person: str) -> list[Record]:
        """Give the seats that a person holds, held or will hold."""
        return self.asked({"state.people": person})

    def naming(self, person: str) -> list[dict]:
        """Give the terms that name a person as substitute."""
        seats = self.asked({"state.substitutes": person})
        return [term for seat in seats for term in seat.state.terms if term["substitute"] == person]
