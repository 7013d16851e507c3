"""A department plugs in: let onto the bus by its district, held to its own, switched, given a new key, taken off."""

import sys
import time
from pathlib import Path

import pika
import pytest
from pika.exceptions import AMQPConnectionError, ProbableAuthenticationError

from deploy import topology
from services.plugins.broker import Management
from shared.contracts import whistle
from shared.errors import Conflict, Forbidden, NotFound, Unavailable
from tests import make_plugins
from tests.make import SIJIYUAN, eventually, fresh
from tests.make_plugins import (
    PROGRAMS,
    Running,
    a_bus,
    a_plug_in,
    a_program,
    by_pika,
    plugged_in,
    python,
    traffic,
    unplugged,
    uri_of,
)


@pytest.fixture(scope="module")
def admin(sign_in):
    return sign_in("xc-admin")


@pytest.fixture(scope="module")
def api(platform) -> Management:
    return Management(platform.settings.management())


def names(api: Management, platform, what: str) -> set[str]:
    where = (what,) if what == "users" else (what, platform.settings.vhost)
    return {each["name"] for each in api.ask("GET", *where)}


def heard(platform, plugin: dict, seconds: float = 5) -> dict | None:
    """Take the next fact from a program's queue; nothing where there is none."""
    properties, body = make_plugins.heard(uri_of(platform, plugin), plugin["user"], seconds) or (None, None)
    known = properties and {"id": properties.message_id, "type": properties.type, "by": properties.user_id}
    return known and known | {"body": body}


def is_out(platform, plugin: dict) -> bool:
    try:
        by_pika(uri_of(platform, plugin)).close()
    except (ProbableAuthenticationError, AMQPConnectionError):
        return True
    return False


# -- let in -----------------------------------------------------------------------------------------------------------


def test_a_password_is_shown_once_and_lies_nowhere(platform, admin):
    import pymongo

    from deploy import database

    order = a_plug_in()
    first = admin.post("/v1/plugins", order)
    assert first.status_code == 201 and first.json()["password"], first.text
    plugin = first.json()
    again = admin.post("/v1/plugins", order)
    assert again.status_code == 201 and again.json()["password"] is None and again.json()["id"] == plugin["id"]
    assert "password" not in admin.get(f"/v1/plugins/{plugin['id']}").json()
    assert not is_out(platform, plugin)
    with pymongo.MongoClient(database.service_uri(platform.settings, "plugins")) as client:
        everything = str([list(client["huying_plugins"][name].find({})) for name in ("plugins", "passwords", "names")])
    assert plugin["user"] in everything and plugin["password"] not in everything
    assert plugin["password"] not in (platform.home / "logs" / "plugins.log").read_text()
    assert admin.post("/v1/plugins", order | {"title": "另一个"}).status_code == 409
    unplugged(admin, plugin)


def test_a_name_is_given_once_and_a_department_has_to_be_there(admin):
    order = a_plug_in()
    assert admin.post("/v1/plugins", order).status_code == 201
    assert admin.post("/v1/plugins", order | {"id": fresh()}).status_code == 409
    unplugged(admin, {"id": order["id"]})
    assert admin.post("/v1/plugins", order | {"id": fresh()}).status_code == 409, "not even after its end"
    for wrong in ({"department": "nosuchone"}, {"facts": ["whistle.blown"]}, {"calls": ["whistle.settle"]}):
        assert admin.post("/v1/plugins", a_plug_in(**wrong)).status_code == 422, wrong
    assert admin.post("/v1/plugins", a_plug_in(name="A-b")).status_code == 422


def test_only_the_districts_administrator_lets_programs_in(admin, sign_in):
    plugin = plugged_in(admin)
    for login in ("wmy", "zll", "xc-cg", "xc-cgl", "xc-look", "operator", "city"):
        assert sign_in(login).post("/v1/plugins", a_plug_in()).status_code == 403, login
        assert sign_in(login).get("/v1/plugins").status_code == 403, login
    theirs = sign_in("sjs-admin")
    assert theirs.get(f"/v1/plugins/{plugin['id']}").status_code == 404
    assert theirs.post(f"/v1/plugins/{plugin['id']}/rotations", {"change": fresh()}).status_code == 404
    assert plugin["id"] not in {each["id"] for each in theirs.get("/v1/plugins").json()["items"]}
    assert plugin["id"] in {each["id"] for each in admin.get("/v1/plugins?department=chengguan").json()["items"]}
    unplugged(admin, plugin)


# -- hear, ask --------------------------------------------------------------------------------------------------------


