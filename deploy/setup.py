"""Prepares somebody's RabbitMQ and MongoDB for the platform, once per deployment; safe to run again."""

import os
import time
from urllib.parse import urlsplit

from deploy import broker, topology
from deploy.settings import BROKER_USERS, SERVICES, VHOST, refuse_weak

ALREADY_INITIATED, USER_EXISTS = 23, 51003
PATIENCE = 120


def prepare_broker(environ: dict) -> None:
    """Declare exchanges, queues, users and permissions; AMQP_<USER>_PASSWORD has each user's password."""
    passwords = {user: environ[f"AMQP_{user.upper()}_PASSWORD"] for user in BROKER_USERS}
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            topology.apply(environ["AMQP_MANAGEMENT"], environ.get("AMQP_VHOST", VHOST), passwords)
            # The image's own guest account, with its known password, is nobody's here.
            names = [user["name"] for user in broker.ask(environ["AMQP_MANAGEMENT"], "GET", "/api/users")]
            if "guest" in names and urlsplit(environ["AMQP_MANAGEMENT"]).username != "guest":
                broker.ask(environ["AMQP_MANAGEMENT"], "DELETE", "/api/users/guest")
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def prepare_database(environ: dict) -> None:
    """Make the replica set of one and each service's user; MONGO_<SERVICE>_PASSWORD has each password."""
    import pymongo
    from pymongo.errors import OperationFailure, PyMongoError

    uri = environ["MONGO_URI"]
    host = urlsplit(uri).netloc.rpartition("@")[2]
    client = pymongo.MongoClient(uri, directConnection=True, serverSelectionTimeoutMS=5000)
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if "setName" not in client.admin.command("hello"):
                name = environ.get("MONGO_REPLICA_SET", VHOST)
                try:
                    client.admin.command("replSetInitiate", {"_id": name, "members": [{"_id": 0, "host": host}]})
                except OperationFailure as failure:
                    if failure.code != ALREADY_INITIATED:
                        raise
            if client.admin.command("hello").get("isWritablePrimary"):
                break
        except PyMongoError:
            if time.monotonic() > deadline:
                raise
        if time.monotonic() > deadline:
            raise SystemExit("数据库没有成为主节点 / the database did not become primary")
        time.sleep(1)
    for service in SERVICES:
        database, password = f"huying_{service}", environ[f"MONGO_{service.upper()}_PASSWORD"]
        roles = [{"role": "readWrite", "db": database}]
        try:
            client[database].command("createUser", service, pwd=password, roles=roles)
        except OperationFailure as failure:
            if failure.code != USER_EXISTS:
                raise
            client[database].command("updateUser", service, pwd=password, roles=roles)
    client.close()


def main() -> None:
    """Prepare both, from the environment."""
    environ = dict(os.environ)
    refuse_weak(environ)
    prepare_database(environ)
    print("数据库就绪 / database prepared", flush=True)
    prepare_broker(environ)
    print("消息代理就绪 / broker prepared", flush=True)


if __name__ == "__main__":
    main()
