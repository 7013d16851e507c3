"""The role matrix: every route and every call as every role, with and without its district's adjustment.

Routes are enumerated from the application's own table, so that a new one is covered by itself. What is wrong is
collected, and shown whole.
"""

import json
import uuid
from itertools import product
from types import SimpleNamespace

import pytest

from gateway.api.evaluation import INDICATORS
from services.entrypoints import Answer, Came
from shared.caller import Caller
from shared.contracts import CONTRACTS
from shared.contracts.permissions import PERMISSIONS, ROLE_NAMES, ROLES, may
from shared.errors import Forbidden, Unauthenticated
from tests.make import SIJIYUAN, Client, eventually, fresh
from tests.make_acts import good_acts, led_to
from tests.make_gateway import COMMUNITY, XICHENG, FakeBus, a_gateway, a_token

NOBODY = "nobody"
OF_NO_DISTRICT = ("operator", "city_observer")
IN_PATH = {"code": COMMUNITY, "community": COMMUNITY, "digest": "0" * 64, "kind": "places"}
CALLS = [call for page in CONTRACTS.values() for call in page.calls]


@pytest.fixture(scope="module")
def bus():
    return FakeBus()


@pytest.fixture(scope="module")
def app(bus):
    return a_gateway(bus)


def routes(app):
    """Give each rule and method of the API with its view, and an address that fits; pages have tests of their own."""
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/v1"):
            continue
        values = {name: IN_PATH.get(name, str(uuid.uuid4())) for name in rule.arguments}
        with app.test_request_context():
            path = app.url_map.bind("localhost").build(rule.endpoint, values)
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield method, rule.rule, path, app.view_functions[rule.endpoint]


def adjustments(permission):
    return ((),) if permission is None else ((), (f"+{permission}",), (f"-{permission}",))


def table_of(wrong: list[tuple]) -> str:
    return f"{len(wrong)} wrong:\n" + "\n".join(" | ".join(map(str, cell)) for cell in wrong)


def test_every_view_says_what_it_needs(app):
    wrong = []
    for method, rule, _, view in routes(app):
        needs, public, row = view.needs, view.public, getattr(view, "row", None)
        if bool(needs) == bool(public) or (needs and needs not in PERMISSIONS) or (row and row.call.needs != needs):
            wrong.append((method, rule, needs, public))
    assert not wrong, table_of(wrong)


def test_the_gateway_lets_through_as_the_table_says(app, bus):
    wrong, tried, client = [], 0, app.test_client()
    for (method, rule, path, view), role in product(list(routes(app)), (NOBODY, *ROLE_NAMES)):
        # The stream has no end; its HEAD passes the same guard.
        verb = "HEAD" if view.needs == "stream.listen" else method
        example = view.row.example if hasattr(view, "row") and method == "POST" else None
        for adjusted in adjustments(view.needs) if role != NOBODY else ((),):
            headers = {}
            if role != NOBODY:
                place = {"district": "", "unit": ""} if role in OF_NO_DISTRICT else {"district": XICHENG}
                headers["Authorization"] = f"Bearer {a_token((role,), adjusted=list(adjusted), **place)}"
            before = len(bus.asked)
            answer = client.open(path, method=verb, headers=headers, json=example)
            asked, status = len(bus.asked) - before, answer.status_code
            names_it = verb == "HEAD" or f"({view.needs})".encode() in answer.get_data()
            answer.close()
            tried += 1
            if view.public:
                good, expected = status not in (401, 403), "open"
            elif role == NOBODY:
                good, expected = status == 401 and not asked, "401"
            elif may((role,), view.needs, adjusted):
                good, expected = status != 401 and not (status == 403 and names_it), "through"
            else:
                good, expected = status == 403 and names_it and not asked, "403"
            if not good:
                wrong.append((method, rule, view.needs, role, *adjusted, f"{status}, not {expected}, asked {asked}"))
    print(f"{tried} requests")
    assert not wrong, table_of(wrong)
    assert tried > 3000


def heard(call, user_id, caller):
    """Have a service's side read one order; gives what it refuses with, or nothing where the call is for them."""
    user_id, _, plugin = (user_id or "").partition(" for ")
    message = SimpleNamespace(
        body=json.dumps({"no such": "order"}), headers=caller.headers() | {"for": plugin},
        properties={"user_id": user_id or None},
    )  # fmt: skip
    try:
        Answer.read(SimpleNamespace(of=call), Came(message, call.name, lambda: None))
    except (Forbidden, Unauthenticated) as refusal:
        return refusal
    except Exception:  # permitted, and then the order is no good
        return None
    return None


