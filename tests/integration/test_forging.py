"""A plug-in tries everything: each exchange, queue, key, binding, declaration, name and header that there is.

It stays within its own: what it may write goes to its own queues, what it may read is its own, and whatever it says of
itself, it asks as what it is.
"""

import json
import time
import uuid
from itertools import product

import pika
import pytest
from pika.exceptions import ChannelClosedByBroker, UnroutableError

from deploy import topology
from services.plugins.domain import QUEUES
from shared.contracts import CONTRACTS
from tests.make import SIJIYUAN, eventually, fresh
from tests.make_plugins import a_program, by_pika, heard, uri_of

FACTS = [fact for page in CONTRACTS.values() for fact in page.facts]
EXCHANGES = [*topology.exchanges(), "", "amq.topic", "amq.direct", "amq.fanout", "amq.headers", "amq.match"]
KEYS = sorted(
    {f"{fact.name}.{district}.{to}" for fact in FACTS for district in ("110102", "110107") for to in ("all", "zhujian")}
    | {f"{call.service}.{call.name}" for page in CONTRACTS.values() for call in page.calls}
    | {*topology.queues(), "gateway." + "0" * 32, "parked", "again", "1000", "#", "*", "", "nothing.at.all"}
)


LEADING_ON = {"x-dead-letter-exchange": "whistle.events", "x-dead-letter-routing-key": "called.110102.zhujian"}


@pytest.fixture(scope="module")
def admin(sign_in):
    return sign_in("xc-admin")


@pytest.fixture(scope="module")
def stage(platform, admin, sign_in):
    """A plug-in of 城管, one of another department, and one of another district; and the first one's connection."""
    calls = ["whistle.get", "whistle.sign"]
    with (
        a_program(admin, calls=calls) as mine,
        a_program(admin, department="zhujian", calls=calls) as neighbour,
        a_program(sign_in("sjs-admin"), calls=calls) as abroad,
    ):
        connection = by_pika(uri_of(platform, mine))
        yield Stage(platform, mine, [neighbour["user"], abroad["user"]], connection)
        connection.close()


class Stage:
    """The forger and those whose things it is after."""

    def __init__(self, platform, mine: dict, others: list[str], connection: pika.BlockingConnection):
        self.platform, self.mine, self.others, self.connection = platform, mine, others, connection
        self.user = mine["user"]
        self.own = {f"{self.user}.facts", f"{self.user}.replies"}

    def refuses(self, act) -> bool:
        """Try something on a channel of its own; say whether the broker refused it for want of permission."""
        channel = self.connection.channel()
        try:
            act(channel)
        except ChannelClosedByBroker as error:
            # Of its own queue the broker gives nothing by a single get, for one reads it at a time.
            assert error.reply_code == 403 or "single active consumer" in error.reply_text, error
            return error.reply_code == 403
        channel.close()
        return False

    def publishes(self, exchange: str, key: str, **properties) -> bool:
        """Publish, and say whether the broker led it anywhere; raises ``ChannelClosedByBroker`` where it may not."""
        channel = self.connection.channel()
        channel.confirm_delivery()
        try:
            known = pika.BasicProperties(**{"user_id": self.user} | properties)
            channel.basic_publish(exchange, key, b"{}", known, mandatory=True)
            return True
        except UnroutableError:
            return False
        finally:
            if channel.is_open:
                channel.close()

    def queues(self) -> list[str]:
        """Give every queue there is, whoever's."""
        api = topology.Management(self.platform.settings.management())
        return [each["name"] for each in api.ask("GET", "queues", self.platform.settings.vhost, query="?columns=name")]

    def ask(self, call: str, order: dict, headers: dict | None = None, **properties) -> dict | None:
        """Ask as it likes, again where that was over the quota, and give what came back to its own queue."""
        for pause in (0.5, 1, 2, 0):
            answer = self.ask_once(call, order, headers, **properties)
            if ((answer or {}).get("refused") or {}).get("kind") != "Unavailable":
                break
            time.sleep(pause)
        return answer

    def ask_once(self, call: str, order: dict, headers: dict | None = None, **properties) -> dict | None:
        correlation = fresh()
        with by_pika(uri_of(self.platform, self.mine)) as connection:
            channel, got = connection.channel(), []
            take = lambda c, m, p, body: got.append((p.correlation_id, json.loads(body)))  # noqa: E731
            channel.basic_consume(f"{self.user}.replies", take, auto_ack=True)
            known = {"user_id": self.user, "correlation_id": correlation, "reply_to": f"{self.user}.replies"}
            sent = pika.BasicProperties(headers=headers or {}, **known | properties)
            channel.basic_publish(self.user, call, json.dumps(order).encode(), sent)
            for _ in range(30):
                connection.process_data_events(0.1)
                for came, answer in got:
                    if came == correlation:
                        return answer
        return None


