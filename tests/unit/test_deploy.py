"""Does a home keep to itself: its ports, secrets, addresses, processes, and patience?"""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import requests

from deploy import broker, database, local, ours, tables
from deploy.settings import SERVICES, Settings, compose_secrets, is_taken, refuse_weak, weak_secrets

ROOT = local.ROOT


def a_home(folder, **environ):
    return Settings(folder).adopt({"HUYING_MODE": "test", **environ}).complete()


def test_an_environment_that_is_another_folders_is_never_emptied(tmp_path, monkeypatch):
    python, link = tmp_path / "theirs" / "bin" / "python", tmp_path / ".venv"
    python.parent.mkdir(parents=True)
    python.touch()
    link.symlink_to(tmp_path / "theirs")
    monkeypatch.setattr(local, "VENV", link)
    local.prepare(test=True)
    assert python.exists()
    python.unlink()
    with pytest.raises(SystemExit, match="link"):
        local.prepare()
    assert python.parent.exists()


def test_whoever_watches_an_import_goes_on_past_a_restart_and_the_end_of_a_token(monkeypatch):
    said = [(201, {"token": "one", "renewal": "first"}), (503, {}), requests.ConnectionError(), (401, {})]
    said += [(201, {"token": "two", "renewal": "second"}), (200, {"done": 7})]
    asked = []

    def request(session, method, url, **options):
        asked.append((method, url, session.headers.get("Authorization"), options.get("json")))
        if isinstance(answer := said.pop(0), Exception):
            raise answer
        return SimpleNamespace(status_code=answer[0], json=lambda: answer[1])

    monkeypatch.setattr(requests.Session, "request", request)
    monkeypatch.setattr(tables.time, "sleep", lambda seconds: None)
    assert tables.Session("http://here", "a", "b").look("/v1/tables/people/x") == {"done": 7}
    assert asked[4][1:] == ("http://here/v1/sessions/renewals", "Bearer one", {"renewal": "first"})
    assert asked[5][:3] == ("GET", "http://here/v1/tables/people/x", "Bearer two")


def test_only_its_owner_reads_the_settings(tmp_path):
    settings = a_home(tmp_path)
    assert stat.S_IMODE(settings.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.keys()[0].stat().st_mode) == 0o600


def test_secrets_and_ports_stay_what_they_were(tmp_path):
    first, second = a_home(tmp_path), Settings(tmp_path)
    assert first.passwords() == second.passwords()
    assert first.port("amqp") == second.port("amqp")


def test_two_homes_share_nothing(tmp_path):
    one, other = a_home(tmp_path / "one"), a_home(tmp_path / "other")
    assert not set(one.data["ports"].values()) & set(other.data["ports"].values())
    assert not set(one.data["secrets"].values()) & set(other.data["secrets"].values())
    assert one.mark != other.mark


def test_what_two_processes_choose_at_once_is_kept_by_both(tmp_path):
    code = "import sys; from deploy.settings import Settings; print(Settings(sys.argv[1]).port(sys.argv[2]))"
    jobs = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path, name], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for name in ("amqp", "database", "amqp", "epmd")
    ]
    said = [job.communicate()[0].strip() for job in jobs]
    kept = Settings(tmp_path).data["ports"]
    assert said[0] == said[2]
    assert {str(kept[name]) for name in ("amqp", "database", "epmd")} == set(said)


def test_a_port_that_a_stranger_took_is_chosen_again(tmp_path):
    settings = a_home(tmp_path)
    before = dict(settings.data["ports"])
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", before["amqp"]))
        stranger.listen()
        assert is_taken(before["amqp"])
        assert settings.choose_again() == ["amqp"]
    assert settings.port("amqp") != before["amqp"] and settings.port("database") == before["database"]


def test_each_process_gets_its_own_logins_and_only_identity_the_private_key(tmp_path):
    settings = a_home(tmp_path)
    for service in SERVICES:
        environment = settings.environment(service)
        assert environment["AMQP_URI"].startswith(f"amqp://{service}:")
        assert f"/huying_{service}?" in environment["MONGO_URI"]
        assert ("TOKEN_PRIVATE_KEY_FILE" in environment) == (service == "identity")
    gateway = settings.environment("gateway")
    assert "MONGO_URI" not in gateway and "TOKEN_PRIVATE_KEY_FILE" not in gateway
    assert settings.environment("whistle.facts")["HEALTH_PORT"] != settings.environment("whistle")["HEALTH_PORT"]


def test_the_embedded_database_is_asked_for_safety_and_spared_retries(tmp_path):
    uri = database.service_uri(a_home(tmp_path), "whistle")
    assert "w=majority" in uri and "journal=true" in uri and "retryWrites=false" in uri


def test_a_given_database_keeps_its_retries_and_never_less_safety(tmp_path):
    settings = a_home(tmp_path, MONGO_URI="mongodb://u:p@db:27017/x?replicaSet=rs&w=1&connectTimeoutMS=9")
    uri = database.service_uri(settings, "whistle")
    assert "retryWrites" not in uri and "w=majority" in uri and "w=1" not in uri.replace("w=majority", "")
    assert "replicaSet=rs" in uri and "connectTimeoutMS=9" in uri


def test_a_given_broker_is_used_with_its_own_management(tmp_path):
    settings = a_home(tmp_path, AMQP_URI="amqps://boss:s%40cret@rabbit/street")
    assert settings.vhost == "street"
    assert settings.management() == "http://boss:s%40cret@rabbit:15672"
    assert settings.amqp_uri("whistle").startswith("amqps://whistle:")
    assert settings.amqp_uri("whistle").endswith("@rabbit:5671/street")


