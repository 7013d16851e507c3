"""The message broker: the one that AMQP_URI names, else a private RabbitMQ node of this home, on loopback only."""

import base64
import json
import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from deploy import ours
from deploy.settings import Settings

PLUGINS = ("rabbitmq_management",)
ARGUMENTS = """
    +W w +MBas ageffcbf +MHas ageffcbf +MBlmbcs 512 +MHlmbcs 512 +MMmcs 30 +P 131072 +t 1048576 +zdbbl 32000
    +S 2:2 +SDio 2 +sbwt none +sbwtdcpu none +sbwtdio none
"""
THREE_WAYS = """没有消息代理（RabbitMQ），有三条路可走 / No message broker (RabbitMQ) here; three ways on:
  1. 安装 / install it:       apt-get install -y rabbitmq-server
  2. 用容器 / use containers:  docker compose up
  3. 用现成的 / use your own:  AMQP_URI=amqp://USER:PASSWORD@HOST:5672/huying make up"""


class Node(NamedTuple):
    """Where a broker is to be found."""

    amqp_port: int
    management_uri: str
    vhost: str
    admin_uri: str
    pid: int | None


def installed() -> Path | None:
    """Return the folder of the newest RabbitMQ on this machine that can be run, or nothing."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"), key=_version)
    return found[-1] if found and shutil.which("erl") and shutil.which("epmd") else None


def see_to(settings: Settings, say=print) -> None:
    """Make sure that there is a broker to start or to use; end with the three ways on where there is none."""
    if "AMQP_URI" in settings.given:
        return
    if installed() or _install(say) and installed():
        return
    raise SystemExit(THREE_WAYS)


def command(settings: Settings) -> tuple[list[str], dict[str, str]]:
    """Return the command and the environment of the private node; writes its configuration."""
    server = installed()
    if not server:
        raise SystemExit(THREE_WAYS)
    home = settings.home / "broker"
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    plugins, code = _lean_folders(server, home)
    cookie = home / ".erlang.cookie"
    if not cookie.exists():
        with os.fdopen(os.open(cookie, os.O_WRONLY | os.O_CREAT, 0o400), "w") as file:
            file.write(settings.secret("erlang"))
    (home / "enabled_plugins").write_text(f"[{','.join(PLUGINS)}].\n")
    (home / "rabbitmq.config").write_text(_configuration(settings))
    (home / "rabbitmq.config").chmod(0o600)
    env = {
        "HOME": str(home),
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "ERL_LIBS": str(plugins),
        "ERL_MAX_ETS_TABLES": "50000",
        "ERL_MAX_PORTS": "65536",
        "ERL_CRASH_DUMP_SECONDS": "0",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(settings.port("epmd")),
        "RABBITMQ_HOME": str(server),
        "RABBITMQ_NODENAME": f"huying_{settings.mark}@localhost",
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.config"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_PLUGINS_DIR": str(plugins),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(settings.home / "logs"),
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "generated"),
        "RABBITMQ_DIST_PORT": str(settings.port("dist")),
    }
    # The package's own script starts a shell that waits beside the node; started directly, the node is the process
    # that the supervisor sees. The arguments are the script's, smaller; idle schedulers must not spin.
    argv = [shutil.which("erl"), "-pa", str(code), "-noinput", "-s", "rabbit", "boot", "-boot", "start_sasl"]
    argv += ARGUMENTS.split()
    argv += ["-start_epmd", "false", "-kernel", "inet_dist_use_interface", "{127,0,0,1}"]
    argv += ["-kernel", "prevent_overlapping_partitions", "false"]
    argv += ["-syslog", "logger", "[]", "-syslog", "syslog_error_logger", "false"]
    return argv, env


def epmd_command(settings: Settings) -> tuple[list[str], dict[str, str]]:
    """Return the command of Erlang's port mapper, our own one, so that the system's is left alone."""
    argv = [shutil.which("epmd") or "epmd", "-address", "127.0.0.1", "-port", str(settings.port("epmd"))]
    return argv, {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(settings.home)}


def node(settings: Settings) -> Node:
    """Return where the broker of this home is, started or not."""
    admin = settings.amqp_admin_uri()
    return Node(urlsplit(admin).port, settings.management(), settings.vhost, admin, ours.pid(settings.home, "broker"))


def start(home, patience: float = 60) -> Node:
    """Start this home's private node outside any supervisor (for tests) and wait for it; one that runs is kept."""
    settings = Settings(home).complete()
    see_to(settings)
    if "AMQP_URI" not in settings.given and not ours.pid(settings.home, "broker"):
        if not ours.pid(settings.home, "epmd"):
            settings.choose_again({"epmd"})
            ours.start(settings.home, "epmd", *epmd_command(settings))
        settings.choose_again({"amqp", "management", "dist"})
        ours.start(settings.home, "broker", *command(settings))
    try:
        wait(settings, patience)
    except SystemExit:
        stop(home)
        raise
    return node(settings)


