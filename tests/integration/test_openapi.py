"""What we publish is what we do: every operation, as every role, with good and bad orders made from our own OpenAPI."""

import io
import json
import socket
import time
from http.client import HTTPResponse

import pyotp
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some
from PIL import Image
from schemathesis import checks as general
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi import checks as openapi

from gateway.api.evaluation import INDICATORS
from services.whistle.store.answering import FRESH
from shared.contracts.permissions import ROLES
from shared.contracts.rows import person_of
from shared.contracts.settings import CITY
from tests.make import Client, a_blow, eventually, fresh, solved
from tests.make_acts import good_acts, led_to
from tests.make_plugins import a_plug_in

# A district of its own, so that whatever is tried here disturbs nobody else's tests.
DISTRICT = "110109"
PEOPLE = {
    "resident": "", "secretary": "", "street": "", "specialist": "chengguan", "district": "", "observer": "",
}  # fmt: skip
CHECKS = [
    general.not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_headers_conformance,
    openapi.response_schema_conformance,
]
# An answer without an end, and an end of one's own session: each is tried by hand below.
# An adjustment ends everybody's token in the district.
BY_HAND = {"stream.listen", "identity.sign_out", "identity.adjust"}
WHY = {"people": {"purpose": "inquiry"}}
MOST = 10  # orders of each operation that a role may give; `make test-all` makes thirty, by chance


class Stage:
    """Somebody of each role in a district of their own, and things there for them to act on."""

    def __init__(self, url: str, operator: Client):
        self.url, self.clients = url, {"operator": operator, "nobody": Client(url)}
        self.session = requests.Session()
        self.session.headers.clear()
        eventually(lambda: operator.post("/v1/districts", {"code": DISTRICT}).status_code == 201, 30)
        rows = operator.get("/v1/divisions", params={"under": DISTRICT, "limit": 1000}).json()["items"]
        self.community = next(row["code"] for row in rows if row["level"] == "community")
        for role in sorted(PEOPLE, key="district".__ne__):  # the administrator lets the others in
            self.clients[role] = self.admit(role)[0]
        secretary = self.clients["secretary"]
        eventually(lambda: secretary.post("/v1/whistles", self.blow()).status_code == 201)
        self.blown, self.reported, self.settled = self.whistle(0), self.whistle(1), self.whistle(2)
        self.victim = self.admit("observer")[1]
        self.photo = self.upload().json()["digest"]

    def admit(self, role: str) -> tuple[Client, str]:
        id, unit = fresh(), self.community if role in ("secretary", "resident") else DISTRICT
        unit = self.community[:9] + "000" if role == "street" else unit
        order = {"id": id, "district": DISTRICT, "login": f"o-{id[:13]}", "name": "试验员", "password": f"口令{id}"}
        order |= {"roles": [role], "unit": unit, "department": PEOPLE[role]}
        giver = self.clients["operator" if role == "district" else "district"]

        def let_in():
            """Let them in; the giver signs in anew where an adjustment has ended their token just now."""
            made = giver.post("/v1/people", order)
            if made.status_code == 401:
                giver.sign_in()
            return made

        answer = eventually(let_in, 10)
        assert answer.status_code == 201, answer.text
        return Client(self.url, order["login"], order["password"]), id

    def blow(self, **changes) -> dict:
        return a_blow(community=self.community, **changes)

    def whistle(self, steps: int) -> str:
        """Blow a whistle and take it some steps on; gives its id."""
        secretary, id = self.clients["secretary"], fresh()
        assert secretary.post("/v1/whistles", self.blow(id=id)).status_code == 201
        if steps == 1:
            assert self.clients["specialist"].report(id).ok
        if steps > 1:
            solved(id, secretary, self.clients["specialist"])
            assert secretary.settle(id).ok
        return id

    def upload(self):
        out = io.BytesIO()
        Image.new("RGB", (8, 8), (200, 30, 60)).save(out, "PNG")
        secretary = self.clients["secretary"]
        return secretary.session.post(
            self.url + "/v1/photos", data=out.getvalue(), headers={"Content-Type": "image/png"}, timeout=30
        )


@pytest.fixture(scope="module")
def stage(url, sign_in) -> Stage:
    return Stage(url, sign_in("operator"))


