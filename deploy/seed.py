"""Loads the demo data: two open districts with people, stations and catalogue; safe to repeat, never in production."""

import json
import os
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from deploy.settings import Settings
from services.roster.store.districts import divisions
from shared.bus import Bus
from shared.caller import Caller
from shared.contracts import identity, roster
from shared.contracts.permissions import GRANTS
from shared.contracts.rows import person_of
from shared.errors import Conflict, Invalid, NotFound, Unavailable
from shared.running import MOVABLE, new_trace

NAMESPACE = uuid.UUID("6f1d7c1e-6f39-4a5e-9a62-6d0f6d1b1102")
DATA = Path(__file__).parent / "data"

# People with invented names; the gateway's landing page shows those of the same file who are worth trying first.
PEOPLE = json.loads((DATA / "demo_people.json").read_text("utf-8"))
ROSTER = json.loads((DATA / "demo_roster.json").read_text("utf-8"))
PASSWORD = PEOPLE[0]["password"]
ADMITTED = ("login", "password", "name", "district", "roles", "unit", "department")
SINCE = "2018-01-15"  # 展览路街道 set its stations up from January 2018 on


def an_id(*words: str) -> str:
    """Give the id of a demo thing: the same on every machine, so that seeding again finds it."""
    return str(uuid.uuid5(NAMESPACE, "/".join(words)))


def person_id(login: str) -> str:
    """Give a demo person's id: the one that a table of people would let them in under."""
    district = next(person["district"] for person in PEOPLE if person["login"] == login)
    return person_of(district, login)


def caller(district: str) -> Caller:
    """Give who seeds: a district's administrator, or the operator where no district is named."""
    role = "district" if district else "operator"
    return Caller(district=district, unit=district, roles=(role,), actor="seed", trace=new_trace())


def ask(bus: Bus, call, order: dict, district: str = "", passing=(Unavailable, NotFound, Invalid)) -> Any:
    """Ask, and wait for a service that is just starting, or has not heard yet what it needs, for half a minute."""
    limit = time.time() + 30
    while True:
        try:
            return bus.ask(call, order, caller(district))
        except passing:
            if time.time() > limit:
                raise
            time.sleep(0.3)


def admit(bus: Bus, person: dict) -> None:
    # An operator lets in only a district's administrators; they let in everybody else.
    by = "" if GRANTS["operator"].issuperset(person["roles"]) else person["district"]
    order = {"id": person_id(person["login"])} | {key: person[key] for key in ADMITTED}
    with suppress(NotFound, Unavailable):  # whoever is there stays as the district has made them since
        bus.ask(identity.person, {"id": order["id"]}, caller(by))
        return
    try:
        ask(bus, identity.admit, order, by)
    except Conflict:
        print(f"\r  {person['login']}: 已有且不同,保留原样 / is there already and differs: left as it is")


