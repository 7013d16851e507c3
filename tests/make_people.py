"""Builders of people of 西城区, who come in and sign in over HTTP."""

from collections.abc import Callable

from tests.make import WANMINGYUAN, Client, fresh

XICHENG = "110102"


def a_person(**changes) -> dict:
    """Give an order that lets a secretary of 万明园 in, under a login of their own."""
    id = fresh()
    return {
        "id": id, "district": XICHENG, "login": f"p-{id[:13]}", "name": "周晓梅", "password": f"口令{id}",
        "roles": ["secretary"], "unit": WANMINGYUAN, **changes,
    }  # fmt: skip


def a_worker(**changes) -> dict:
    """Give an order that lets a worker of 万明园 in, with a name of two letters' surname and a phone."""
    return a_person(**{"roles": ["worker"], "name": "欧阳晓梅", "phone": "13800001234", **changes})


def admitted(who: Client, make: Callable[..., dict] = a_person, **changes) -> dict:
    """Let somebody in; gives the order."""
    order = make(**changes)
    answer = who.post("/v1/people", order)
    assert answer.status_code == 201, answer.text
    return order


def signed_in(url: str, order: dict) -> Client:
    """Sign somebody in who was let in by an order."""
    return Client(url, order["login"], order["password"])


def is_out(client: Client) -> bool:
    return client.get("/v1/me").status_code == 401