# Where it may not write at all the key makes no difference to the broker: one of nine does, but for the long form.
@pytest.mark.parametrize("every", [9, pytest.param(1, marks=pytest.mark.long)])
def test_it_publishes_to_no_exchange_but_its_own(stage, every):
    tried = 0
    others = [*stage.others, *(f"{user}.{queue}" for user in stage.others for queue in QUEUES)]
    keys = [*KEYS, *others, *stage.own]
    for n, (exchange, key) in enumerate(product([*EXCHANGES, *others, f"{stage.user}.facts"], keys)):
        if n % every:
            continue

        def publish(channel, exchange=exchange, key=key):
            channel.confirm_delivery()
            channel.basic_publish(exchange, key, b"{}", pika.BasicProperties(user_id=stage.user))

        # An exchange that is not there is refused like one that is: it learns nothing of that either.
        assert stage.refuses(publish), f"published {key!r} to {exchange!r}"
        tried += 1
    assert tried > len(EXCHANGES) * len(KEYS) / every


def test_its_own_exchange_leads_nowhere_but_to_its_own_queues(stage):
    led = {key for key in [*KEYS, *stage.others, *stage.own] if stage.publishes(stage.user, key)}
    assert led == {"whistle.get", "whistle.sign", "parked", "again"}
    with by_pika(stage.platform.settings.amqp_admin_uri()) as connection:
        for queue in ("facts", "parked"):
            connection.channel().queue_purge(f"{stage.user}.{queue}")


def test_it_reads_no_queue_but_its_own(stage):
    found = stage.queues()
    assert len(found) > len(topology.queues())
    readable = set()
    for queue in found:

        def consume(channel, queue=queue):
            channel.basic_consume(queue, lambda *_: None, auto_ack=True)

        for act in (lambda c, q=queue: c.basic_get(q), lambda c, q=queue: c.queue_purge(q), consume):
            if not stage.refuses(act):
                readable.add(queue)
    assert readable == stage.own


def test_it_declares_binds_and_deletes_nothing(stage):
    others = [*stage.others, *(f"{user}.{queue}" for user in stage.others for queue in QUEUES)]
    exchanges = [*EXCHANGES[:-6], "amq.topic", *others[:2], stage.user, f"{stage.user}.{'a' * 32}", "new"]
    queues = [*topology.queues(), *others, *(f"{stage.user}.{queue}" for queue in QUEUES), "new", ""]
    queues += [f"{stage.user}.{'a' * 32}", f"gateway.{'a' * 32}", "amq.gen-x"]
    wrong, tried = [], 0
    for exchange in exchanges:
        for act in (
            lambda c, e=exchange: c.exchange_declare(e, "fanout"),
            lambda c, e=exchange: c.exchange_delete(e),
            lambda c, e=exchange: c.exchange_bind(stage.user, e, "#"),
            lambda c, e=exchange: c.exchange_bind(e, stage.user, "parked"),
        ):
            tried += 1
            if not stage.refuses(act):
                wrong.append(("exchange", exchange))
    for queue in queues:
        acts = [
            lambda c, q=queue: c.queue_declare(q, durable=True),
            lambda c, q=queue: c.queue_declare(q, exclusive=True, arguments=LEADING_ON),
            lambda c, q=queue: c.queue_delete(q or "new"),
        ]
        for act in acts:
            tried += 1
            if not stage.refuses(act):
                wrong.append(("queue", queue))
    for queue, exchange in product([*sorted(stage.own), *others[2:4], "whistle.facts"], exchanges):
        for key in ("#", "called.110102.zhujian", "called.110107.chengguan", "whistle.sign", "parked"):
            for verb in ("queue_bind", "queue_unbind"):
                tried += 1
                if not stage.refuses(lambda c, v=verb, q=queue, e=exchange, k=key: getattr(c, v)(q, e, k)):
                    wrong.append((verb, queue, exchange, key))
    assert not wrong, wrong[:20]
    assert tried > 500


def test_it_speaks_in_no_other_name(stage):
    for other in [*topology.permissions(), *stage.others, "admin", "guest"]:
        with pytest.raises(ChannelClosedByBroker, match="user_id"):
            stage.publishes(stage.user, "whistle.get", user_id=other)


