"""Does each listener get what is theirs, at once, again after a break, and nothing that is not?"""

import json
import time

import pytest

from gateway.sessions import Signed
from gateway.stream import NOTHING_YET, Listener, Streams
from shared.errors import Unavailable
from tests.make_gateway import SHIJINGSHAN, XICHENG, FakeBus, a_fact, a_gateway, signed_in


def a_person(*roles, seconds=900.0, **changes):
    now = time.time()
    usual = {
        "actor": "wang", "session": "s1", "district": XICHENG, "roles": roles or ("observer",), "unit": "",
        "department": "", "made_at": now - 10, "ends_at": now + seconds,
    }  # fmt: skip
    return Signed(**usual | changes)


def events(data: bytes) -> list[tuple[str, str]]:
    """Give (event, id) of what an EventSource would show."""
    found = []
    for block in data.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "data" in lines:
            found.append((lines["event"], lines.get("id", "")))
    return found


def heard(listener: Listener) -> list[tuple[str, str]]:
    """Give the events that wait for a listener, until its next heartbeat."""
    found, frames = events(listener.opening), iter(listener)
    next(frames)
    for frame in frames:
        if frame == b":\n\n":
            break
        found += events(frame)
    return found


@pytest.fixture
def streams():
    return Streams(heartbeat=0.03, ring=5, waiting=4, overlap=0.0)


def test_a_fact_reaches_who_listens_in_its_district(streams):
    listener, fact = Listener(streams, a_person(), None), a_fact()
    streams.hear(fact)
    assert heard(listener) == [("reported", fact["id"])]


def test_another_districts_fact_never_arrives(streams):
    listener = Listener(streams, a_person("district"), None)
    streams.hear(a_fact(district=SHIJINGSHAN))
    assert heard(listener) == []


def test_a_city_observer_hears_the_district_that_is_visited_and_no_other():
    bus = FakeBus()
    app = a_gateway(bus)
    city = signed_in(app, "city_observer", district="", unit="")
    answer = city.get("/v1/stream", buffered=False, headers={"X-District": SHIJINGSHAN})
    frames = iter(answer.response)
    next(frames)
    ours, theirs = a_fact(), a_fact(district=SHIJINGSHAN)
    bus.on_fact(ours)
    bus.on_fact(theirs)
    assert events(next(frames)) == [("reported", theirs["id"])]
    answer.close()
    assert app.extensions["huying"].streams.everyone() == []
    assert city.get("/v1/stream", headers={"X-District": "everywhere"}).status_code == 422
    assert signed_in(app).get("/v1/stream", headers={"X-District": SHIJINGSHAN}).status_code == 403


def test_a_fact_of_no_district_is_on_nobodys_stream(streams):
    listener = Listener(streams, a_person("district", district=""), None)
    streams.hear(a_fact(district=""))
    assert heard(listener) == []


@pytest.mark.parametrize(
    ("roles", "department", "sees"),
    [
        (("specialist",), "water", True),
        (("specialist",), "fire", False),
        (("observer",), "", False),
        (("secretary",), "", True),
        (("street",), "", True),
        (("district",), "", True),
    ],
)
def test_what_is_told_to_one_department_is_seen_by_it_and_by_the_communitys_side(streams, roles, department, sees):
    listener = Listener(streams, a_person(*roles, department=department), None)
    fact = a_fact("called", to="water")
    streams.hear(fact)
    assert heard(listener) == ([("called", fact["id"])] if sees else [])


@pytest.mark.parametrize(("role", "sees"), [("district", True), ("secretary", False), ("observer", False)])
def test_facts_about_people_are_for_those_who_look_after_them(streams, role, sees):
    listener = Listener(streams, a_person(role), None)
    streams.hear(a_fact("admitted", source="/identity"))
    assert bool(heard(listener)) is sees


def test_what_is_missed_in_a_resumed_stream_obeys_the_same_rules(streams):
    first, hidden, seen = a_fact(), a_fact("called", to="water"), a_fact("settled")
    for fact in (first, hidden, seen):
        streams.hear(fact)
    listener = Listener(streams, a_person("specialist", department="fire"), first["id"])
    assert heard(listener) == [("settled", seen["id"])]


def test_who_it_was_and_our_own_marks_stay_off_the_stream(streams):
    listener, fact = Listener(streams, a_person(), None), a_fact()
    streams.hear(fact)
    frames = iter(listener)
    next(frames)
    data = json.loads(next(frames).decode().split("data: ")[1])
    assert set(fact) - set(data) == {"actor", "traceparent", "hash"}
    assert data["data"] == fact["data"]


def test_a_known_last_id_gets_what_was_missed_and_no_more(streams):
    facts = [a_fact(n=n) for n in range(4)]
    for fact in facts:
        streams.hear(fact)
        time.sleep(0.002)
    listener = Listener(streams, a_person(), facts[1]["id"])
    assert heard(listener) == [("reported", facts[2]["id"]), ("reported", facts[3]["id"])]


def test_a_resumed_stream_begins_a_little_earlier_so_that_order_cannot_lose_a_fact():
    streams = Streams(heartbeat=0.03, overlap=2.0)
    early, known = a_fact(), a_fact()
    streams.hear(early)
    streams.hear(known)
    listener = Listener(streams, a_person(), known["id"])
    assert heard(listener) == [("reported", early["id"])]
    # And yet the client's own place moves on to the newest, so that it does not go back each time.
    assert listener.opening.endswith(f"id: {known['id']}\n\n".encode())