def test_each_service_judges_as_the_table_says():
    wrong, tried = [], 0
    for call, role in product(CALLS, ("", "no-such-role", *ROLES)):
        for adjusted in adjustments(call.needs):
            caller = Caller(XICHENG, str(uuid.uuid4()), (role,) if role else (), COMMUNITY, adjusted=adjusted)
            may_do = call.needs is None or may(caller.roles, call.needs, adjusted)
            plugin_may = call.needs is None or call.needs in ROLES["plugin"]
            for user_id, expected in (
                ("gateway", None if may_do else Forbidden),
                ("plugins for plugin-110102-water-desk", None if plugin_may else Forbidden),  # whatever else is said
                ("plugins for operator", Unauthenticated),
                ("plugins", Unauthenticated),
                ("plugin-110102-water-desk", Unauthenticated),  # a plug-in comes by the door and by no other way
                ("figures for plugin-110102-water-desk", Unauthenticated),
                (None, Unauthenticated),
            ):
                found, tried = heard(call, user_id, caller), tried + 1
                named = expected is not Forbidden or f"({call.needs})" in str(found)
                if type(found) is not (expected or type(None)) or not named:
                    wrong.append((call.service, call.name, call.needs, role, *adjusted, user_id, repr(found)))
    print(f"{tried} messages")
    assert not wrong, table_of(wrong)
    assert tried > 10000


# -- where: on the running platform -------------------------------------------------------------------------------

# Those of one unit first: where nothing that they do is done, all stays as it stands.
DOORS = {
    "xc-res": "resident", "wmy-l": "steward", "wmy-w": "worker", "wmy": "secretary", "zll": "street",
    "xc-cg": "specialist", "xc-cgl": "lead", "xc-admin": "district", "xc-look": "observer", "city": "city_observer",
    "operator": "operator",
}  # fmt: skip
OF_ONE_UNIT = ("resident", "steward", "worker", "secretary", "street")
OWN, NEIGHBOUR, NEXT_STREET, ABROAD = COMMUNITY, "110102010002", "110102010000", SIJIYUAN
# These would end the session that asks, open a district, move everybody's clock or refuse a whole district's tokens.
NOT_ASKED = {
    "sign_out",
    "end_session",
    "change_password",
    "begin_totp",
    "confirm_totp",
    "drop_totp",
    "renew",
    "sign_in",
}
NOT_ASKED |= {"open_district", "move_clock", "adjust", "change_settings", "begin_oidc", "finish_oidc", "clock"}
# Orders that name no unit and nobody: they are about the caller's own district, wherever the other codes point.
ABOUT_ONES_OWN = {"set_department", "set_category", "change_settings", "me", "sessions", "suggest", "plug_in"}
FOR_ANYBODY = {"join"}  # whoever is concerned may say so, wherever they live


def order_at(view, place: str, things: dict[str, str]) -> tuple[str, dict]:
    """Give a row's path and its example order, moved to a place and to the things that are there."""
    row, kind = view.row, view.row.path.strip("/").partition("/")[0]
    path = row.path
    for name in row.in_path:
        here = {
            "code": place,
            "community": place,
            "person": things["people"],
            "plan": str(uuid.uuid4()),
            "id": things.get(kind, str(uuid.uuid4())),
        }
        path = path.replace(f"<{name}>", here[name])
    text = json.dumps(row.example).replace(OWN[:9], place[:9]).replace(OWN[9:], place[9:])
    order = json.loads(text.replace(XICHENG, place[:6]))
    for name, value in order.items():
        if (
            name in ("term", "change", "act", "absence", "move", "suspension", "resumption")
            or name == "id"
            and isinstance(value, str)
            and len(value) == 36
        ):
            order[name] = str(uuid.uuid4())
        elif name == "person":
            order[name] = things["people"]
    return path, order


def is_outside(role: str, place: str, name: str) -> bool:
    """Say whether an order that a role may give elsewhere must not be carried out there."""
    return (place == ABROAD or role in OF_ONE_UNIT) and name not in ABOUT_ONES_OWN | FOR_ANYBODY


def seen_by(admin) -> list[list[dict]]:
    """Give all that a district shows of itself."""
    asked = [
        "/v1/units?under=110107001012",
        "/v1/seats?limit=1000",
        "/v1/whistles",
        "/v1/people?limit=200",
        "/v1/rules",
        "/v1/ratings",
    ]
    return [admin.get(path).json()["items"] for path in (*asked, "/v1/departments", "/v1/teams", "/v1/categories")]


