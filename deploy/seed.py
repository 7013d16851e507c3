"""Loads the demo data: two open districts and people who can sign in; safe to repeat, never in production."""

import os
import sys
import time
import uuid

from deploy.settings import Settings
from services.roster.store import divisions
from shared.bus import Bus
from shared.caller import Caller
from shared.contracts import identity, roster
from shared.errors import Conflict, Unavailable
from shared.running import MOVABLE, new_trace

PASSWORD = "huying-demo"
NAMESPACE = uuid.UUID("6f1d7c1e-6f39-4a5e-9a62-6d0f6d1b1102")
OPERATOR = Caller(roles=("operator",), actor="seed")

# login, name (invented), district, roles, unit, department, what they are
PEOPLE = [
    ("operator", "邵平", "", ["operator"], "", "", "运维 / operator"),
    ("wmy", "郑桂兰", "110102", ["secretary"], "110102009041", "", "万明园社区书记 / secretary of 万明园"),
    ("zll", "冯建国", "110102", ["street"], "110102009000", "", "展览路街道 / 展览路 street"),
    ("xc-cg", "马志强", "110102", ["specialist"], "110102", "chengguan", "西城城管专员 / urban management"),
    ("xc-sc", "林晓燕", "110102", ["specialist"], "110102", "shichang", "西城市场监管专员 / market supervision"),
    ("xc-zj", "韩立", "110102", ["specialist"], "110102", "zhujian", "西城住建专员 / housing"),
    ("xc-admin", "秦岚", "110102", ["district"], "110102", "", "西城区管理员 / district administrator"),
    ("xc-look", "于淼", "110102", ["observer"], "110102", "", "西城区观察员 / observer"),
    ("xc-res", "孙秀英", "110102", ["resident"], "110102009041", "", "万明园居民 / resident"),
    ("sjy", "潘玉梅", "110107", ["secretary"], "110107001012", "", "四季园社区书记 / secretary of 四季园"),
    ("bbs", "贺明", "110107", ["street"], "110107001000", "", "八宝山街道 / 八宝山 street"),
    ("sjs-cg", "罗勇", "110107", ["specialist"], "110107", "chengguan", "石景山城管专员 / urban management"),
    ("sjs-xf", "谭刚", "110107", ["specialist"], "110107", "xiaofang", "石景山消防专员 / fire service"),
    ("sjs-admin", "夏静", "110107", ["district"], "110107", "", "石景山区管理员 / district administrator"),
]


def person_id(login: str) -> str:
    """Give a demo person's id: the same for a login on every machine, so that seeding again finds them."""
    return str(uuid.uuid5(NAMESPACE, login))


def ask(bus: Bus, call, order: dict) -> dict:
    """Ask as the operator; a service that is just starting is waited for, half a minute at the most."""
    limit = time.time() + 30
    while True:
        try:
            return bus.ask(call, order, Caller(**{**vars(OPERATOR), "trace": new_trace()}))
        except Unavailable:
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
    for done, (login, name, district, roles, unit, department, _) in enumerate(PEOPLE, 1):
        order = {"id": person_id(login), "district": district, "login": login, "name": name, "password": PASSWORD}
        try:
            ask(bus, identity.admit, order | {"roles": roles, "unit": unit, "department": department})
        except Conflict:
            say(f"  {login}: 已有且不同,保留原样 / is there already and differs: left as it is")
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
    for login, _, _, _, _, _, what in PEOPLE:
        print(f"  {login:<10} {what}")


if __name__ == "__main__":
    main()
