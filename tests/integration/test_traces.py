"""One request can be followed: from HTTP through each fact, into each log line, without a word that a person wrote."""

import json

from shared.bus import Bus
from tests.make import a_blow, eventually, fresh

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_request_is_followed_through_every_fact_and_log_line(platform, wmy):
    facts = []
    bus = Bus(platform.settings.amqp_uri("gateway"))
    ears = []
    bus.watch(facts.append, lambda: ears.append(True))
    eventually(lambda: ears)
    try:
        order = a_blow(departments=["chengguan", "zhujian"])
        header = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        assert wmy.post("/v1/whistles", order, headers=header).status_code == 201
        heard = eventually(lambda: [f for f in facts if f["subject"] == order["id"]][2:] and facts)
        assert {fact["traceparent"].split("-")[1] for fact in heard if fact["subject"] == order["id"]} == {TRACE}
    finally:
        bus.close()

    def lines(name: str) -> list[dict]:
        text = (platform.home / "logs" / f"{name}.log").read_text()
        return [json.loads(line) for line in text.splitlines() if TRACE in line]

    def methods(name: str) -> set[str]:
        return {line["method"] for line in lines(name) if "method" in line}

    told = {"on blown", "on called", "on numbered"}
    eventually(lambda: told <= methods("figures") and told <= methods("whistle"))
    assert [line["method"] for line in lines("gateway")] == ["POST /v1/whistles"]
    assert "blow" in methods("whistle")


def test_every_process_tells_its_health_and_its_figures(platform):
    import requests

    for name in ("identity", "roster", "whistle", "evaluation", "figures", "gateway"):
        at = f"http://127.0.0.1:{platform.settings.health_port(name)}"
        assert requests.get(f"{at}/healthz", timeout=5).status_code == 200
        assert all(requests.get(f"{at}/readyz", timeout=5).json().values())
        assert "huying_requests_total" in requests.get(f"{at}/metrics", timeout=5).text


def test_no_log_line_is_without_its_time_and_event(platform, wmy):
    wmy.get(f"/v1/whistles/{fresh()}")
    for name in ("whistle", "gateway"):
        for line in (platform.home / "logs" / f"{name}.log").read_text().splitlines():
            if line.startswith("{"):
                assert {"at", "event"} <= json.loads(line).keys()
