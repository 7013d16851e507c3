"""What is published is what is served, and every door has a lock."""

import re
from pathlib import Path

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway import spec
from shared.contracts import CONTRACTS
from shared.contracts.permissions import PERMISSIONS, ROLES
from tests.make_gateway import a_fact, a_gateway

ROOT = Path(__file__).parents[2]
ROUTES = Path(__file__).parent / "routes.txt"
OPEN_TO_EVERYBODY = {
    "GET /",
    "GET /sign-in",
    "POST /sign-in",
    "POST /sign-in/other",
    "GET /sign-in/return",
    "POST /sign-in/return",
    "POST /sign-out",
    "POST /looks",
    "GET /design",
    "POST /v1/sessions/oidc",
    "POST /v1/sessions/oidc/returns",
    "GET /docs",
    "GET /openapi.json",
    "GET /asyncapi.json",
    "GET /static/<path:filename>",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "POST /v1/sessions",
    "POST /v1/sessions/renewals",
}
EXAMPLE_ID = "9b2f4c1e-7d3a-4f60-8b1c-2a5d6e7f8091"


@pytest.fixture(scope="module")
def app():
    return a_gateway()


@pytest.fixture(scope="module")
def documents(app):
    return spec.documents(app)


def routes(app):
    """Give every route as ``METHOD path`` with its view."""
    return {
        f"{method} {rule.rule}": app.view_functions[rule.endpoint]
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def references(document):
    """Give every $ref of a document."""
    if isinstance(document, dict):
        for name, value in document.items():
            if name == "$ref":
                yield value
            yield from references(value)
    elif isinstance(document, list):
        for each in document:
            yield from references(each)


def resolved(document, reference):
    """Follow a local reference; raises KeyError where nothing is."""
    found = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found


@pytest.mark.parametrize("name", ["openapi.json", "asyncapi.json"])
def test_the_committed_specification_is_the_one_that_is_served(app, documents, name):
    committed = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert committed == spec.written(documents[name]), "run: python -m gateway.spec write"
    served = app.test_client().get(f"/{name}")
    assert served.text == committed
    again = app.test_client().get(f"/{name}", headers={"If-None-Match": served.headers["ETag"]})
    assert again.status_code == 304


def test_the_committed_list_of_routes_is_the_one_that_is_served(app):
    assert sorted(routes(app)) == ROUTES.read_text(encoding="utf-8").splitlines()


def test_every_route_asks_for_a_permission_or_is_meant_to_be_open(app):
    found = routes(app)
    public = {name for name, view in found.items() if getattr(view, "public", False)}
    assert public == OPEN_TO_EVERYBODY
    for name in set(found) - public:
        assert found[name].needs in PERMISSIONS, name


def test_every_closed_route_really_is_closed(app):
    client = app.test_client()
    for name in set(routes(app)) - OPEN_TO_EVERYBODY:
        method, path = name.split(" ", 1)
        # A page's order is looked at for where it comes from first.
        here = {"Origin": "http://localhost"}
        answer = client.open(re.sub(r"<[^>]+>", EXAMPLE_ID, path), method=method, headers=here)
        assert answer.status_code == 401, name


def test_every_permission_that_a_route_asks_for_is_carried_by_somebody(app):
    for name, view in routes(app).items():
        needs = getattr(view, "needs", None)
        assert needs is None or any(needs in carried for carried in ROLES.values()), name


def test_openapi_is_openapi(documents):
    OpenAPIV31SpecValidator(documents["openapi.json"]).validate()


def test_openapi_has_every_route_under_v1_and_nothing_else(app, documents):
    printed = {
        f"{method.upper()} {path.replace('{', '<').replace('}', '>')}"
        for path, operations in documents["openapi.json"]["paths"].items()
        for method in operations
    }
    assert printed == {name for name in routes(app) if " /v1/" in name}


@pytest.mark.parametrize("name", ["openapi.json", "asyncapi.json"])
def test_every_reference_leads_somewhere(documents, name):
    found = set(references(documents[name]))
    assert len(found) > 20
    for reference in found:
        resolved(documents[name], reference)


def test_every_example_body_fits_its_contract(app):
    with_example = 0
    for view in routes(app).values():
        row = getattr(view, "row", None)
        if row is None or row.method != "POST":
            continue
        assert row.schema().validate(row.example) == {}, row.path
        with_example += 1
    assert with_example >= 10


def test_every_example_body_fits_the_printed_schema(documents):
    document = documents["openapi.json"]
    for operations in document["paths"].values():
        for operation in operations.values():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content:
                schema = {"$ref": content["schema"]["$ref"], "components": document["components"]}
                jsonschema.Draft202012Validator(schema).validate(content["example"])


def test_an_order_of_the_printed_schema_takes_no_word_that_the_contract_does_not_know(documents):
    schemas = documents["openapi.json"]["components"]["schemas"]
    for name in ("Blow", "Report", "Settle", "SignIn", "Admit"):
        assert schemas[name]["additionalProperties"] is False
    assert "id" not in schemas["Report"]["properties"], "it comes with the path"
    assert schemas["Blow"]["properties"]["kind"]["enum"] == ["群众诉求", "重点工作", "综合执法", "应急处置"]
    assert schemas["Report"]["properties"]["version"]["type"] == ["integer", "null"]


def test_every_operation_says_in_both_languages_what_it_is_and_who_may(documents):
    for path, operations in documents["openapi.json"]["paths"].items():
        for method, operation in operations.items():
            chinese, _, english = operation["summary"].partition(" / ")
            assert re.search(r"[\u4e00-\u9fff]", chinese) and english, (method, path)
            assert operation["x-permission"] is None or operation["x-roles"], (method, path)
            assert {"429", "503"} <= set(operation["responses"]), (method, path)


def test_asyncapi_is_asyncapi(documents):
    """No package of the Python index carries AsyncAPI's own schema, so its rules are written down here one by one."""
    document = documents["asyncapi.json"]
    assert document["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(document["info"])
    for server in document["servers"].values():
        assert {"host", "protocol"} <= set(server)
    for name, channel in document["channels"].items():
        assert re.fullmatch(r"[A-Za-z0-9_.\-]+", name)
        parameters = set(re.findall(r"{(\w+)}", channel["address"] or ""))
        assert parameters == set(channel.get("parameters", {}))
        assert channel["messages"]
        binding = channel["bindings"]["amqp"]
        if binding["is"] == "queue":
            assert binding["queue"]["name"] in ("{user}.facts", "{user}.replies")
        else:
            kind = "direct" if binding["exchange"]["name"] == "{user}" else "topic"
            assert binding["is"] == "routingKey" and binding["exchange"]["type"] == kind
        for message in channel["messages"].values():
            assert message["$ref"].startswith("#/components/messages/")
    for operation in document["operations"].values():
        assert operation["action"] in ("send", "receive")
        channel = operation["channel"]["$ref"]
        assert re.fullmatch(r"#/channels/[^/]+", channel)
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{channel}/messages/")
        if "reply" in operation:
            reply = operation["reply"]
            assert reply["address"]["location"].startswith("$message.header#/")
            assert resolved(document, reply["channel"]["$ref"])["address"] is None
            for message in reply["messages"]:
                assert message["$ref"].startswith(reply["channel"]["$ref"] + "/messages/")
    for message in document["components"]["messages"].values():
        jsonschema.Draft7Validator.check_schema(message["payload"])
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft7Validator.check_schema(schema)


def test_asyncapi_has_every_fact_and_every_call_that_a_plug_in_may_make(documents):
    document = documents["asyncapi.json"]
    for page in CONTRACTS.values():
        for fact in page.facts:
            channel = document["channels"][f"{page.service}.{fact.name}"]
            assert channel["address"] == f"{fact.name}.{{district}}.{{to}}"
            assert channel["bindings"]["amqp"]["exchange"]["name"] == f"{page.service}.events"
        for call in page.calls:
            printed = f"calls.{page.service}.{call.name}" in document["channels"]
            assert printed is (call.needs in ROLES["plugin"]), call
    heard = document["channels"]["plugin.facts"]["messages"].values()
    marked = {f"{fact.service}.{fact.name}" for page in CONTRACTS.values() for fact in page.facts if fact.to_department}
    assert {each["$ref"].rpartition("/")[2] for each in heard} == marked


def test_a_fact_on_the_bus_fits_the_printed_message(documents):
    document = documents["asyncapi.json"]
    schema = {"$ref": "#/components/messages/whistle.settled/payload", "components": document["components"]}
    data = {"act": EXAMPLE_ID, "order": "0" * 16, "community": "110102009041", "result": "solved"}
    jsonschema.Draft7Validator(schema).validate(a_fact("settled", data=data))
    undone = {"result": "nobody knows"}
    for wrong in (
        *(a_fact("reported", data=data), a_fact("settled", data={}), a_fact("settled", data=data | undone)),
        a_fact("settled", data=data, source="/desk"),
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft7Validator(schema).validate(wrong)


def test_the_page_for_people_shows_every_operation_every_fact_and_no_foreign_thing(app, documents):
    page = app.test_client().get("/docs").text
    for path, operations in documents["openapi.json"]["paths"].items():
        assert path in page
        for operation in operations.values():
            assert f'id="{operation["operationId"].replace(".", "-")}"' in page
    for contract in CONTRACTS.values():
        for fact in contract.facts:
            assert f'id="fact-{contract.service}-{fact.name}"' in page
    assert "<script" not in page and "style=" not in page and "http://" not in page and "https://" not in page
    anchors = set(re.findall(r'id="([^"]+)"', page))
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert links <= anchors, links - anchors
    assert len(re.findall(r'id="([^"]+)"', page)) == len(anchors), "an anchor stands twice"


def test_demo_logins_are_shown_in_demo_mode_only():
    accounts = [{"login": "demo.water", "password": "demo-only", "name": "专员", "what": "水务专员"}]
    shown = a_gateway(MODE="demo", DEMO_ACCOUNTS=accounts).test_client().get("/").text
    hidden = a_gateway(MODE="production", DEMO_ACCOUNTS=accounts).test_client().get("/").text
    assert "demo-only" in shown and "demo.water" in shown
    assert "demo-only" not in hidden and "demo.water" not in hidden


def test_the_numbers_are_there_for_who_watches(app):
    text = app.test_client().get("/metrics").text
    assert "huying_streams_open" in text and "huying_requests_total" in text
