"""Does docker-compose.yml say what a deployment needs, in words that Compose understands?"""

import json
import re
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml

from deploy.settings import BROKER_USERS, SERVICES, compose_secrets

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(TEXT)
ROLES = [f"{service}-{half}" for service in SERVICES for half in ("calls", "facts")]
OURS = [*ROLES, "gateway", "setup"]


def test_the_compose_file_follows_the_compose_specification():
    # The schema is third-party, so it is not committed: check-jsonschema carries it.
    schema = json.loads(files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text())
    jsonschema.validators.validator_for(schema)(schema).validate(COMPOSE)


def test_the_schema_would_notice_a_mistake():
    schema = json.loads(files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validators.validator_for(schema)(schema).validate({"services": {"broker": {"imagine": "rabbitmq"}}})


def test_broker_and_database_are_the_promised_ones():
    assert COMPOSE["services"]["broker"]["image"] == "rabbitmq:4-management"
    assert COMPOSE["services"]["database"]["image"] == "mongo:8"


def test_every_half_of_every_service_has_a_role_of_its_own():
    assert set(COMPOSE["services"]) == {"broker", "database", *OURS}
    for role in ROLES:
        assert COMPOSE["services"][role]["command"] == ["python", "-m", "deploy.serve", role.replace("-", ".")]


def test_one_image_serves_every_role():
    assert {COMPOSE["services"][role]["image"] for role in OURS} == {"huying"}


def test_every_long_lived_container_is_looked_after():
    for name, service in COMPOSE["services"].items():
        if name != "setup":
            assert service["healthcheck"]["test"], name


def test_roles_can_be_scaled():
    for role in [*ROLES, "gateway"]:
        service = COMPOSE["services"][role]
        assert "container_name" not in service and "hostname" not in service
        assert role == "gateway" or "ports" not in service


def test_nothing_of_ours_starts_before_the_setup_is_done():
    for role in [*ROLES, "gateway"]:
        assert COMPOSE["services"][role]["depends_on"]["setup"]["condition"] == "service_completed_successfully"


def test_every_secret_is_asked_for_and_none_has_a_default():
    asked = set(re.findall(r"\$\{(\w+(?:_PASSWORD|_SECRET))\b:\?", TEXT))
    assert asked == set(compose_secrets())
    assert not re.findall(r"\$\{\w+(?:_PASSWORD|_SECRET)(?::?-|\})", TEXT)


def test_every_container_of_ours_runs_in_production_mode_and_has_no_demo():
    for role in OURS:
        assert COMPOSE["services"][role]["environment"]["HUYING_MODE"] == "production"
    assert "demo" not in re.sub(r"#.*", "", TEXT) and "seed" not in TEXT


def test_each_service_has_its_own_login_at_broker_and_database():
    for service in SERVICES:
        environment = COMPOSE["services"][f"{service}-calls"]["environment"]
        assert environment["AMQP_URI"].startswith(f"amqp://{service}:${{AMQP_{service.upper()}_PASSWORD")
        assert environment["MONGO_URI"].startswith(f"mongodb://{service}:${{MONGO_{service.upper()}_PASSWORD")
        assert "w=majority&journal=true" in environment["MONGO_URI"]
    for user in BROKER_USERS:
        assert f"AMQP_{user.upper()}_PASSWORD" in COMPOSE["services"]["setup"]["environment"]


def test_only_identity_holds_the_private_key():
    holders = [name for name in OURS if "token_private_key" in COMPOSE["services"][name].get("secrets", [])]
    assert holders == ["identity-calls", "identity-facts"]


def test_only_the_gateway_is_reached_from_outside_and_on_loopback():
    published = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}
    assert list(published) == ["gateway"]
    assert all(port.startswith("127.0.0.1:") for port in published["gateway"])


def test_the_image_has_neither_the_embedded_database_nor_the_root_user():
    lines = [line for line in (ROOT / "deploy/Dockerfile").read_text().splitlines() if not line.startswith("#")]
    image = "\n".join(lines)
    assert "requirements-embedded" not in image and "secantus" not in image.lower()
    assert "USER 10001" in image and "HEALTHCHECK" in image and "--require-hashes" in image
    assert "secantus" not in (ROOT / "requirements.txt").read_text().lower()
    assert "requirements-embedded.*" in (ROOT / ".dockerignore").read_text()
