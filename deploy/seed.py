"""Loads the demo data: two open districts and people who can sign in; safe to repeat, never in production."""

import json
import os
import sys
import time
import uuid
from dataclasses import replace
from pathlib import Path

from deploy.settings import Settings
from services.roster.store.districts import divisions
from shared.bus import Bus
from shared.caller import Caller
from shared.contracts import identity, roster
from shared.contracts.permissions import GRANTS
from shared.errors import Conflict, NotFound, Unavailable
from shared.running import MOVABLE, new_trace

NAMESPACE = uuid.UUID("6f1d7c1e-6f39-4a5e-9a62-6d0f6d1b1102")
OPERATOR = Caller(roles=("operator",), actor="seed")

# People with invented names; the gateway's landing page shows the same file in demo mode.
PEOPLE = json.loads((Path(__file__).parent / "data" / "demo_people.json").read_text("utf-8"))
PASSWORD = PEOPLE[0]["password"]
ADMITTED = ("login", "password", "name", "district", "roles", "unit", "department")


def person_id(login: str) -> str:
    """Give a demo person's id: the same for a login on every machine, so that seeding again finds them."""
    return str(uuid.uuid5(NAMESPACE, login))


def administrator(district: str) -> Caller:
    """Give whoever admits a district's own people: an operator only lets its administrators in."""
    return Caller(district=district, unit=district, roles=("district",), actor="seed")


def ask(bus: Bus, call, order: dict, who: Caller = OPERATOR) -> dict:
    """Ask, as the operator by default; a service that is just starting is waited for, half a minute at the most."""
    limit = time.time() + 30
    while True:
        try:
            return bus.ask(call, order, replace(who, trace=new_trace()))
        except (Unavailable, NotFound):
            # A service that is starting, or one that has not heard yet that the district is open.
            if time.time() > limit:
                raise
            time.sleep(0.3)


def load(bus: Bus, say=print) -> None:
    """Open the two districts and let the demo people in."""
    names = {row["code"]: row["name"] for row in divisions()}
    for code in ("110102", "110107"):
        streets = sum(row["level"] == "street" and row["code"].startswith(code) for row in divisions())
        communities = sum(row["level"] == "community" and row["code"].startswith(code) for row in divisions())
        district = ask(bus, roster.open_district, {"code": code})
        say(f"  {district['name']} {code}: {streets} 街道 / streets, {communities} 社区 / communities")
    for done, person in enumerate(PEOPLE, 1):
        try:
            order = {"id": person_id(person["login"])} | {key: person[key] for key in ADMITTED}
            is_operators = GRANTS["operator"].issuperset(person["roles"])
            ask(bus, identity.admit, order, OPERATOR if is_operators else administrator(person["district"]))
        except Conflict:
            say(f"  {person['login']}: 已有且不同,保留原样 / is there already and differs: left as it is")
        if sys.stdout.isatty():
            print(f"\r  {done}/{len(PEOPLE)} 人 / people", end="", flush=True)
    say(f"\r  {len(PEOPLE)} 人 / people: {names['110102009041']}, {names['110107001012']} …")


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
    finally:
        bus.close()
    print(f"\n演示账号 / demo logins (密码 / password: {PASSWORD})")
    for person in PEOPLE:
        print(f"  {person['login']:<10} {person['what']}")


if __name__ == "__main__":
    main()
