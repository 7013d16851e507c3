"""What follows when communities are merged or split: safe to repeat, whichever step was the last before a crash."""

import uuid

from services.roster.domain import seats as seat_rules
from services.roster.domain import units as unit_rules
from services.roster.domain.seats import HEAD, SITS, seat_id


def following(change: str, *what: str) -> str:
    """Give the id of what follows from a change: the same each time."""
    return str(uuid.uuid5(uuid.UUID(change), "/".join(what)))


class Restructuring:
    """Carries out what a merger or a split means for places and seats, one record after the other."""

    def __init__(self, service, district: str = ""):
        stores = (service.tree, service.changed, service.filled, service.claims)
        # A timer belongs to no district, and enters each that has plans for today.
        self.tree, self.changed, self.filled, self.claims = (
            (each.enter(district) for each in stores) if district else stores
        )

    def carry_out(self, code: str) -> None:
        """Carry out what a unit has planned for today or before; what follows from it is heard."""
        for plan, order in sorted(self.changed.get(code).state.plans.items()):
            named = [*order["communities"], *order["places"], *([order["new"]] if order["new"] else [])]
            with self.claims.of(code, *named):
                row = self.tree.row(code)
                known = {"row": row, "above": self.tree.row(row["parent"]), "rows": self.tree.several(named)}
                known["gone"] = self.changed.gone([code, *order["communities"]])
                self.change_unit(code, unit_rules.carried_out, plan=plan, **known)

    def change_unit(self, code: str, decide, **order) -> None:
        self.tree.put(self.changed.change(code, decide, **order))

    def rehang(self, code: str, parent: str, change: str) -> None:
        order = {"row": self.tree.row(code), "change": following(change, "rehang", code), "parent": parent}
        self.change_unit(code, unit_rules.rehung, **order)

    def carry(self, post: str, unit: str, old: dict, change: str, since: str) -> None:
        """Seat the holder of an old term in another community, too."""
        order = {"post": post, "unit": unit, "term": following(change, "carry", old["term"], unit)}
        self.filled.change(seat_id(post, unit), seat_rules.carried, old=old, since=since, **order)

    def merge(self, change: str, into: str, communities: list[str], since: str, **rest) -> None:
        """Places of merged communities hang on the one that stays; specialists go along where their seat is empty."""
        for code in communities:
            # Whoever is being appointed there, or is founding a place, is done before, or finds it closed.
            with self.claims.of(code):
                self.merge_one(code, into, change, since)

    def merge_one(self, code: str, into: str, change: str, since: str) -> None:
        for child in self.tree.children(code):
            if is_open(child, since):
                self.rehang(child["code"], into, change)
        for seat in self.filled.of([code]):
            for term in seat_rules.running(seat.state, since):
                if seat.state.post != HEAD:
                    self.carry(seat.state.post, into, term, change, since)
                order = {"term": term["term"], "change": following(change, "end", term["term"]), "since": since}
                self.filled.change(seat.id, seat_rules.ended, **order)
        order = {"row": self.tree.row(code), "change": following(change, "merged", code)}
        self.change_unit(code, unit_rules.merged, into=into, since=since, **order)

    def split(self, old: str, change: str, new: str, name: str, places: list[str], since: str) -> None:
        """The new community is founded, its places hang on it, and the specialists of the old one are its own too."""
        order = {"row": self.tree.row(old), "new": new, "name": name, "since": since}
        self.change_unit(new, unit_rules.split_off, **order)
        for code in places:
            self.rehang(code, new, change)
        for seat in self.filled.of([old]):
            for term in seat_rules.running(seat.state, since):
                if seat.state.post not in SITS:
                    self.carry(seat.state.post, new, term, change, since)


def is_open(row: dict, since: str) -> bool:
    """Say whether a unit is there on a day or later."""
    return (row["until"] or since) >= since
