"""Asks over HTTP in a closed loop: so many clients, so many seconds; prints what it saw as one JSON line."""

import http.client
import json
import sys
import threading
import time
import uuid

KINDS = {
    "empty": ("GET", "/v1/empty", 204),
    "rpc": ("GET", "/v1/floor", 200),
    "floor": ("POST", "/v1/floor", 201),
    "blow": ("POST", "/v1/whistles", 201),
}


def body_of(kind: str, size: int) -> str | None:
    if kind == "floor":
        return json.dumps({"id": str(uuid.uuid4()), "text": "x" * size})
    if kind == "blow":
        return json.dumps(
            {"id": str(uuid.uuid4()), "kind": "综合执法", "category": "0101", "community": "110102009041",
             "departments": ["chengguan"], "title": "六层阳台私搭乱建", "text": "阳台向外扩出一米多。",
             "place": {"lon": 116.3441, "lat": 39.9312}}
        )  # fmt: skip
    return None


def client(port: int, token: str, kind: str, size: int, until: float, took: list[float], wrong: list[int]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    method, path, good = KINDS[kind]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    while time.perf_counter() < until:
        began = time.perf_counter()
        connection.request(method, path, body_of(kind, size), headers)
        answer = connection.getresponse()
        answer.read()
        took.append(time.perf_counter() - began)
        if answer.status != good:
            wrong.append(answer.status)


def main() -> None:
    port, token, kind, clients, seconds, size = sys.argv[1:]
    took: list[float] = []
    wrong: list[int] = []
    until = time.perf_counter() + float(seconds)
    args = (int(port), token, kind, int(size), until, took, wrong)
    threads = [threading.Thread(target=client, args=args) for _ in range(int(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took.sort()
    said = {"rate": len(took) / float(seconds), "p50": took[len(took) // 2], "p95": took[int(len(took) * 0.95)]}
    print(json.dumps(said | {"wrong": len(wrong), "statuses": sorted(set(wrong))}))


if __name__ == "__main__":
    main()