@pytest.fixture(scope="module")
def published(url):
    return schemathesis.openapi.from_url(f"{url}/openapi.json")


def operations(published) -> dict:
    return {found.ok().definition.raw["operationId"]: found.ok() for found in published.get_all_operations()}


def paths_of(stage: Stage, name: str):
    """Give the path's parameters that stand for something that is there."""
    if name == "identity.revoke":
        return [{"id": stage.victim}]
    if name == "photos.show":
        return [{"digest": stage.photo}]
    return [{"id": id} for id in (stage.blown, stage.reported, stage.settled)]


def cases(stage: Stage, role: str, name: str, operation):
    """Give good and bad orders of one operation, half of them about what is there."""
    # The clock may be moved, but not by a year while other tests look at it.
    fixed = {"body": {"forward": 0.5, "speed": 1}} if (role, name) == ("operator", "roster.move_clock") else {}
    made = []
    for mode in GenerationMode:
        if fixed and mode is GenerationMode.NEGATIVE:
            continue
        made.append(operation.as_strategy(generation_mode=mode, **fixed))
        if operation.path_parameters:
            made += [
                operation.as_strategy(generation_mode=mode, path_parameters=path, **fixed)
                for path in paths_of(stage, name)
            ]
    return some.one_of(made)


def answered(stage: Stage, role: str, case) -> int:
    """Ask as one role, and hold the answer against what we publish; gives its status."""
    client, is_open = stage.clients[role], case.operation.definition.raw.get("security") == []
    case.headers.pop("Authorization", None)

    def ask():
        bearer = client.session.headers.get("Authorization")
        headers = {"Authorization": bearer} if bearer else {}
        return case.call(base_url=stage.url, session=stage.session, headers=headers, timeout=30)

    answer = ask()
    # Of the bad orders some leave the token out: those are meant to be refused.
    if answer.status_code == 401 and "Authorization" in answer.request.headers and not is_open:
        client.sign_in()  # it was old, or an adjustment has ended it
        answer = ask()
    assert answer.status_code not in (500, 503), answer.text
    case.validate_response(answer, checks=CHECKS)
    return answer.status_code


def drawn(strategy, most: int, use, **how) -> None:
    """Have Hypothesis draw orders, and use each."""

    @settings(max_examples=most, deadline=None, database=None, suppress_health_check=list(HealthCheck), **how)
    @given(case=strategy)
    def each(case):
        use(case)

    each()


@pytest.fixture(scope="module")
def orders(stage, published):
    """Good and bad orders of each operation, the same at every run and for every role: making them takes longest."""
    made: dict[tuple, list] = {}

    def of(role: str, name: str, most: int) -> list:
        key = name, role if name == "roster.move_clock" else ""
        if key not in made:
            made[key], strategy = [], cases(stage, role, name, operations(published)[name])
            drawn(strategy, MOST, made[key].append, derandomize=True, phases=[Phase.generate])
        return made[key][:most]

    return of