def stop(home) -> None:
    """Stop what start() started for this home."""
    home = Settings(home).home
    ours.stop(home, "broker")
    ours.stop(home, "epmd")


def is_up(settings: Settings) -> bool:
    """Return whether the broker and its management API answer."""
    try:
        ask(settings.management(), "GET", "/api/overview", timeout=2)
    except OSError:
        return False
    return True


WAYS_ON = """
  · 用自带的代理：去掉 AMQP_URI / run our own broker: leave AMQP_URI= away
  · 容器：docker compose up / in containers: docker compose up
  · 换一个地址：AMQP_URI=amqp://…，管理接口另用 AMQP_MANAGEMENT=http://… / another address"""


def wait(settings: Settings, patience: float = 60) -> None:
    """Wait until the broker answers and our virtual host is there; say clearly when it does not."""
    # A broker of the person's own is up already or not: nothing is gained by waiting long for it.
    deadline = time.monotonic() + (min(patience, 5) if "AMQP_URI" in settings.given else patience)
    while True:
        try:
            make_vhost(settings.management(), settings.vhost)
            return
        except OSError as failure:
            address = re.sub(r"//[^@]*@", "//", settings.management())
            if time.monotonic() > deadline:
                ways = WAYS_ON if "AMQP_URI" in settings.given else ""
                raise SystemExit(
                    f"消息代理的管理接口没有应答：{address}（{failure}）。\n"
                    f"The broker's management API does not answer: {address} ({failure}).{ways}"
                ) from failure
            time.sleep(0.1)


def make_vhost(management: str, vhost: str) -> None:
    """Make a virtual host if it is missing, and let the administrator into it."""
    name = quote(vhost, safe="")
    user = quote(unquote(urlsplit(management).username or "guest"), safe="")
    ask(management, "PUT", f"/api/vhosts/{name}", {})
    rights = {"configure": ".*", "write": ".*", "read": ".*"}
    ask(management, "PUT", f"/api/permissions/{name}/{user}", rights)


def drop_vhost(management: str, vhost: str) -> None:
    """Remove a virtual host with all that is in it (a test run's own)."""
    ask(management, "DELETE", f"/api/vhosts/{quote(vhost, safe='')}")


def ask(management: str, method: str, path: str, body=None, timeout: float = 10):
    """Ask the management API one thing and return its answer; every failure is an OSError."""
    parts = urlsplit(management)
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{path}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(where, data=data, method=method, headers={"content-type": "application/json"})
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    request.add_header("authorization", "Basic " + base64.b64encode(login.encode()).decode())
    # The proxy of the environment, if there is one, has no way to this machine's loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=timeout) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def queues(settings: Settings) -> list[dict]:
    """Return each queue of our virtual host as the broker describes it."""
    return ask(settings.management(), "GET", f"/api/queues/{quote(settings.vhost, safe='')}")


