"""Each process in turn, the broker and the database are killed while clients write: no promise is lost."""

import json
import time

import pytest

from tests.fault.harm import CATCH_UP, MARGIN, PATIENCE, Writers, is_well, kill_and_wait, parked, recount

QUICK = {"whistle": 2, "gateway": 2, "broker": 1, "database": 2, "figures": 2}  # how often, in the quick form
EVERY = ["identity", "roster", *QUICK]
COLUMNS = ("victim", "writes", "kills", "retries", "longest", "caught_up", "lost", "twins", "wrong")


def kill_while_writing(platform, path, victim: str, writes: int, kills: int, clients: int) -> dict:
    """Kill a process again and again while clients write, and recount; gives what was measured."""
    is_well(platform)
    with Writers(platform.url, path, "--writes", "100000", "--seconds", "600", "--clients", str(clients)) as writers:
        for kill in range(1, kills + 1):
            writers.wait_for(writes * kill // (kills + 1), 240)
            ready = kill_and_wait(platform, victim)
        # Clients go on writing; what they were promised before it was ready again is what has to be caught up with.
        late = recount(platform.url, path, "--only-catch-up", "--since", str(ready), "--limit", str(CATCH_UP))
        writers.wait_for(writes, 300)
        saw = writers.finish()
    verdict = recount(platform.url, path)
    return saw | verdict | {
        "victim": victim, "kills": kills, "caught_up": late["caught_up"], "after": verdict["caught_up"],
        "parked": parked(platform),
    }  # fmt: skip


def nothing_is_lost(found: dict, writes: int) -> None:
    """Judge what was measured."""
    said = json.dumps(found, ensure_ascii=False)
    assert found["writes"] >= writes, said
    assert (found["lost"], found["twins"], found["wrong"]) == (0, 0, 0), said
    assert found["ok"], said
    assert not found["strange"], said
    assert found["longest"] <= PATIENCE + MARGIN, said
    assert (found["caught_up"] or 0) <= CATCH_UP and found["caught_up"] is not None, f"caught up too late: {said}"
    assert found["after"] is not None, said
    assert not found["parked"], said


@pytest.mark.parametrize("victim", QUICK)
def test_nothing_promised_is_lost_when_a_process_is_killed(platform, tmp_path, record_property, victim):
    found = kill_while_writing(platform, tmp_path / "book", victim, writes=120, kills=QUICK[victim], clients=6)
    record_property("killed", {name: found[name] for name in COLUMNS})
    nothing_is_lost(found, 120)
    # Clients must have noticed, by an answer that did not come or came late, or nothing was tried.
    assert found["retries"] > 0 or found["longest"] > 1 or victim == "figures"


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("victim", EVERY)
def test_nothing_is_lost_in_two_thousand_writes_with_three_kills(platform, tmp_path, record_property, victim):
    found = kill_while_writing(platform, tmp_path / "book", victim, writes=2_000, kills=3, clients=8)
    record_property("killed", {name: found[name] for name in COLUMNS})
    nothing_is_lost(found, 2_000)


def test_a_recount_finds_what_was_promised_and_is_not_there(platform, tmp_path):
    """The judge itself is judged: a book with promises that were never made, or asked once and done otherwise."""
    path = tmp_path / "book"
    with Writers(platform.url, path, "--writes", "6", "--seconds", "30", "--clients", "2") as writers:
        writers.wait_for(6, 30)
        writers.finish()
    assert recount(platform.url, path)["ok"]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    kept = next(line for line in lines if line["status"] == 201 and line["path"] == "/v1/whistles")
    never = "00000000-0000-4000-8000-" + f"{time.time_ns() % 10**12:012d}"

    def judged(*more: dict) -> dict:
        other = tmp_path / "other"
        other.write_text("".join(json.dumps(line) + "\n" for line in (*lines, *more)))
        return recount(platform.url, other, "--limit", "1")

    lost = kept | {"id": never, "order": kept["order"] | {"id": never}}
    assert judged(lost | {"status": "asked"}, lost)["lost"] == 1
    changed = kept | {"order": kept["order"] | {"title": "另一个标题"}}
    assert judged(changed)["lost"] == 1
    settled = kept | {"path": f"/v1/whistles/{kept['id']}/settlements", "order": {"act": never, "note": ""}}
    at = {"answer": kept["answer"] | {"settled_at": kept["answer"]["blown_at"]}}
    found = judged(settled | {"status": "asked"}, settled | at)
    assert not found["ok"] and found["lost"] + found["wrong"] >= 1
    unasked = [line for line in lines if line.get("id") != kept["id"]]
    other = tmp_path / "unasked"
    other.write_text("".join(json.dumps(line) + "\n" for line in unasked))
    assert recount(platform.url, other)["wrong"] >= 1
