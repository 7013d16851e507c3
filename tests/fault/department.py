"""A department's program that gives trouble, in the manner that it is told: ``python department.py MANNER BOOK``.

``quick`` and ``slow`` (``PAUSE`` seconds a fact) write each fact that they have handled into the book; ``rubbish``
fails at every fact and asks nonsense; ``crashing`` dies of every fact; ``flooding`` asks as fast as it can.
"""

import contextlib
import json
import os
import sys
import time

import pika

from shared.bus import Bus
from shared.contracts import whistle


def handle(uri: str, book: str, pause: float) -> None:
    bus = Bus(uri)

    @bus.on(whistle.called)
    def called(fact: dict) -> None:
        time.sleep(pause)
        with open(book, "a") as file:
            file.write(json.dumps({"id": fact["id"], "at": time.time()}) + "\n")

    bus.run()


def talk_rubbish(uri: str) -> None:
    bus = Bus(uri)

    @bus.on(whistle.called)
    def called(fact: dict) -> None:
        for order in ({}, {"id": "x"}, {"id": [1]}, {"no": "such"}):
            try:
                bus.ask(whistle.get, order)
            except Exception:
                continue
        raise KeyError("this program handles nothing")

    bus.run()


def crash(uri: str) -> None:
    """Take a fact and be gone without a word, over and over: as a program that dies and is started again."""
    while True:
        with contextlib.suppress(Exception):
            die_of_one(pika.URLParameters(uri))
        time.sleep(0.05)


def die_of_one(parameters: pika.URLParameters) -> None:
    connection, came = pika.BlockingConnection(parameters), []
    channel = connection.channel()
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume(f"{parameters.credentials.username}.facts", lambda *got: came.append(got))
    while not came:
        connection.process_data_events(0.2)
    connection._impl._transport._sock.close()


def flood(uri: str) -> None:
    """Ask without waiting for an answer, as fast as the socket takes it."""
    os.nice(19)
    parameters = pika.URLParameters(uri)
    user = parameters.credentials.username
    while True:
        try:
            with pika.BlockingConnection(parameters) as connection:
                channel = connection.channel()
                properties = pika.BasicProperties(user_id=user, correlation_id="x", reply_to=f"{user}.replies")
                while True:
                    channel.basic_publish(user, "whistle.counts", b"{}", properties)
        except Exception:
            time.sleep(0.2)


if __name__ == "__main__":
    manner, book = sys.argv[1:]
    address = os.environ["AMQP_URI"]
    if manner in ("quick", "slow"):
        handle(address, book, float(os.environ.get("PAUSE", "0")))
    else:
        {"rubbish": talk_rubbish, "crashing": crash, "flooding": flood}[manner](address)