def test_a_program_hears_what_its_department_is_called_to_and_answers_in_its_name(platform, admin, wmy):
    with a_program(admin) as plugin, a_bus(platform, plugin) as bus:
        id = wmy.blow(departments=["chengguan", "zhujian"])["id"]
        fact = heard(platform, plugin)
        assert (fact["type"], fact["by"]) == ("called", "whistle") and id in fact["id"]
        act = fresh()
        signed = bus.ask(whistle.sign, {"id": id, "act": act})
        summons = next(each for each in signed["summonses"] if each["department"] == "chengguan")
        assert (summons["stage"], summons["person"]) == ("signed", plugin["user"])
        assert bus.ask(whistle.sign, {"id": id, "act": act})["version"] >= signed["version"], "asked again, it is found"
        with pytest.raises(Conflict):
            bus.ask(whistle.sign, {"id": id, "act": fresh()})
        assert bus.ask(whistle.get, {"id": id})["id"] == id
        assert heard(platform, plugin, 0.5) is None, "of the other department nothing came"
    trace = wmy.get(f"/v1/whistles/{id}/history").json()
    assert trace["whole"] and plugin["user"] in {step["actor"] for step in trace["steps"]}


def test_nothing_of_another_department_or_district_is_there_for_it(platform, admin, wmy, sjy):
    with a_program(
        admin, calls=["whistle.get", "whistle.sign", "whistle.trace", "whistle.listing", "whistle.near"]
    ) as it:
        other = wmy.blow(departments=["zhujian"], category="0102")["id"]
        abroad = sjy.blow(community=SIJIYUAN, departments=["chengguan"], place=None)["id"]
        mine = wmy.blow(departments=["chengguan"])["id"]
        with a_bus(platform, it) as bus:
            for id in (other, abroad):
                for call, more in ((whistle.get, {}), (whistle.trace, {})):
                    with pytest.raises(NotFound):
                        bus.ask(call, {"id": id} | more)
                with pytest.raises((NotFound, Forbidden)):
                    bus.ask(whistle.sign, {"id": id, "act": fresh()})
            listed = {each["id"] for each in bus.ask(whistle.listing, {"limit": 200})["items"]}
            assert mine in listed and not {other, abroad} & listed
            near = {"category": "0102", "community": "110102009041"}
            assert other not in {each["id"] for each in bus.ask(whistle.near, near)["items"]}
        assert mine in heard(platform, it)["id"] and heard(platform, it, 0.5) is None


def test_what_is_asked_beyond_the_quota_is_refused_in_words_and_harms_nobody(platform, admin, wmy):
    quota = {"calls_a_second": 2, "backlog": 1000, "bytes": 1_000_000}
    id = wmy.blow()["id"]
    with a_program(admin, quota=quota) as plugin, a_bus(platform, plugin) as bus:
        said, began = [], time.monotonic()
        while time.monotonic() < began + 3:
            try:
                said.append(bus.ask(whistle.get, {"id": id})["id"])
            except Unavailable as refusal:
                said.append(refusal.detail)
        passed = said.count(id)
        assert 4 <= passed <= 8 + 1, said
        assert any("配额" in each for each in said) and len(said) - passed <= 8 + 1, "refusing is paced as well"


def test_a_change_is_heard_within_a_moment(platform, admin, wmy):
    with a_program(admin, calls=["whistle.get"]) as plugin, a_bus(platform, plugin) as bus:
        id = wmy.blow()["id"]
        with pytest.raises(Forbidden):
            bus.ask(whistle.sign, {"id": id, "act": fresh()})
        path, change = (
            f"/v1/plugins/{plugin['id']}/changes",
            {"change": fresh(), "calls": ["whistle.sign"], "facts": []},
        )
        changed = admin.post(path, change)
        assert changed.status_code == 201 and changed.json()["applied"], changed.text
        assert changed.json()["facts"] == [] and changed.json()["title"] == plugin["title"]
        eventually(lambda: asks(bus, whistle.sign, {"id": id, "act": fresh()}), 5)
        with pytest.raises(Forbidden):
            bus.ask(whistle.get, {"id": id})
        while heard(platform, plugin, 0.5):
            pass
        wmy.blow()
        assert heard(platform, plugin, 1) is None, "it does not hear of that any more"


def asks(bus, call, order) -> bool:
    """Say whether a call is answered, or refused by the service for its own reasons."""
    try:
        bus.ask(call, order)
    except Conflict:
        return True
    except (Forbidden, Unavailable):
        return False
    return True


# -- program or people ------------------------------------------------------------------------------------------------