def _configuration(settings):
    # Erlang terms, not rabbitmq.conf: translating that costs the node a second of each start. It logs to its output,
    # which the supervisor keeps and rotates like everybody's.
    return f"""[{{rabbit, [
  {{tcp_listeners, [{{"127.0.0.1", {settings.port("amqp")}}}]}},
  {{default_vhost, <<"{settings.vhost}">>}},
  {{default_user, <<"admin">>}},
  {{default_pass, <<"{settings.secret("amqp.admin")}">>}},
  {{default_user_tags, [administrator]}},
  {{loopback_users, []}},
  {{disk_free_limit, 50000000}},
  {{vm_memory_high_watermark, {{absolute, 1073741824}}}},
  {{num_tcp_acceptors, 2}},
  {{log, [{{file, [{{file, false}}]}}, {{console, [{{enabled, true}}, {{level, info}}]}}]}}
]}},
{{rabbitmq_management, [
  {{tcp_config, [{{ip, "127.0.0.1"}}, {{port, {settings.port("management")}}}]}},
  {{http_log_dir, none}}
]}}].
"""


def _lean_folders(server, home):
    """Link the applications that the node needs into one folder, and all their modules into another.

    At each start the node loads a thousand modules, and Erlang looks for each in some sixty folders in turn: measured
    on two cores, 12 to 14 seconds. With one flat folder first it is 5, and a killed node is back that much sooner.
    """
    otp = Path(shutil.which("erl")).resolve().parent.parent / "lib"
    stamp = f"{server} {otp} {sorted(entry.name for entry in otp.glob('*-*'))} {PLUGINS}"
    plugins, code = home / "plugins", home / "code"
    if (home / "code.stamp").exists() and (home / "code.stamp").read_text() == stamp:
        return plugins, code
    for folder in (plugins, code):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    where = {}
    for lib in (otp, server / "plugins"):
        for entry in lib.glob("*-[0-9]*"):
            where[entry.name.rpartition("-")[0]] = entry.resolve()
    seen = set()
    wanted = ["rabbit", "rabbitmq_prelaunch", "kernel", "stdlib", "sasl", "mnesia", "runtime_tools", *PLUGINS]
    while wanted:
        name = wanted.pop()
        if name in seen or name not in where:
            continue
        seen.add(name)
        for app in where[name].glob("ebin/*.app"):
            for needs in re.findall(r"\{\s*(?:included_)?applications\s*,\s*\[(.*?)\]", app.read_text(), re.DOTALL):
                wanted += re.findall(r"[a-z][a-z0-9_]*", needs)
        for module in where[name].glob("ebin/*"):
            (code / module.name).symlink_to(module)
        if where[name].parent != otp.resolve():
            (plugins / where[name].name).symlink_to(where[name])
    (home / "code.stamp").write_text(stamp)
    return plugins, code


def _install(say):
    """Install Debian's package without letting it start a broker of the system's."""
    if not shutil.which("apt-get"):
        return False
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if sudo and (not shutil.which("sudo") or subprocess.run([*sudo, "true"], capture_output=True).returncode):
        return False
    say("安装 RabbitMQ（Debian 软件包，约 1 分钟） / installing RabbitMQ from Debian's package (about a minute) …")
    policy = Path("/usr/sbin/policy-rc.d")
    ours_to_remove = not policy.exists()
    if ours_to_remove:
        script = "#!/bin/sh\n# Put here by 呼应 while it installs RabbitMQ: nothing starts by itself.\nexit 101\n"
        subprocess.run([*sudo, "tee", str(policy)], input=script, text=True, stdout=subprocess.DEVNULL, check=True)
        subprocess.run([*sudo, "chmod", "755", str(policy)], check=True)
    quiet = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    install = [*quiet, "install", "-y", "--no-install-recommends", "rabbitmq-server"]
    try:
        # What apt prints goes to stderr only when it fails: a newcomer has no use for two hundred lines.
        first = subprocess.run(install, capture_output=True, text=True)
        if first.returncode:
            subprocess.run([*quiet, "update"], capture_output=True)
            first = subprocess.run(install, capture_output=True, text=True)
        if first.returncode:
            say(first.stderr.strip()[-2000:])
        return first.returncode == 0
    finally:
        if ours_to_remove:
            subprocess.run([*sudo, "rm", "-f", str(policy)], check=False)


def _version(folder):
    return [int(part) for part in re.findall(r"\d+", folder.name)]
