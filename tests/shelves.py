"""Shelves: what a store asks of its database, kept in memory, with something happening between any two questions."""

from collections.abc import Callable
from copy import deepcopy

from pymongo.errors import BulkWriteError, DuplicateKeyError

DUPLICATE = 11000


def value_at(row: dict, path: str):
    """Give what lies at a dotted path, None where there is nothing."""
    for name in path.split("."):
        row = row.get(name) if isinstance(row, dict) else None
    return row


def holds(row: dict, asked: dict) -> bool:
    """Say whether a row is as it is asked for."""
    tests = {
        "$in": lambda mine, wanted: bool({*mine} & {*wanted}) if isinstance(mine, list) else mine in wanted,
        "$lt": lambda mine, wanted: mine is not None and mine < wanted,
        "$gt": lambda mine, wanted: mine is not None and mine > wanted,
    }
    for path, wanted in asked.items():
        mine = value_at(row, path)
        if not isinstance(wanted, dict):
            if mine != wanted:
                return False
        elif not all(tests[operator](mine, each) for operator, each in wanted.items()):
            return False
    return True


class Found(list):
    """What a question finds, in the manner of a cursor."""

    def sort(self, name: str, direction: int) -> "Found":
        return Found(sorted(self, key=lambda row: row[name], reverse=direction < 0))

    def limit(self, most: int) -> "Found":
        return Found(self[:most])


class Shelf:
    """One collection seen from one district; ``meanwhile`` is called before each question and each write."""

    def __init__(self, rows: dict[str, dict], district: str, meanwhile: Callable[[], None]):
        self.held, self.district, self.meanwhile, self.collection = rows, district, meanwhile, self

    def only(self, asked: dict) -> dict:
        return {**asked, "district": self.district}

    def find(self, asked: dict, *parts, **options) -> Found:
        self.meanwhile()
        return Found(deepcopy([row for row in self.held.values() if holds(row, self.only(asked))]))

    def find_one(self, asked: dict, *parts) -> dict | None:
        return next(iter(self.find(asked)), None)

    def insert_one(self, row: dict) -> None:
        self.meanwhile()
        self.put(row)

    def put(self, row: dict) -> None:
        if row["_id"] in self.held:
            raise DuplicateKeyError("known", DUPLICATE)
        self.held[row["_id"]] = deepcopy({**row, "district": self.district})

    def insert_many(self, rows: list[dict]) -> None:
        self.meanwhile()
        errors = []
        for n, row in enumerate(rows):
            try:
                self.put(row)
            except DuplicateKeyError:
                errors.append({"index": n, "code": DUPLICATE})
        if errors:
            raise BulkWriteError({"writeErrors": errors})

    def update_one(self, asked: dict, change: dict):
        self.meanwhile()
        row = next((row for row in self.held.values() if holds(row, self.only(asked))), None)
        if row is not None:
            self.write(row, deepcopy(change))
        return Counted(int(row is not None))

    def write(self, row: dict, change: dict) -> None:
        for operator, paths in change.items():
            for path, value in paths.items():
                *outer, last = path.split(".")
                home = row
                for name in outer:
                    home = home.setdefault(name, {})
                if operator == "$unset":
                    home.pop(last, None)
                else:
                    home[last] = value if operator == "$set" else home.get(last, 0) + value

    def delete_many(self, asked: dict):
        self.meanwhile()
        gone = [key for key, row in self.held.items() if holds(row, asked)]
        for key in gone:
            del self.held[key]
        return Counted(len(gone))


class Counted:
    """How many rows a write found."""

    def __init__(self, count: int):
        self.matched_count = self.deleted_count = count