def test_one_setting_switches_between_program_and_people(platform, admin, wmy, chengguan):
    with a_program(admin) as plugin, a_bus(platform, plugin) as bus:
        one, other = wmy.blow()["id"], wmy.blow()["id"]
        bus.ask(whistle.sign, {"id": one, "act": fresh()})
        assert chengguan.report(one).status_code == 201, "people act beside a program at any time"

        path = f"/v1/plugins/{plugin['id']}/switches"
        assert admin.post(path, {"change": fresh(), "acts": False}).json()["acts"] is False
        eventually(lambda: not asks(bus, whistle.sign, {"id": other, "act": fresh()}), 5)
        with pytest.raises(Forbidden, match="人工"):
            bus.ask(whistle.sign, {"id": other, "act": fresh()})
        assert bus.ask(whistle.get, {"id": other})["id"] == other, "it reads on"
        by_people = wmy.blow()["id"]
        assert chengguan.act("signatures", by_people, {}).status_code == 201
        assert chengguan.report(by_people).status_code == 201

        third = wmy.blow()["id"]
        assert admin.post(path, {"change": fresh(), "acts": True}).json()["acts"] is True
        eventually(lambda: asks(bus, whistle.sign, {"id": third, "act": fresh()}), 5)


def test_a_department_without_any_program_works_through_people(wmy, sign_in):
    id = wmy.blow(departments=["shichang"])["id"]
    market = sign_in("xc-sc")
    for act in (market.report(id), market.feed_back(id), wmy.confirm(id), wmy.settle(id)):
        assert act.status_code in (201, 403), act.text
    assert "reported" in wmy.steps(id)


# -- a new password, and the end --------------------------------------------------------------------------------------


def test_a_new_password_makes_the_old_one_worthless_at_once(platform, admin, wmy):
    plugin = plugged_in(admin)
    connection = by_pika(uri_of(platform, plugin))
    wmy.blow()
    change = fresh()
    answer = admin.post(f"/v1/plugins/{plugin['id']}/rotations", {"change": change}).json()
    assert answer["password"] not in (None, plugin["password"]) and answer["generation"] == 2 and answer["applied"]
    assert eventually(lambda: closed(connection), 5)
    assert is_out(platform, plugin)
    assert heard(platform, plugin | {"password": answer["password"]}), "what waited is there"
    again = admin.post(f"/v1/plugins/{plugin['id']}/rotations", {"change": change}).json()
    assert again["password"] is None and again["generation"] == 2
    unplugged(admin, plugin)


def closed(connection: pika.BlockingConnection) -> bool:
    try:
        connection.process_data_events(0.1)
        connection.channel().close()
    except Exception:
        return True
    return False


def test_who_is_unplugged_is_out_at_once_with_all_that_was_its_own(platform, admin, api):
    plugin = plugged_in(admin)
    connection = by_pika(uri_of(platform, plugin))
    began = time.monotonic()
    answer = admin.post(f"/v1/plugins/{plugin['id']}/revocations", {"change": fresh()})
    assert answer.status_code == 201 and answer.json()["revoked_at"] and answer.json()["applied"]
    assert eventually(lambda: closed(connection), 5)
    print(f"closed {time.monotonic() - began:.2f} s after the order")
    assert is_out(platform, plugin)
    left = {name for what in ("users", "queues", "exchanges", "policies") for name in names(api, platform, what)}
    assert not [name for name in left if name.startswith(plugin["user"])]
    for noun, more in (("rotations", {}), ("switches", {"acts": True}), ("changes", {}), ("replays", {})):
        assert admin.post(f"/v1/plugins/{plugin['id']}/{noun}", {"change": fresh()} | more).status_code == 409, noun
    assert admin.get(f"/v1/plugins/{plugin['id']}").json()["traffic"] is None


def test_a_broker_that_lost_everything_has_it_again_within_seconds(platform, admin, api, wmy):
    """As after a broker set up anew, or a process that died between the record and the broker."""
    plugin, vhost = plugged_in(admin), platform.settings.vhost
    api.delete("users", plugin["user"])
    for queue in ("facts", "parked", "calls", "replies"):
        api.delete("queues", vhost, f"{plugin['user']}.{queue}")
    api.delete("exchanges", vhost, plugin["user"])
    eventually(lambda: not is_out(platform, plugin), 20, every=0.5)
    eventually(lambda: (wmy.blow(), heard(platform, plugin, 1))[1], 20)
    with a_bus(platform, plugin) as bus:
        eventually(lambda: asks(bus, whistle.get, {"id": wmy.blow()["id"]}), 10)
    # And whoever has no record, or one that has ended, is taken off.
    stranger = "plugin-110102-chengguan-stranger"
    api.ask("PUT", "users", stranger, body={"password": fresh(), "tags": ""})
    eventually(lambda: stranger not in names(api, platform, "users"), 20, every=0.5)
    unplugged(admin, plugin)