def test_a_given_broker_that_is_away_is_said_clearly(tmp_path):
    settings = a_home(
        tmp_path, AMQP_URI="amqp://boss:secret@127.0.0.1:1/x", AMQP_MANAGEMENT="http://boss:hush@127.0.0.1:1"
    )
    with pytest.raises(SystemExit) as said:
        broker.wait(settings, patience=0.2)
    assert "AMQP_MANAGEMENT=" in str(said.value) and "hush" not in str(said.value)


def test_without_a_broker_there_is_one_message_with_three_ways_on(tmp_path, monkeypatch):
    monkeypatch.setattr(broker, "installed", lambda: None)
    monkeypatch.setattr(broker, "_install", lambda say: False)
    with pytest.raises(SystemExit) as said:
        broker.see_to(a_home(tmp_path))
    for way in ("apt-get install", "docker compose up", "AMQP_URI="):
        assert way in str(said.value)


@pytest.mark.parametrize("secret", ["", "guest", "changeme", "short", "password"])
def test_production_refuses_weak_secrets(secret):
    with pytest.raises(SystemExit) as said:
        refuse_weak({"HUYING_MODE": "production", "AMQP_URI": f"amqp://whistle:{secret}@broker/huying"})
    assert "AMQP_URI" in str(said.value)


def test_production_refuses_a_missing_key(tmp_path):
    with pytest.raises(SystemExit):
        refuse_weak({"HUYING_MODE": "production", "TOKEN_PUBLIC_KEY_FILE": str(tmp_path / "none")})


def test_made_secrets_are_strong_enough():
    said = subprocess.run(
        [sys.executable, "-m", "deploy.settings", "secrets"], cwd=ROOT, capture_output=True, text=True
    )
    made = dict(line.split("=") for line in said.stdout.split())
    assert list(made) == compose_secrets()
    assert weak_secrets(made) == []


def test_only_what_we_started_is_ended(tmp_path):
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        ours.keep(tmp_path, "database", stranger.pid)
        book = tmp_path / "run" / "database.json"
        book.write_text(json.dumps({"pid": stranger.pid, "born": "1"}))
        assert ours.pid(tmp_path, "database") is None
        assert not ours.stop(tmp_path, "database")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_what_we_started_is_ended_with_its_children(tmp_path):
    argv = ["sh", "-c", "trap '' TERM; sleep 61 & wait; sleep 61"]
    pid = ours.start(tmp_path, "stubborn", argv, {"PATH": os.environ["PATH"]})
    assert ours.pid(tmp_path, "stubborn") == pid
    assert ours.stop(tmp_path, "stubborn", patience=0.3)
    assert ours.born(pid) is None


def test_the_supervisor_waits_longer_each_time_and_never_gives_up(monkeypatch):
    events = pytest.importorskip("supervisor.events")
    from supervisor.states import ProcessStates

    monkeypatch.setattr(events, "callbacks", [])
    daemon = SimpleNamespace(
        options=SimpleNamespace(poller=SimpleNamespace(poll=lambda timeout: timeout)), process_groups={}
    )
    interface = local.patience(daemon)
    process = SimpleNamespace(
        config=SimpleNamespace(name="whistle"), pid=0, state=ProcessStates.BACKOFF, delay=0, backoff=0, group=None
    )
    pauses = []
    for _ in range(12):
        process.backoff += 1
        events.notify(events.ProcessStateBackoffEvent(process, ProcessStates.STARTING))
        pauses.append(round(process.delay - time.time(), 1))
        assert process.backoff <= 3
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30]
    events.notify(events.ProcessStateRunningEvent(process, ProcessStates.STARTING))
    events.notify(events.ProcessStateBackoffEvent(process, ProcessStates.STARTING))
    assert round(process.delay - time.time(), 1) == 0.5
    assert interface.restarts() == {"whistle": 13}


def test_a_deep_home_still_has_a_socket_that_fits(tmp_path):
    deep = tmp_path / ("very-deep-" * 12)
    assert len(str(local.Platform(deep, environ={})._socket())) <= local.LONGEST_SOCKET


def test_a_taken_port_is_named_with_what_to_do(tmp_path):
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        with pytest.raises(SystemExit) as said:
            local.Platform(tmp_path, port=port, mode="test", environ={}).up()
    assert str(port) in str(said.value) and "PORT=" in str(said.value)


def test_no_secret_stands_on_a_command_line_or_in_the_supervisors_file(tmp_path):
    platform = local.Platform(tmp_path, environ={})
    platform.settings = a_home(tmp_path)
    text = platform._configuration(tmp_path / "s")
    for secret in platform.settings.data["secrets"].values():
        assert secret not in text
        assert secret not in " ".join(local.command(platform.settings, "whistle")[0])


def test_a_process_dies_with_its_supervisor(tmp_path):
    code = "import subprocess, sys, time\np = subprocess.Popen([sys.executable, '-c', sys.argv[1]])\n"
    code += "print(p.pid, flush=True)\ntime.sleep(60)"
    child = "import time; from deploy import ours; ours.die_with_parent(); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", code, child], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    time.sleep(0.7)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 5
    while ours.born(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ours.born(pid) is None


def test_an_environment_of_another_folder_is_never_cleared_through_a_link(tmp_path, monkeypatch):
    theirs = tmp_path / "theirs"
    (theirs / "bin").mkdir(parents=True)
    (theirs / "bin" / "pip").write_text("")
    (tmp_path / "ours").symlink_to(theirs)
    monkeypatch.setattr(local, "VENV", tmp_path / "ours")
    with pytest.raises(SystemExit, match="link"):
        local.prepare()
    assert (theirs / "bin" / "pip").exists()
