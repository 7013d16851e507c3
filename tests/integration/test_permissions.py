"""Each service has its own broker user, and may do its own things only: tried exhaustively."""

import re
from itertools import product

import pika
import pytest
from pika.exceptions import ChannelClosedByBroker

from deploy import topology
from shared.contracts import CONTRACTS
from shared.contracts.plugins import CALLS

USERS = topology.permissions()
EXCHANGES = [*topology.exchanges(), "", "amq.topic", "amq.direct", "amq.fanout", "amq.headers"]
QUEUES = list(topology.queues())
KEYS = sorted(
    {f"{fact.name}.110102.{to}" for page in CONTRACTS.values() for fact in page.facts for to in ("all", "chengguan")}
    | {f"{call.service}.{call.name}" for page in CONTRACTS.values() for call in page.calls}
    | {"gateway." + "0" * 32, "whistle.calls", "figures.facts", "parked", "again", "1000", "#", "nothing.at.all"}
)


def patient(uri: str) -> pika.URLParameters:
    """Give an address by which a connection stays while others are tried, however long that takes."""
    parameters = pika.URLParameters(uri)
    parameters.heartbeat = 0
    return parameters


@pytest.fixture(scope="module")
def connections(platform):
    opened = {user: pika.BlockingConnection(patient(platform.settings.amqp_uri(user))) for user in USERS}
    yield opened
    for connection in opened.values():
        connection.close()


def is_refused(connection, act) -> bool:
    """Try something on a channel of its own; say whether the broker refused it for want of permission."""
    channel = connection.channel()
    try:
        act(channel)
        channel.close()
        return False
    except ChannelClosedByBroker as error:
        assert error.reply_code == 403, error
        return True


def may_write(user: str, exchange: str, key: str) -> bool:
    if not may_write_at_all(user, exchange):
        return False
    topic = USERS[user]["topics"].get(exchange)
    return topic is None or re.search(topic["write"], key) is not None


def may_write_at_all(user: str, exchange: str) -> bool:
    return re.search(USERS[user]["write"], exchange or "amq.default") is not None


# Where somebody may not write at all the key makes no difference to the broker: one of nine does there, but for the
# long form, which tries each.
@pytest.mark.parametrize("every", [9, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("user", USERS)
def test_nobody_publishes_what_is_not_theirs(connections, user, every):
    tried = allowed = 0
    for n, (exchange, key) in enumerate(product(EXCHANGES, KEYS)):
        if may_write(user, exchange, key):
            allowed += 1  # what is theirs is shown by every other test
            continue
        if n % every and not may_write_at_all(user, exchange):
            continue

        def publish(channel, exchange=exchange, key=key):
            channel.confirm_delivery()
            channel.basic_publish(exchange, key, b"{}", pika.BasicProperties(user_id=user))

        assert is_refused(connections[user], publish), f"{user} could publish {key!r} to {exchange!r}"
        tried += 1
    assert tried > 300
    assert allowed == EXPECTED[user]


# What each may publish of all that was tried, counted by hand from the contracts' tables: a rule that grows shows here.
EXPECTED = {
    "gateway": sum(len(page.calls) for page in CONTRACTS.values()),
    "operator": 6 * len(KEYS),
    "identity": 2 * len(CONTRACTS["identity"].facts) + len(KEYS) + 1,
    "roster": 2 * len(CONTRACTS["roster"].facts) + len(KEYS) + 1,
    "whistle": 2 * len(CONTRACTS["whistle"].facts) + len(KEYS) + 1,
    "evaluation": 2 * len(CONTRACTS["evaluation"].facts) + len(KEYS) + 1,
    "figures": len(KEYS) + 1,
    "plugins": 2 * len(CONTRACTS["plugins"].facts) + len(KEYS) + 1 + len(CALLS),
    "keeper": 0,
}


@pytest.mark.parametrize("user", USERS)
def test_nobody_reads_a_queue_that_is_not_theirs(connections, user):
    for queue in QUEUES:
        if not re.search(USERS[user]["read"], queue):
            assert is_refused(connections[user], lambda channel, queue=queue: channel.basic_get(queue)), queue
            assert is_refused(connections[user], lambda channel, queue=queue: channel.queue_purge(queue)), queue


@pytest.mark.parametrize("user", USERS)
def test_nobody_declares_binds_or_deletes(connections, user):
    own = "gateway." + "a" * 32
    for exchange in [*topology.exchanges(), "new"]:
        assert is_refused(connections[user], lambda channel, name=exchange: channel.exchange_declare(name, "fanout"))
        assert is_refused(connections[user], lambda channel, name=exchange: channel.exchange_delete(name))
    for queue in [*QUEUES, "new"]:
        assert is_refused(connections[user], lambda channel, name=queue: channel.queue_declare(name, durable=True))
        assert is_refused(connections[user], lambda channel, name=queue: channel.queue_delete(name))
        for exchange in topology.exchanges():
            assert is_refused(
                connections[user], lambda channel, name=queue, to=exchange: channel.queue_bind(name, to, "#")
            )
    if user != topology.GATEWAY:
        assert is_refused(connections[user], lambda channel: channel.queue_declare(own, exclusive=True))


def test_nobody_speaks_in_another_name(connections):
    for user, other in product(USERS, USERS):
        if user == other or user == topology.KEEPER:  # who says nothing says nothing in another name
            continue
        exchange, key = ("calls", "whistle.get") if user == "gateway" else ("replies", "gateway." + "0" * 32)
        if user == "operator":
            exchange, key = "whistle.wait", "parked"
        channel = connections[user].channel()
        channel.confirm_delivery()
        with pytest.raises(ChannelClosedByBroker, match="PRECONDITION_FAILED - user_id"):
            channel.basic_publish(exchange, key, b"{}", pika.BasicProperties(user_id=other))


def test_a_gateway_reads_no_other_gateways_answers(connections):
    with pytest.raises(ChannelClosedByBroker, match="ACCESS_REFUSED"):
        channel = connections["gateway"].channel()
        queue = "gateway." + "b" * 32
        channel.queue_declare(queue, exclusive=True)
        channel.queue_bind(queue, "replies", "#")


def test_a_caller_is_believed_only_from_the_gateway():
    from shared.caller import Caller
    from shared.errors import Unauthenticated

    forged = {"district": "110107", "actor": "x", "roles": "operator", "department": "gongan"}
    for user in [*USERS, None, "", "plugin", "plugin-", "plugin-110102", "plugin-110102-water-desk"]:
        for said in (None, "gateway", "plugin-110102-all-desk", "plugin-110102-water", " plugin-110102-water-desk", 7):
            if user != "gateway":
                with pytest.raises(Unauthenticated):
                    Caller.from_message(user, forged | {"for": said})
    plugin = Caller.from_message("plugins", forged | {"for": "plugin-110102-water-desk"})
    assert (plugin.district, plugin.department, plugin.roles) == ("110102", "water", ("plugin",))
    assert (plugin.actor, plugin.unit, plugin.adjusted) == ("plugin-110102-water-desk", "110102", ())