# -- what is put aside ------------------------------------------------------------------------------------------------


def test_what_it_cannot_handle_is_put_aside_shown_heard_again_or_dropped(platform, admin, wmy):
    with a_program(admin) as plugin:
        id = wmy.blow()["id"]
        with by_pika(uri_of(platform, plugin)) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_qos(prefetch_count=1)
            method, properties, body = next(channel.consume(f"{plugin['user']}.facts", inactivity_timeout=10))
            kept = pika.BasicProperties(
                user_id=plugin["user"], message_id=properties.message_id, type=properties.type, delivery_mode=2,
                headers={"x-reason": "ValueError: 地址不在辖区"},
            )  # fmt: skip
            channel.basic_publish(plugin["user"], "parked", body, kept, mandatory=True)
            channel.basic_ack(method.delivery_tag)
        path = f"/v1/plugins/{plugin['id']}"
        (row,) = admin.get(f"{path}/parked").json()["items"]
        assert row["reason"] == "ValueError: 地址不在辖区" and id in row["id"] and row["type"] == "called"
        eventually(lambda: traffic(admin, plugin).get("parked") == 1, 15)
        change = fresh()
        assert admin.post(f"{path}/replays", {"change": change}).status_code == 201
        assert admin.post(f"{path}/replays", {"change": change}).status_code == 201, "once"
        again = heard(platform, plugin)
        assert id in again["id"] and again["body"] == body
        assert admin.get(f"{path}/parked").json()["items"] == []
        assert heard(platform, plugin, 0.5) is None


def test_how_a_program_stands_is_in_the_figures_of_the_platform(platform, admin, wmy):
    import urllib.request

    with a_program(admin) as plugin:
        wmy.blow(), wmy.blow()
        standing = eventually(lambda: (seen := traffic(admin, plugin)).get("backlog") == 2 and seen, 20)
        assert standing["connected"] is False and standing["parked"] == 0
        eventually(lambda: traffic(admin, plugin)["oldest"] >= 2, 20)
        address = f"http://127.0.0.1:{platform.settings.health_port('plugins')}/metrics"
        with urllib.request.urlopen(address, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        assert f'huying_plugin_backlog{{user="{plugin["user"]}"}} 2.0' in lines
        assert any(line.startswith(f'huying_plugin_oldest_seconds{{user="{plugin["user"]}"}}') for line in lines)


# -- programs of departments, in processes of their own ---------------------------------------------------------------

WITH_PIKA = python(PROGRAMS / "with_pika.py")
WITH_NAMEKO = [Path(sys.executable).with_name("nameko"), "run", "with_nameko", "--config", "with_nameko.yaml"]


@pytest.mark.parametrize("argv", [WITH_PIKA, WITH_NAMEKO], ids=["pika", "nameko"])
def test_fifteen_lines_sign_and_report_in_for_a_department(platform, admin, wmy, tmp_path, argv):
    with a_program(admin, calls=["whistle.sign", "whistle.report"]) as plugin:
        waiting = wmy.blow()["id"]  # while it is not there yet
        with Running(argv, uri_of(platform, plugin), tmp_path / "log", PROGRAMS):
            came = [waiting, wmy.blow()["id"]]
            for id in came:
                wanted = {"signed", "reported"}
                assert eventually(lambda id=id, wanted=wanted: wanted <= set(wmy.steps(id)), 30), tmp_path / "log"
        reports = wmy.get(f"/v1/whistles/{came[1]}").json()["reports"]
        assert [each["person"] for each in reports] == [plugin["user"]]
        path = f"/v1/plugins/{plugin['id']}/parked"
        assert admin.get(path).json()["items"] == []


def test_two_of_one_program_act_as_one(platform, admin, wmy, tmp_path):
    """The second waits; when the first dies, it goes on."""
    with a_program(admin, calls=["whistle.sign", "whistle.report"]) as plugin:
        uri = uri_of(platform, plugin)
        with Running(WITH_PIKA, uri, tmp_path / "first") as first, Running(WITH_PIKA, uri, tmp_path / "second"):
            ids = [wmy.blow()["id"] for _ in range(3)]
            first.stop()
            ids += [wmy.blow()["id"] for _ in range(3)]
            for id in ids:
                eventually(lambda id=id: wmy.steps(id).count("reported") == 1, 30)


def test_the_topology_has_nothing_of_a_plug_in():
    assert not [name for name in (*topology.queues(), *topology.exchanges()) if name.startswith("plugin-")]
