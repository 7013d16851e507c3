"""How many questions one row of a table costs, counted at the database, and that nothing is lost by it."""

import uuid
from collections import Counter
from datetime import UTC, datetime

import pymongo
import pytest
from pymongo.monitoring import CommandListener

from deploy import database as ours
from services.roster.domain import units as unit_rules
from services.roster.store import Districts, PlaceTables, Tree, Units
from shared.caller import Caller
from shared.rules.codes import is_within
from tests.make import Mute

WANMINGYUAN = "110102009041"
CALLER = Caller("110102", "somebody", ("admin",), "110102")


class Counting(CommandListener):
    """Counts commands by name and collection."""

    def __init__(self):
        self.seen: Counter = Counter()

    def started(self, event):
        self.seen[f"{event.command_name} {event.command.get(event.command_name)}"] += 1

    def succeeded(self, event): ...

    def failed(self, event): ...


@pytest.fixture(scope="module")
def counting():
    return Counting()


@pytest.fixture(scope="module")
def database(tmp_path_factory, counting):
    home = tmp_path_factory.mktemp("imports")
    uri = ours.with_options(ours.start(home).admin_uri, {**ours.PROMISES, **ours.EMBEDDED})
    client: pymongo.MongoClient = pymongo.MongoClient(uri, tz_aware=True, event_listeners=[counting])
    database = client["huying_roster"]
    for kind in (PlaceTables, Tree, Units, Districts):
        kind.prepare(database)
    community = [row for row in a(Districts, database).tree("110102") if is_within(WANMINGYUAN, row["code"])]
    a(Tree, database).ships(community)
    yield database
    client.close()
    ours.stop(home)


def a(kind: type, database):
    return kind(database, CALLER, lambda: datetime.now(UTC), Mute())


def place(code: str, level: str = "楼", **values) -> dict:
    said = {"code": code, "parent": code.rpartition(".")[0], "level": level, "name": "某处", "since": "2026-01-01"}
    return said | values


def carry_out(database, rows: list[dict]) -> dict:
    tables, id = a(PlaceTables, database), str(uuid.uuid4())
    table = tables.check(id, [{"sheet": "", "line": n, "values": row} for n, row in enumerate(rows, 2)])
    assert table["state"] == "checked", table["errors"][:3]
    tables.begin(id)
    tables.run()
    return tables.find(id)


def test_a_place_costs_three_inserts_and_a_share_of_a_question(database, counting):
    top = f"{WANMINGYUAN}.cost"
    rows = [place(top, "小区")] + [place(f"{top}.{n}") for n in range(149)]
    counting.seen.clear()
    assert carry_out(database, rows)["state"] == "done"
    assert sum(counting.seen.values()) <= 3.5 * len(rows), counting.seen
    assert a(Tree, database).row(f"{top}.148")["path"] == ["110102", "110102009000", WANMINGYUAN, top]
    rows[1:] = [row | {"name": "改了名"} for row in rows[1:]]
    counting.seen.clear()
    assert carry_out(database, rows)["summary"] == {"new": 0, "changed": 149, "same": 1}
    assert sum(counting.seen.values()) <= 6.5 * len(rows), counting.seen
    counting.seen.clear()
    assert carry_out(database, rows)["summary"]["same"] == 150
    assert sum(counting.seen.values()) <= 0.5 * len(rows), counting.seen


def test_hearing_of_a_place_that_is_there_already_costs_one_question(database, counting):
    top = f"{WANMINGYUAN}.heard"
    carry_out(database, [place(top, "小区")])
    tree, unit = a(Tree, database), a(Units, database).get(top).state.unit
    counting.seen.clear()
    assert tree.has(unit, 1)
    assert sum(counting.seen.values()) == 1
    assert not tree.has(unit, 2), "something newer was told"
    assert not tree.has(unit | {"code": f"{top}.1", "parent": top}, 1), "it is not there"
    database.units_now.update_one({"_id": top}, {"$set": {"path": ["110102"]}})
    assert not tree.has(unit, 1), "what it hangs on hangs elsewhere by now"
    assert tree.put(a(Units, database).get(top))["path"][-1] == WANMINGYUAN and tree.has(unit, 1)


@pytest.mark.parametrize("cut", ["after the record", "after the tree", "after another name"])
def test_a_row_whose_worker_was_cut_off_is_carried_out_once(database, cut):
    code, units, tree = f"{WANMINGYUAN}.{cut[6:10].strip()}{len(cut)}", a(Units, database), a(Tree, database)
    order = {"code": code, "parent": WANMINGYUAN, "level": "compound", "type": "小区", "name": "某处", "aliases": []}
    above = tree.row(WANMINGYUAN)
    order |= {"since": datetime(2026, 1, 1).date(), "above": above, "taken": None}
    first = units.found(**order)
    if cut == "after the tree":
        tree.put(first, above)
    if cut == "after another name":
        row = tree.put(first, above)
        change = {"change": str(uuid.uuid4()), "name": "又一个", "aliases": None, "parent": None}
        tree.put(units.change(code, unit_rules.change_unit, row=row, above=None, **change))
    again = tree.put(units.found(**order), above)
    record = units.get(code, history=True)
    assert [entry["fact"] for entry in record.history].count("unit_founded") == 1
    assert (again["version"], again["name"]) == (record.version, record.state.unit["name"])
    assert again["path"] == [*above["path"], WANMINGYUAN] and tree.find(code) == again
    assert len(list(database.units_now.find({"_id": code}))) == 1