def rated(specialist, secretary, whistle: str) -> str:
    """Have a whistle fed back and rated; gives the rating."""
    for noun, said in (("reports", {}), ("answers", {"result": "solved", "text": "已清运。"})):
        made = specialist.post(f"/v1/whistles/{whistle}/{noun}", {"act": str(uuid.uuid4())} | said)
        assert made.status_code == 201, made.text
    order = {"act": str(uuid.uuid4()), "department": "chengguan", "indicators": INDICATORS}
    path = f"/v1/whistles/{whistle}/ratings"
    return eventually(lambda: (made := secretary.post(path, order)).status_code == 201 and made.json()["id"])


def admitted(admin, url: str, role: str, unit: str) -> Client:
    """Let somebody in and sign them in."""
    id = fresh()
    order = {"id": id, "district": XICHENG, "login": f"n-{id[:13]}", "name": "邻居", "password": f"口令{id}"}
    assert admin.post("/v1/people", order | {"roles": [role], "unit": unit}).status_code == 201
    return Client(url, order["login"], order["password"])


def test_nobody_reaches_past_their_district_or_acts_past_their_unit(platform, url, sign_in, app):
    rows = [(method, view) for method, _, _, view in routes(app) if getattr(view, "row", None)]
    rows = [(method, view) for method, view in rows if view.row.call.name not in NOT_ASKED and view.needs]
    sjy, theirs = sign_in("sjy"), sign_in("sjs-admin")
    # Somebody to act upon whom nobody else needs.
    id, admin = str(uuid.uuid4()), sign_in("xc-admin")
    order = {"id": id, "district": XICHENG, "login": f"m-{id[:13]}", "name": "试验员", "password": f"口令{id}"}
    order |= {"roles": ["worker"], "unit": NEIGHBOUR}
    assert admin.post("/v1/people", order).status_code == 201
    head, street = (admitted(admin, url, *who) for who in (("secretary", NEIGHBOUR), ("street", NEXT_STREET)))
    abroad = {"people": sjy.get("/v1/me").json()["id"], "seats": f"head@{ABROAD}"}
    abroad["whistles"] = sjy.blow(community=ABROAD, departments=["chengguan"])["id"]
    abroad["ratings"] = rated(sign_in("sjs-cg"), sjy, abroad["whistles"])
    nearby = {"people": id, "seats": f"head@{NEIGHBOUR}"}
    # Each act upon a whistle of the neighbours, where it could be done there and then by those whose it is.
    acts = good_acts(head, street, sign_in("xc-cg"), admin, sign_in("xc-res"), community=NEIGHBOUR)
    standing = {name: led_to(act, head, community=NEIGHBOUR) for name, act in acts.items()}
    before, wrong, tried = seen_by(theirs), [], 0
    for login, role in DOORS.items():
        client = sign_in(login)
        for (method, view), (place, things) in product(rows, ((ABROAD, abroad), (NEIGHBOUR, nearby))):
            path, order = order_at(view, place, things)
            name, tried = view.row.call.name, tried + 1
            act = acts.get(name) if place == NEIGHBOUR and view.row.call.service == "whistle" else None
            if act:
                path, order = f"/whistles/{standing[name]}/{act.noun}", {"act": fresh()} | act.order
            answer = client.session.request(
                method, f"{url}/v1{path}", json=order if method == "POST" else None, timeout=30
            )
            cell, status = (role, method, path, place), answer.status_code
            if not may((role,), view.needs):
                if status != 403 or f"({view.needs})" not in answer.text:
                    wrong.append((*cell, status, "the permission is lacking"))
            elif status == 403 and f"({view.needs})" in answer.text:
                wrong.append((*cell, status, "the permission is there"))
            elif status >= 500:
                wrong.append((*cell, status, answer.text[:200]))
            elif place == ABROAD and status < 300 and view.row.in_path:
                wrong.append((*cell, status, "another district's thing"))
            elif method == "POST" and status < 300 and is_outside(role, place, name):
                wrong.append((*cell, status, "outside of their unit"))
            elif act and is_outside(role, place, name) and status not in (403, 404):
                wrong.append((*cell, status, answer.text[:200], "refused, but not for whose it is"))
    assert not wrong, table_of(wrong)
    assert seen_by(theirs) == before, "something in another district has changed"
    assert tried > 1_000