def acts(district: str, plan: dict) -> Iterator[tuple[Any, dict]]:
    """Give every order that makes a district's demo roster, in the order in which they stand on each other."""

    def change(*words: str) -> dict:
        return {"change": an_id(district, *words)}

    for each in ROSTER["departments"]:
        yield roster.set_department, each | change("department", each["code"])
    known = [each["code"] for each in ROSTER["departments"]]
    settings = {"departments": known, "must_have": ROSTER["must_have"], "resident_whistle": True}
    yield roster.change_settings, {"settings": settings} | change("settings")
    for department, name in plan["teams"]:
        id = an_id(district, "team", department)
        team = {"id": id, "department": department, "unit": plan["street"], "name": name}
        yield roster.set_team, team | change("team", department)
    for place in plan["places"]:
        yield roster.found, place | {"since": SINCE}
    for category in ROSTER["categories"]:
        yield roster.set_category, category | change("category", category["code"])
    for rule in ROSTER["rules"]:
        yield roster.set_rule, rule | {"unit": district} | change("rule", rule["category"])
    mine = [person for person in PEOPLE if person["district"] == district]
    for number, person in enumerate(mine):
        if {"secretary", "specialist"} & set(person["roles"]):
            card = {"person": person_id(person["login"]), "name": person["name"], "phone": f"010-6655{1000 + number}"}
            yield (
                roster.publish_card,
                card | {"title": person.get("what", "").partition(" / ")[0]} | change("card", person["login"]),
            )
    seats = [("head", person["unit"], person["login"]) for person in mine if "secretary" in person["roles"]]
    seats += [("steward", unit, plan["steward"]) for unit in plan["stewarded"]]
    # Every department in the first community, what each must have in the others; two are left open, to be found.
    specialists = {p["department"]: p["login"] for p in reversed(mine) if "specialist" in p["roles"]}
    heads = sorted(person["unit"] for person in mine if "secretary" in person["roles"])
    for community in heads:
        wanted = specialists if community == plan["first"] else ROSTER["must_have"]
        seats += [(each, community, specialists[each]) for each in wanted if each in specialists]
    left = {("zhujian", heads[-1]), ("xiaofang", heads[-2])}
    for post, unit, login in seats:
        if (post, unit) not in left:
            seat = {"id": f"{post}@{unit}", "person": person_id(login), "since": SINCE}
            yield roster.appoint, seat | {"term": an_id(district, "term", post, unit)}


def load(bus: Bus, say=print) -> None:
    """Open the two districts and let the demo people in."""
    for code in ROSTER["districts"]:
        streets = sum(row["level"] == "street" and row["code"].startswith(code) for row in divisions())
        communities = sum(row["level"] == "community" and row["code"].startswith(code) for row in divisions())
        district = ask(bus, roster.open_district, {"code": code})
        say(f"  {district['name']} {code}: {streets} 街道 / streets, {communities} 社区 / communities")
    for done, person in enumerate(PEOPLE, 1):
        admit(bus, person)
        progress(done, len(PEOPLE), "人 / people")
    say(f"\r  {len(PEOPLE)} 人 / people")


def lay(bus: Bus, say=print) -> None:
    """Lay the rosters of both districts; in demo mode only, for tests begin with empty seats."""
    for district, plan in ROSTER["districts"].items():
        orders = list(acts(district, plan))
        last, made = orders[-1]
        if is_laid(bus, district, made["id"]):
            continue
        for done, (call, order) in enumerate(orders, 1):
            ask(bus, call, order, district)
            progress(done, len(orders), f"{district} 部门、楼房、专员、目录 / departments, places, seats, rules")
        say(f"\r  {district}: {len(orders)} 项 / departments, places, seats and rules")


def is_laid(bus: Bus, district: str, seat: str) -> bool:
    """Say whether the last seat is there, so that a second start takes seconds."""
    try:
        return bool(bus.ask(roster.seat, {"id": seat}, caller(district))["terms"])
    except (NotFound, Unavailable):
        return False


def progress(done: int, count: int, what: str) -> None:
    if sys.stdout.isatty():
        print(f"\r  {done}/{count} {what}", end="", flush=True)


def main() -> None:
    """Load the demo data and print the logins."""
    if os.environ.get("HUYING_MODE") not in MOVABLE:
        raise SystemExit("生产环境没有演示账号 / No demo accounts in production; make an operator: deploy.operator")
    bus = Bus(Settings(os.environ.get("HUYING_HOME")).amqp_uri("gateway"), patience=10)
    try:
        limit = time.time() + 15
        while not bus.connected and time.time() < limit:
            time.sleep(0.05)
        load(bus)
        if os.environ["HUYING_MODE"] == "demo":
            lay(bus)
    finally:
        bus.close()
    print(f"\n演示账号 / demo logins (密码 / password: {PASSWORD})")
    for person in PEOPLE:
        if "what" in person:
            print(f"  {person['login']:<10} {person['what']}")


if __name__ == "__main__":
    main()