def tried(published, role: str, most: int, ask) -> dict[str, set[int]]:
    """Try every operation as one role, to the end; gives the statuses, and fails with all that went wrong."""
    statuses, wrong = {}, []
    for name, operation in operations(published).items():
        if name in BY_HAND:
            continue
        needs = operation.definition.raw.get("x-permission")
        # Where a role is refused whatever it says, a few are enough.
        count = most if needs is None or needs in ROLES.get(role, ()) else max(2, most // 5)
        try:
            statuses[name] = ask(name, operation, count)
        except Exception as error:
            notes = "\n".join(str(each) for each in getattr(error, "exceptions", [error]))
            wrong.append(f"{name} as {role}: {type(error).__name__} {notes}"[:1500])
    assert not wrong, "\n\n".join(wrong)
    return statuses


@pytest.mark.parametrize("role", ["nobody", *PEOPLE, "operator"])
def test_whatever_is_asked_by_this_role_is_answered_as_published(stage, published, orders, role):
    def ask(name, operation, count: int) -> set[int]:
        return {answered(stage, role, case) for case in orders(role, name, count)}

    statuses = tried(published, role, MOST, ask)
    assert set(statuses) == set(operations(published)) - BY_HAND
    for name, operation in operations(published).items():
        needs = operation.definition.raw.get("x-permission")
        if name in BY_HAND or needs is None:
            continue
        good = {status for status in statuses[name] if 200 <= status < 300}
        if role == "nobody":
            assert statuses[name] <= {401, 413, 414}, f"{name} is open to nobody in particular"
        elif needs not in ROLES[role]:
            assert not good and 403 in statuses[name], f"{role} may not {needs}: {statuses[name]}"


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("role", ["nobody", *PEOPLE, "operator"])
def test_whatever_is_asked_by_this_role_by_chance_is_answered_as_published(stage, published, role):
    def ask(name, operation, count: int) -> None:
        phases = [Phase.generate, Phase.shrink] if count > 20 else [Phase.generate]
        drawn(cases(stage, role, name, operation), count, lambda case: answered(stage, role, case), phases=phases)

    tried(published, role, 30, ask)


def roster_orders(stage: Stage) -> dict:
    """Give one good order for each operation of the tree, its seats and the catalogue, in an order that makes sense."""
    admin, here = stage.clients["district"], stage.community
    street, compound, since = here[:9] + "000", f"{here}.01", "2018-01-15"
    rows = admin.get("/v1/units", params={"under": street, "level": "community"}).json()["items"]
    other = next(row["code"] for row in rows if row["code"] != here)
    free = next(code for n in range(300, 390) if (code := f"{here[:9]}{n}") not in {row["code"] for row in rows})
    person, next_one, head = (stage.admit(role)[1] for role in ("specialist", "specialist", "secretary"))
    seat, term, absence = f"chengguan@{here}", fresh(), fresh()

    def post(path: str, **order):
        def act():
            # Facts about people who were let in a moment ago may still be on their way.
            limit = time.monotonic() + 10
            while (made := admin.post(path, order)).status_code >= 400 and time.monotonic() < limit:
                time.sleep(0.2)
            return made

        return act

    def change() -> dict:
        return {"change": fresh()}

    def get(path: str, **asked):
        return lambda: admin.get(path, params=asked)

    place = {"parent": here, "level": "compound", "type": "小区", "name": "一区", "since": since}
    rule = {"category": "0101", "unit": here}
    return {
        "roster.found": post("/v1/units", code=compound, **place),
        "roster.change_unit": post(f"/v1/units/{compound}/changes", name="一小区", **change()),
        "roster.mark": post(f"/v1/units/{here}/marks", pilot="试点社区", **change()),
        "roster.set_settings": post(f"/v1/units/{here}/settings", settings={"report_within": 80}, **change()),
        "roster.settings": get(f"/v1/units/{here}/settings"),
        "roster.units": get("/v1/units", limit=3),
        "roster.unit": get(f"/v1/units/{compound}"),
        "roster.unit_trace": get(f"/v1/units/{compound}/history"),
        "roster.split": post(
            f"/v1/units/{here}/splits", new=free, name="新社区", places=[compound], since=since, **change()
        ),
        "roster.set_department": post("/v1/departments", code="ranqi", name="燃气集团", kind="utility", **change()),
        "roster.departments": get("/v1/departments"),
        "roster.set_team": post(
            "/v1/teams", id=fresh(), department="chengguan", unit=street, name="综合执法队", **change()
        ),
        "roster.teams": get("/v1/teams"),
        "roster.publish_card": post(f"/v1/holders/{person}/card", name="试验员", phone="010-66551234", **change()),
        "roster.appoint": post(f"/v1/seats/{seat}/terms", term=term, person=person, since=since),
        "roster.seats": get("/v1/seats", unit=here),
        "roster.seat": get(f"/v1/seats/{seat}"),
        "roster.seat_trace": get(f"/v1/seats/{seat}/history"),
        "roster.take_leave": post(
            f"/v1/holders/{person}/leaves", absence=absence, since="2031-01-01", until="2031-01-09", substitute=next_one
        ),
        "roster.end_leave": post(f"/v1/holders/{person}/returns", absence=absence, back="2031-01-05", **change()),
        "roster.holder": get(f"/v1/holders/{person}"),
        "roster.station": get(f"/v1/stations/{here}"),
        "roster.sheet": get(f"/v1/stations/{here}/sheet"),
        "roster.gaps": get("/v1/gaps", limit=3),
        "roster.handover": get(f"/v1/seats/{seat}/sheet"),
        "roster.drop_plan": planned(admin, other, free),
        "roster.hand_over": post(
            f"/v1/seats/{seat}/handovers", term=fresh(), person=next_one, since="2031-06-01", **change()
        ),
        "roster.end_term": post(
            f"/v1/seats/head@{here}/departures",
            term=appointed(admin, f"head@{here}", head, since), until="2031-01-01", **change(),
        ),
        "roster.withdraw_card": post(f"/v1/holders/{person}/card/withdrawals", **change()),
        "roster.categories": get("/v1/categories", limit=3),
        "roster.set_category": post("/v1/categories", code="010101", name="阳台外扩", **change()),
        "roster.set_rule": post("/v1/rules", lead="chengguan", **rule, **change()),
        "roster.rules": get("/v1/rules"),
        "roster.catalogue": get("/v1/catalogue"),
        "whistle.responsible": lambda: eventually(
            lambda: (made := admin.get("/v1/responsible", params=rule)).status_code == 200 and made, 10
        ),
        "roster.remove_rule": post("/v1/rules/removals", **rule, **change()),
        "roster.merge": post(f"/v1/units/{other}/mergers", communities=[free], since="2020-01-01", **change()),
        "roster.close": lambda: eventually(lambda: closed(admin, f"{here}.09", here, since), 10),
    }  # fmt: skip


def planned(admin: Client, code: str, community: str):
    """Give what plans a merger and gives it up."""

    def act():
        order = {"change": fresh(), "communities": [community], "since": "2099-01-01"}
        assert admin.post(f"/v1/units/{code}/mergers", order).status_code == 201
        return admin.post(f"/v1/units/{code}/plans/{order['change']}/withdrawals", {"change": fresh()})

    return act


def appointed(admin: Client, seat: str, person: str, since: str) -> str:
    """Appoint somebody, as soon as the roster has heard of them; gives the term."""
    term = fresh()
    order = {"term": term, "person": person, "since": since}
    eventually(lambda: admin.post(f"/v1/seats/{seat}/terms", order).status_code == 201, 10)
    return term


def closed(admin: Client, code: str, parent: str, since: str):
    """Found a compound and close it again."""
    order = {"code": code, "parent": parent, "level": "compound", "type": "小区", "name": "九区", "since": since}
    admin.post("/v1/units", order)
    made = admin.post(f"/v1/units/{code}/closures", {"change": fresh(), "until": "2019-01-01"})
    return made.status_code < 400 and made


def whistle_orders(stage: Stage) -> dict:
    """Give one good order for each operation of the whistle, upon one that stands where the act is called for."""
    who, here = stage.clients, {"community": stage.community}
    head, street, one, admin, observer, resident = (
        who[role] for role in ("secretary", "street", "specialist", "district", "observer", "resident")
    )
    acts = good_acts(head, street, one, admin, resident, **here)

    def act(name: str):
        def ask():
            id = led_to(acts[name], head, **here)
            # To whom a seat belongs, the whistle service hears on its own feet.
            return eventually(lambda: acts[name].do(id))

        return ask

    def get(client: Client, path: str, **params):
        return lambda: client.get(f"/v1/{path}", params=params)

    return {f"whistle.{name}": act(name) for name in acts} | {
        "whistle.blow": lambda: head.post("/v1/whistles", stage.blow(photos=[stage.photo])),
        "whistle.get": get(observer, f"whistles/{stage.settled}"),
        "whistle.listing": get(observer, "whistles", limit=3),
        "whistle.own_one": get(head, f"my-whistles/{stage.settled}"),
        "whistle.own_listing": get(head, "my-whistles", limit=3),
        "whistle.inbox": get(head, "inbox", scope="community", limit=3),
        "whistle.counts": get(one, "inbox-counts", scope="department"),
        "whistle.near": get(resident, "near-whistles", category="0101", lon=116.3, lat=39.9, **here),
        "whistle.preview": get(street, f"whistles/{stage.reported}/recomputation"),
        "whistle.open_work": get(admin, "open-whistles", department="chengguan", **here),
        "whistle.trace": get(observer, f"whistles/{stage.settled}/history"),
        "proofs.show": get(observer, f"whistles/{stage.settled}/proof"),
        "whistle.verify": get(who["district"], "verification", part=255),
        "whistle.suggest": lambda: observer.post("/v1/suggestions", {"text": "三楼阳台违建"}),
    }


def table_orders(stage: Stage) -> dict:
    """Give one good order for each operation of the tables: a template, brought in, carried out, taken out again."""
    admin, here, good = stage.clients["district"], stage.community, {}
    tables = {
        "people": f"登录名,姓名,角色,单位编码\nt-{fresh()[:8]},试验员,resident,{here}\n",
        "places": f"编码,上级编码,类型,名称,启用日\n{here}.77,{here},小区,七区,2018-01-15\n",
        "seats": None,
        "rules": f"类别,地点,主办\n0102,{here},chengguan\n",
    }
    login = f"t-{fresh()[:8]}"
    order = {"id": person_of(DISTRICT, login), "district": DISTRICT, "login": login, "name": "试验员"}
    order |= {"password": f"口令{fresh()}", "roles": ["specialist"], "unit": DISTRICT, "department": "zhujian"}
    assert admin.post("/v1/people", order).status_code == 201
    tables["seats"] = f"岗位,社区或楼编码,登录名,姓名,电话,起\nzhujian,{here},{login},试验员,010-66551234,2018-01-15\n"
    for kind, text in tables.items():
        service, id = "identity" if kind == "people" else "roster", fresh()

        def check(kind=kind, text=text, id=id):
            return admin.session.post(
                f"{admin.url}/v1/tables/{kind}?id={id}", text.encode(), headers={"Content-Type": "text/csv"}, timeout=30
            )

        good |= {
            f"tables.check_{kind}": check,
            f"{service}.import_{kind}": lambda kind=kind, id=id: admin.post(f"/v1/tables/{kind}/{id}/runs"),
            f"{service}.{kind}_table": lambda kind=kind, id=id: admin.get(f"/v1/tables/{kind}/{id}"),
            f"tables.template_{kind}": lambda kind=kind: admin.get(f"/v1/tables/{kind}/template.xlsx"),
            f"tables.csv_file_{kind}": lambda kind=kind: admin.get(f"/v1/tables/{kind}.csv", params=WHY.get(kind)),
            f"tables.xlsx_file_{kind}": lambda kind=kind: admin.get(f"/v1/tables/{kind}.xlsx", params=WHY.get(kind)),
        }
    return good


def rating_orders(stage: Stage) -> dict:
    """Give one good order for each operation of the ratings: something is fed back, rated, and the rating amended."""
    secretary, id, order = stage.clients["secretary"], fresh(), {"act": fresh(), "department": "chengguan"}
    order |= {"indicators": INDICATORS, "note": "来得快"}
    path, poor = f"/v1/whistles/{id}/ratings", INDICATORS | {"quality": 1}
    assert secretary.post("/v1/whistles", stage.blow(id=id)).status_code == 201
    for noun, said in (("reports", {}), ("answers", {"result": "solved", "text": "已清运。"})):
        made = stage.clients["specialist"].post(f"/v1/whistles/{id}/{noun}", {"act": fresh()} | said)
        assert made.status_code == 201, made.text
    rating = eventually(lambda: (made := secretary.post(path, order)).status_code == 201 and made.json()["id"])
    return {
        "evaluation.rate": lambda: secretary.post(path, order),
        "evaluation.amend": lambda: secretary.post(
            f"/v1/ratings/{rating}/amendments", {"act": fresh(), "indicators": poor, "reason": "又漏了"}
        ),
        "evaluation.of_whistle": lambda: stage.clients["district"].get(path),
        "evaluation.listing": lambda: stage.clients["observer"].get("/v1/ratings", params={"limit": 3}),
    }


def plugin_orders(stage: Stage) -> dict:
    """Give one good order for each operation of departments' programs: one is let in, and taken off in the end."""
    admin, order = stage.clients["district"], a_plug_in()
    path = f"/v1/plugins/{order['id']}"

    def change(noun: str, **more):
        return lambda: admin.post(f"{path}/{noun}", {"change": fresh()} | more)

    return {
        "plugins.plug_in": lambda: eventually(lambda: (made := admin.post("/v1/plugins", order)).ok and made),
        "plugins.change_terms": change("changes", facts=["whistle.called"]),
        "plugins.switch": change("switches", acts=False),
        "plugins.rotate": change("rotations"),
        "plugins.get": lambda: admin.get(path),
        "plugins.listing": lambda: admin.get("/v1/plugins", params={"department": "chengguan"}),
        "plugins.parked": lambda: admin.get(f"{path}/parked"),
        "plugins.replay": change("replays"),
        "plugins.drop": change("drops", reason="obsolete"),
        "plugins.unplug": change("revocations"),
    }


def under_the_citys_settings(stage: Stage) -> None:
    """Whatever was set by chance before: in this community the city's settings hold, and all departments are called."""
    admin = stage.clients["district"]
    departments = [row["code"] for row in admin.get("/v1/departments").json()["items"]]
    for pilot in (False, True):
        order = {"change": fresh(), "settings": CITY | {"departments": departments}, "pilot": pilot}
        answer = admin.post(f"/v1/units/{stage.community}/settings", order)
        assert answer.status_code < 300, answer.text
    time.sleep(FRESH + 1)  # the whistle service hears of it, and goes so long by what it knew


def test_each_operation_succeeds_for_somebody_who_may(stage, published, url, sign_in):
    """One good order for each operation, checked against what is published about its answer."""
    under_the_citys_settings(stage)
    who, one_more = stage.clients, stage.admit("secretary")[0]
    renewal = stage.admit("observer")[0].signed["renewal"]
    (mine, _), (other, other_id), (them, their_id) = (stage.admit("observer") for _ in range(3))
    own_session = next(row["id"] for row in mine.get("/v1/me/sessions").json()["items"] if row["current"])
    path, password = f"/v1/people/{their_id}", f"口令{fresh()}"
    person = {"id": fresh(), "district": DISTRICT, "login": f"o-{fresh()[:13]}", "name": "新来的", "password": password}
    person |= {"roles": ["observer"], "unit": DISTRICT}
    today = who["observer"].get("/v1/clock").json()["now"][:10]
    change = {"change": fresh(), "settings": {"departments": ["chengguan", "zhujian"]}}
    good = {
        "identity.admit": lambda: who["district"].post("/v1/people", person),
        "identity.sign_in": lambda: who["nobody"].post(
            "/v1/sessions", {"login": person["login"], "password": password}
        ),
        "identity.renew": lambda: who["nobody"].post("/v1/sessions/renewals", {"renewal": renewal}),
        "identity.me": lambda: who["resident"].get("/v1/me"),
        "identity.sessions": lambda: who["resident"].get("/v1/me/sessions"),
        "identity.end_session": lambda: mine.delete(f"/v1/me/sessions/{own_session}"),
        "identity.begin_totp": lambda: them.post("/v1/me/totp"),
        "identity.confirm_totp": lambda: them.post(
            "/v1/me/totp/confirmations", {"code": pyotp.TOTP(them.post("/v1/me/totp").json()["key"]).now()}
        ),
        "identity.drop_totp": lambda: them.post("/v1/me/totp/removals", {"password": f"口令{their_id}"}),
        "identity.people": lambda: who["observer"].get("/v1/people", params={"limit": 3}),
        "identity.person": lambda: who["observer"].get(path),
        "identity.reveal": lambda: who["district"].post(f"{path}/views", {"purpose": "verify"}),
        "identity.person_trace": lambda: who["district"].get(f"{path}/history"),
        "identity.move": lambda: who["district"].post(
            f"{path}/moves", {"move": fresh(), "roles": ["observer"], "unit": DISTRICT}
        ),
        "identity.correct": lambda: who["district"].post(
            f"{path}/corrections", {"correction": fresh(), "name": "试验员二"}
        ),
        "identity.suspend": lambda: who["district"].post(
            f"{path}/suspensions", {"suspension": fresh(), "reason": "absent"}
        ),
        "identity.resume": lambda: who["district"].post(f"{path}/resumptions", {"resumption": fresh()}),
        "identity.reset_password": lambda: who["district"].post(f"{path}/password", {"password": "only-for-once"}),
        "identity.reset_totp": lambda: who["district"].delete(f"{path}/totp"),
        "identity.link": lambda: who["district"].post(f"{path}/external", {"external": fresh()}),
        "identity.change_password": lambda: other.post(
            "/v1/me/password", {"old": f"口令{other_id}", "new": "another-password"}
        ),
        "identity.access": lambda: who["observer"].get("/v1/access"),
        "identity.security": lambda: who["district"].get("/v1/security", params={"limit": 5}),
        "security.security_table": lambda: who["district"].get("/v1/security.csv"),
        "identity.revoke": lambda: who["district"].post(
            f"/v1/people/{person['id']}/revocations", {"revocation": fresh(), "reason": "dismissed"}
        ),
        "identity.sign_out": lambda: one_more.delete("/v1/sessions/current"),
        "roster.districts": lambda: who["resident"].get("/v1/districts"),
        "roster.open_district": lambda: who["operator"].post("/v1/districts", {"code": DISTRICT}),
        "roster.change_settings": lambda: who["district"].post("/v1/districts/current/settings", change),
        "roster.divisions": lambda: who["resident"].get("/v1/divisions", params={"limit": 5}),
        "roster.clock": lambda: who["resident"].get("/v1/clock"),
        "roster.move_clock": lambda: who["operator"].post("/v1/clock", {"forward": 1}),
        "figures.sums": lambda: who["observer"].get("/v1/figures"),
        "figures.heard": lambda: who["observer"].get("/v1/figures/heard", params={"day": today, "fact": "blown"}),
        "photos.keep": stage.upload,
        "photos.show": lambda: who["observer"].get(f"/v1/photos/{stage.photo}", params={"size": "thumb"}),
        "identity.adjust": lambda: who["district"].post(
            "/v1/access/adjustments", {"adjustment": fresh(), "role": "steward", "add": ["person.read"], "drop": []}
        ),
        "stream.listen": lambda: sign_in("xc-look").session.get(f"{url}/v1/stream", stream=True, timeout=10),
    }
    # These first: an adjustment ends every token of the district.
    good = roster_orders(stage) | whistle_orders(stage) | table_orders(stage) | rating_orders(stage) | good
    good = plugin_orders(stage) | good
    known = operations(published)
    # Of the second door test_doors.py asks, where there is one.
    assert set(good) == set(known) - {"identity.begin_oidc", "identity.finish_oidc"}
    for name, act in good.items():
        answer = act()
        assert 200 <= answer.status_code < 300, f"{name}: {answer.status_code} {answer.text[:300]}"
        if name == "stream.listen":
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            answer.close()
            continue
        known[name].validate_response(answer)


@pytest.mark.parametrize("role", ["nobody", *PEOPLE, "operator"])
def test_the_stream_is_opened_by_those_who_may_listen(stage, url, role):
    # Signed in anew: an adjustment, tried above, ends every token of the district.
    client = stage.admit(role)[0] if role in PEOPLE else stage.clients[role]
    answer = client.session.get(f"{url}/v1/stream", stream=True, timeout=10)
    may = "stream.listen" in ROLES.get(role, ())
    assert answer.status_code == (401 if role == "nobody" else 200 if may else 403)
    answer.close()


@pytest.mark.parametrize(
    ("status", "address", "header"), [(414, "x" * 4_100, ""), (431, "", "x" * 9_000), (400, "", "\x00")]
)
def test_what_cannot_even_be_read_is_a_problem_like_any_other(url, status, address, header):
    """The server refuses it before there is a request."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as caller:
        caller.sendall(f"GET /v1/units?after={address} HTTP/1.1\r\nHost: x\r\nX: {header}\r\n\r\n".encode())
        answer = HTTPResponse(caller)
        answer.begin()
        told = json.loads(answer.read())
    assert (answer.status, answer.getheader("Content-Type")) == (status, "application/problem+json")
    assert told["status"] == status and told["type"] == f"/docs#problem-{status}" and " / " in told["title"]


def test_each_published_example_of_an_order_fits_its_own_schema(published):
    import jsonschema

    raw, seen = json.loads(json.dumps(published.raw_schema)), 0
    for path in raw["paths"].values():
        for operation in path.values():
            for media in operation.get("requestBody", {}).get("content", {}).values():
                if "example" in media:
                    jsonschema.validate(media["example"], media["schema"] | {"components": raw["components"]})
                    seen += 1
    assert seen >= 10
