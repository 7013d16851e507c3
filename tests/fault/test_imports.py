"""Whoever carries a table out is killed in the middle of it: another goes on, and every row is there once."""

import pymongo
import pytest

from deploy.database import admin_uri, service_uri
from deploy.verify import verify
from services.epochs import rows_of
from tests.fault.harm import is_well, kill_and_wait, parked
from tests.integration.test_tables import a_compound, a_file, check, segment
from tests.make import WANMINGYUAN, eventually

ROWS = 400


@pytest.mark.timeout(400)
def test_a_table_goes_on_where_the_roster_was_killed(platform, sign_in):
    is_well(platform)
    street, top = sign_in("zll"), f"{WANMINGYUAN}.{segment()}"
    rows = [a_compound(top)] + [a_compound(f"{top}.{n}", level="楼", name=f"{n}号楼") for n in range(ROWS - 1)]
    table = check(street, "places", a_file("places", *rows))
    path = f"/v1/tables/places/{table['id']}"
    assert street.post(f"{path}/runs").status_code == 202
    eventually(lambda: street.get(path).json()["done"] > 0, 60, 0.05)
    kill_and_wait(platform, "roster")
    cut = street.get(path).json()
    assert (cut["state"], cut["done"] < ROWS) == ("running", True), "it was killed in the middle"
    # Its lease has to run out first: a minute of real time.
    eventually(lambda: street.get(path).json()["state"] == "done", 200, 0.5)
    over = street.get(path).json()
    assert (over["done"], over["errors"], over["more_errors"]) == (ROWS, [], 0)
    client: pymongo.MongoClient = pymongo.MongoClient(service_uri(platform.settings, "roster"), tz_aware=True)
    roster = client["huying_roster"]
    for row in rows:
        record = roster.units.find_one({"_id": f"110102/{row['code']}"}, {"history": 1, "version": 1})
        assert (record["version"], [entry["fact"] for entry in record["history"]]) == (1, ["unit_founded"])
        above = ["110102", "110102009000", WANMINGYUAN, *([] if row["code"] == top else [top])]
        there = roster.units_now.find_one({"_id": row["code"]})
        assert (there["version"], there["name"], there["path"]) == (1, row["name"], above)
    client.close()
    eventually(lambda: not [row for row in roster_untold(platform) if row.startswith(f"110102/{top}")], 60)
    client = pymongo.MongoClient(admin_uri(platform.settings), tz_aware=True)
    assert verify(client, say=lambda text: None) == []
    client.close()
    assert not parked(platform)


def roster_untold(platform) -> list[str]:
    """Give the keys of the units of which something is saved and not struck from the untold."""
    client: pymongo.MongoClient = pymongo.MongoClient(service_uri(platform.settings, "roster"), tz_aware=True)
    rows, notes = client["huying_roster"].units_words, client["huying_roster"].units_untold.find({})
    found = [row["record"] for note in notes for row in rows.find(rows_of(note["_id"])) if not row.get("told")]
    client.close()
    return found