def test_it_learns_nothing_of_the_brokers_management(stage):
    import urllib.error
    from urllib.parse import quote, urlsplit

    parts = urlsplit(stage.platform.settings.management())
    login = f"{stage.user}:{quote(stage.mine['password'], safe='')}"
    api = topology.Management(f"http://{login}@{parts.netloc.rpartition('@')[2]}")
    for path in ("overview", "users", "queues", "connections", "whoami", "definitions"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            api.ask("GET", path)
        assert refused.value.code == 401, path


def test_without_its_own_name_it_is_not_heard(stage, wmy):
    id = wmy.blow()["id"]
    assert stage.ask("whistle.get", {"id": id})["ok"]["id"] == id
    assert stage.ask("whistle.get", {"id": id}, user_id=None)["refused"]["kind"] == "Unauthenticated"


FORGED = {
    "district": "110107", "actor": "somebody", "roles": "operator,district,secretary", "unit": SIJIYUAN,
    "department": "zhujian", "session": "x", "adjusted": "+whistle.settle", "for": "plugin-110107-chengguan-desk",
    "user_id": "gateway", "x-attempt": 99,
}  # fmt: skip


@pytest.mark.parametrize("name", [*FORGED, "all of them"])
def test_whatever_it_says_of_itself_it_asks_as_what_it_is(stage, wmy, sjy, name):
    headers = FORGED if name == "all of them" else {name: FORGED[name]}
    own, abroad = wmy.blow()["id"], sjy.blow(community=SIJIYUAN, place=None)["id"]
    other = wmy.blow(departments=["zhujian"])["id"]
    assert stage.ask("whistle.get", {"id": own}, headers)["ok"]["id"] == own
    for id in (abroad, other):
        assert stage.ask("whistle.get", {"id": id}, headers)["refused"]["kind"] == "NotFound"
    signed = stage.ask("whistle.sign", {"id": own, "act": fresh()}, headers)["ok"]
    assert signed["summonses"][0]["person"] == stage.user
    assert stage.ask("whistle.sign", {"id": other, "act": fresh()}, headers)["refused"]["kind"] == "Forbidden"


def test_an_answer_goes_to_nobody_but_who_asked(stage, wmy, platform):
    """It names the gateway's own queue of answers, or another plug-in's: the answer comes to it all the same."""
    gateways = [each for each in stage.queues() if each.startswith("gateway.")]
    assert gateways
    id = wmy.blow()["id"]
    for reply_to in (
        *gateways,
        f"{stage.others[0]}.replies",
        f"{stage.others[0]}.facts",
        "whistle.facts",
        "",
        "x" * 255,
    ):
        assert stage.ask("whistle.get", {"id": id}, reply_to=reply_to)["ok"]["id"] == id, reply_to
    with by_pika(platform.settings.amqp_admin_uri()) as connection:
        for user in stage.others:
            assert connection.channel().queue_declare(f"{user}.replies", passive=True).method.message_count == 0
    assert wmy.get(f"/v1/whistles/{id}").status_code == 200, "the gateway has noticed nothing"


def test_rubbish_at_the_door_is_refused_and_harms_nobody(stage, wmy):
    id = wmy.blow()["id"]
    with by_pika(uri_of(stage.platform, stage.mine)) as connection:
        channel = connection.channel()
        for body in (b"", b"{", b"\xff\xfe", b"[]", b"null", b'"x"', b"9" * 5000, b"{" * 60_000, b"x" * 500_000):
            for headers in ({}, {"deadline": "never"}, {"deadline": -1}, {"deadline": {"a": 1}}, {"traceparent": 7}):
                properties = pika.BasicProperties(user_id=stage.user, headers=headers, correlation_id="x" * 255)
                channel.basic_publish(stage.user, "whistle.get", body, properties)
    for order in ({}, {"id": 7}, {"id": id, "more": 1}, {"id": {"$ne": ""}}):
        assert eventually(lambda order=order: stage.ask("whistle.get", order), 20)["refused"]["kind"] in (
            "Invalid", "Unavailable",
        )  # fmt: skip
    eventually(lambda: (stage.ask("whistle.get", {"id": id}) or {}).get("ok"), 20)


def test_what_others_are_told_never_comes_to_it(stage, wmy, sjy, sign_in):
    """Everything happens to whistles of others; its own queue stays empty, and then its own comes."""
    with by_pika(stage.platform.settings.amqp_admin_uri()) as connection:
        channel = connection.channel()
        channel.queue_purge(f"{stage.user}.facts")
        for _ in range(3):
            id = wmy.blow(departments=["zhujian", "shichang"])["id"]
            sign_in("xc-sc").report(id)
            sjy.blow(community=SIJIYUAN, place=None)
        mine = wmy.blow()["id"]
        uri = uri_of(stage.platform, stage.mine)
        _, got = heard(uri, stage.user)
        assert json.loads(got)["subject"] == mine
        assert heard(uri, stage.user, 0.5) is None


def test_two_departments_whose_names_begin_alike_are_two():
    """A name is taken apart in one way only: no department and no name has a hyphen."""
    from shared.caller import Caller

    for user in ("plugin-110102-a-b-c", "plugin-110102--desk", "plugin-110102-water-", "plugin-110102-water-Desk",
                 "plugin-110102-water-desk\n", "plugin-010102-water-desk", f"plugin-{uuid.uuid4()}"):  # fmt: skip
        assert Caller.of_plugin(user) is None, user
