"""Lets the first operator of a production platform in: ``python -m deploy.operator LOGIN NAME``, password asked for."""

import getpass
import os
import sys
import uuid

from deploy.seed import ask
from shared.bus import Bus
from shared.contracts import identity
from shared.errors import Refusal


def main(words: list[str]) -> None:
    """Ask for the password and admit the operator over the bus, with the gateway's own login in ``AMQP_URI``."""
    if len(words) != 2:
        raise SystemExit("用法 / usage: make operator login=… name=…")
    password = os.environ.get("OPERATOR_PASSWORD") or getpass.getpass("密码 / password: ")
    bus = Bus(os.environ["AMQP_URI"], patience=10)
    order = {"id": str(uuid.uuid4()), "district": "", "login": words[0], "name": words[1], "password": password}
    try:
        made = ask(bus, identity.admit, order | {"roles": ["operator"], "unit": "", "department": ""})
    except Refusal as refusal:
        raise SystemExit(f"{refusal.detail} {refusal.fields or ''}") from None
    finally:
        bus.close()
    print(f"已添加 / let in: {made['id']}")


if __name__ == "__main__":
    main(sys.argv[1:])
