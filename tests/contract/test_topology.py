"""Every queue argument is written down, and right on RabbitMQ 3.10 and 4.x."""

import json
from pathlib import Path

import pytest

from deploy import topology
from deploy.catalogue import service_class
from shared.contracts import CONTRACTS

WRITTEN = Path(__file__).with_name("topology.json")


def as_written() -> dict:
    return {
        "exchanges": {name: each["type"] for name, each in topology.exchanges().items()},
        "queues": {name: each["arguments"] for name, each in topology.queues().items()},
        "bindings": sorted(list(each) for each in topology.bindings()),
    }


def test_the_topology_is_the_committed_one():
    assert as_written() == json.loads(WRITTEN.read_text()), f"changed on purpose? python -m {__name__} writes it"


def test_no_queue_is_transient_and_shared():
    assert all(each["durable"] and not each["auto_delete"] for each in topology.queues().values())


@pytest.mark.parametrize("name", [name for name in topology.queues() if ".calls" not in name])
def test_a_queue_of_facts_loses_nothing(name):
    arguments = topology.queues()[name]["arguments"]
    assert arguments["x-queue-type"] == "quorum"
    assert arguments["x-overflow"] == "reject-publish"
    assert arguments["x-delivery-limit"] >= 20
    assert arguments["x-max-length"] >= 1_000_000
    if ".parked" not in name:
        assert arguments["x-dead-letter-strategy"] == "at-least-once"
        assert arguments["x-dead-letter-routing-key"] in topology.queues()


def test_a_delay_ends_in_the_queue_that_it_came_from():
    for name, each in topology.queues().items():
        if ".wait." in name:
            assert each["arguments"]["x-message-ttl"] == int(name.rpartition(".")[2])
            assert each["arguments"]["x-dead-letter-routing-key"] == name.partition(".")[0] + ".facts"


def test_every_fact_that_is_heard_reaches_its_hearer():
    bound = {(exchange, queue, key) for exchange, queue, key in topology.bindings()}
    for page in CONTRACTS.values():
        for fact in page.hears:
            assert (f"{fact.service}.events", f"{page.service}.facts", f"{fact.name}.#") in bound


@pytest.mark.parametrize("service", CONTRACTS)
def test_every_fact_that_is_heard_has_an_ear_and_every_call_an_answer(service):
    kind = service_class(service)
    ears = [each for name in dir(kind) for each in getattr(getattr(kind, name), "nameko_entrypoints", ())]
    answers = {each.of for each in ears if type(each).__name__ == "Answer"}
    assert {each.of for each in ears if type(each).__name__ == "Hear"} == set(CONTRACTS[service].hears)
    assert answers == set(CONTRACTS[service].calls)


def test_services_may_configure_nothing():
    for user, each in topology.permissions().items():
        assert each["configure"] == "^$" or user in (topology.GATEWAY, topology.KEEPER)
    assert topology.permissions()[topology.KEEPER]["configure"] == "^plugin-", "what is the plug-ins' and nothing else"


def test_queue_arguments_of_consumers_and_messages_are_long_within_the_consumer_timeout():
    from services.entrypoints import FACT_SECONDS, WORKERS

    # Prefetched messages wait for a free worker: none waits half an hour, RabbitMQ's consumer timeout.
    assert FACT_SECONDS * WORKERS["facts"] < 1800


if __name__ == "__main__":
    WRITTEN.write_text(json.dumps(as_written(), indent=1, sort_keys=True) + "\n")
