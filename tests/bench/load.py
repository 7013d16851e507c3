"""Asks over HTTP in a closed loop: so many clients, so many seconds; prints what it saw as one JSON line."""

import http.client
import json
import random
import sys
import threading
import time
import uuid
from contextlib import suppress

KINDS = {
    "empty": ("GET", "/v1/empty", 204),
    "rpc": ("GET", "/v1/floor", 200),
    "floor": ("POST", "/v1/floor", 201),
    "blow": ("POST", "/v1/whistles", 201),
    "blow3": ("POST", "/v1/whistles", 201),
    "blow elsewhere": ("POST", "/v1/whistles", 201),
}
# Where somebody blows: 万明园 (西城区), and elsewhere 四季园 (石景山区), where nothing else goes on.
HERE = {"community": "110102009041", "place": {"lon": 116.3441, "lat": 39.9312}}
ELSEWHERE = {"community": "110107001012", "place": {"lon": 116.2297, "lat": 39.9052}}


def body_of(kind: str, size: int) -> str | None:
    if kind == "floor":
        return json.dumps({"id": str(uuid.uuid4()), "text": "x" * size})
    if kind == "report":
        return json.dumps({"act": str(uuid.uuid4()), "place": HERE["place"]})
    if kind in KINDS and KINDS[kind][1] == "/v1/whistles":
        departments = ["chengguan", "zhujian", "shichang"] if kind == "blow3" else ["chengguan"]
        return json.dumps(
            {"id": str(uuid.uuid4()), "kind": "综合执法", "category": "0101", "departments": departments,
             "title": "六层阳台私搭乱建", "text": "阳台向外扩出一米多。",
             **(ELSEWHERE if kind == "blow elsewhere" else HERE)}
        )  # fmt: skip
    return None


def next_of(kind: str, things: list[str]) -> tuple[str, str, int] | None:
    """Give what is asked next: a fixed question, the next whistle to report in on, or one of the addresses given."""
    if kind == "report":
        with suppress(IndexError):  # another client took the last one
            return "POST", f"/v1/whistles/{things.pop()}/reports", 201
        return None
    return KINDS.get(kind) or ("GET", random.choice(things), 200)


def client(
    port: int, token: str, kind: str, size: int, until: float, took: list[float], wrong: list[int], things: list[str]
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    while time.perf_counter() < until and (asked := next_of(kind, things)):
        method, path, good = asked
        began = time.perf_counter()
        connection.request(method, path, body_of(kind, size), headers)
        answer = connection.getresponse()
        answer.read()
        took.append(time.perf_counter() - began)
        if answer.status != good:
            wrong.append(answer.status)


def main() -> None:
    port, token, kind, clients, seconds, size = sys.argv[1:]
    things = json.load(sys.stdin)
    took: list[float] = []
    wrong: list[int] = []
    began = time.perf_counter()
    args = (int(port), token, kind, int(size), began + float(seconds), took, wrong, things)
    threads = [threading.Thread(target=client, args=args) for _ in range(int(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.perf_counter() - began
    took.sort()
    said = {
        "asked": len(took),
        "rate": len(took) / spent,
        "p50": took[len(took) // 2],
        "p95": took[int(len(took) * 0.95)],
    }
    print(json.dumps(said | {"wrong": len(wrong), "statuses": sorted(set(wrong))}))


if __name__ == "__main__":
    main()