@pytest.mark.parametrize("last", ["whistle/110102/long-ago/1", NOTHING_YET])
def test_an_unknown_last_id_is_told_to_read_anew(streams, last):
    fact = a_fact()
    streams.hear(fact)
    assert heard(Listener(streams, a_person(), last)) == [("reload", fact["id"])]


def test_a_fact_that_fell_out_of_the_ring_cannot_be_resumed_from(streams):
    facts = [a_fact() for _ in range(6)]
    for fact in facts:
        streams.hear(fact)
    assert heard(Listener(streams, a_person(), facts[0]["id"]))[0][0] == "reload"


def test_a_first_visit_gets_a_place_to_come_back_to_and_no_history(streams):
    fact = a_fact()
    streams.hear(fact)
    listener = Listener(streams, a_person(), None)
    assert heard(listener) == []
    assert f"id: {fact['id']}\n".encode() in listener.opening


def test_after_the_bus_was_away_everybody_is_told_to_read_anew(streams):
    before = a_fact()
    streams.hear(before)
    listener = Listener(streams, a_person(), None)
    streams.begin_anew()
    assert heard(listener) == [("reload", NOTHING_YET)]
    assert heard(Listener(streams, a_person(), before["id"]))[0][0] == "reload"


def test_a_fact_told_twice_is_shown_once(streams):
    listener, fact = Listener(streams, a_person(), None), a_fact()
    streams.hear(fact)
    streams.hear(dict(fact))
    assert heard(listener) == [("reported", fact["id"])]


def test_a_slow_listener_is_dropped_and_nobody_waits_for_it(streams):
    slow, quick = Listener(streams, a_person(), None), Listener(streams, a_person(actor="li"), None)
    frames, got = iter(quick), 0
    next(frames)
    began = time.perf_counter()
    for _ in range(8):
        streams.hear(a_fact())
        got += len(events(next(frames)))
    assert got == 8
    assert time.perf_counter() - began < 1
    assert slow.is_slow
    assert list(iter(slow))[1:] == []
    slow.close()
    assert slow not in streams.everyone() and quick in streams.everyone()


def test_a_quiet_stream_beats_so_that_nobody_between_closes_it(streams):
    frames = iter(Listener(streams, a_person(), None))
    assert [next(frames), next(frames), next(frames)][1:] == [b":\n\n", b":\n\n"]


def test_a_stream_ends_with_its_token(streams):
    listener = Listener(streams, a_person(seconds=0.05), None)
    began = time.monotonic()
    last = list(listener)[-1]
    assert events(last) == [("expired", "")]
    assert 0.03 < time.monotonic() - began < 1


@pytest.mark.parametrize("subject", ["wang", "s1"])
def test_the_streams_of_a_revoked_person_or_session_end_at_once(streams, subject):
    listener = Listener(streams, a_person(), None)
    other = Listener(streams, a_person(actor="li", session="s2"), None)
    frames = iter(listener)
    next(frames)
    streams.hear(a_fact())
    streams.revoke(subject, time.time())
    assert events(b"".join(frames)) == [("ended", "")]
    assert heard(other) != []


def test_a_token_made_after_the_revocation_keeps_its_stream(streams):
    listener = Listener(streams, a_person(made_at=time.time()), None)
    streams.revoke("wang", time.time() - 5)
    assert heard(listener) == []
    assert listener.ending is None


def test_one_person_has_so_many_streams_and_a_closed_one_makes_room():
    streams = Streams(each=2, heartbeat=0.03)
    first = Listener(streams, a_person(), None)
    Listener(streams, a_person(), None)
    with pytest.raises(Exception) as refused:
        Listener(streams, a_person(), None)
    assert refused.value.code == 429
    Listener(streams, a_person(actor="li"), None)
    first.close()
    first.close()
    Listener(streams, a_person(), None)


def test_a_full_gateway_says_so():
    streams = Streams(most=1)
    Listener(streams, a_person(), None)
    with pytest.raises(Unavailable):
        Listener(streams, a_person(actor="li"), None)
    assert len(streams.everyone()) == 1


@pytest.mark.parametrize(("role", "status"), [("operator", 403), ("resident", 403), ("observer", 200)])
def test_only_who_may_listen_listens(role, status):
    app = a_gateway()
    answer = signed_in(app, role).get("/v1/stream")
    assert answer.status_code == status
    if status == 200:
        assert answer.mimetype == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
    answer.close()
    assert app.extensions["huying"].streams.everyone() == []


def test_no_token_is_taken_from_an_address():
    app = a_gateway()
    token = signed_in(app).environ_base["HTTP_AUTHORIZATION"].split()[1]
    assert app.test_client().get(f"/v1/stream?token={token}&access_token={token}").status_code == 401


def test_asking_for_the_head_of_a_stream_opens_none():
    app = a_gateway()
    assert signed_in(app).head("/v1/stream").status_code == 200
    assert app.extensions["huying"].streams.everyone() == []


def test_a_fact_on_the_bus_is_on_the_stream_over_http():
    bus = FakeBus()
    app = a_gateway(bus)
    answer = signed_in(app).get("/v1/stream", buffered=False)
    frames = iter(answer.response)
    assert next(frames).startswith(b"retry:")
    fact = a_fact("blown")
    bus.on_fact(fact)
    assert events(next(frames)) == [("blown", fact["id"])]
    answer.close()


def test_when_the_bus_comes_back_open_streams_are_told_to_read_anew():
    bus = FakeBus()
    answer = signed_in(a_gateway(bus)).get("/v1/stream", buffered=False)
    frames = iter(answer.response)
    next(frames)
    bus.on_connected()
    assert events(next(frames)) == [("reload", NOTHING_YET)]
    answer.close()
