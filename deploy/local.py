"""The platform on one machine: what `make up`, `down`, `status`, `logs`, `restart` and `reset` do.

Everything at the top is the standard library, because the first thing this program does is to make the virtual
environment that holds the rest.
"""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from deploy import broker, browser, database, front, ours
from deploy.settings import ROOT, SERVICES, Settings, default_home, is_taken

VENV = ROOT / ".venv"
OLDEST = (3, 11)
FIRST_PAUSE, LONGEST_PAUSE, HEALTHY_AFTER = 0.5, 30, 60
# A path of a Unix socket may have 107 bytes; supervisor adds its pid while it opens one.
LONGEST_SOCKET = 95


# --- the virtual environment -------------------------------------------------------------------------------------


def prepare(test: bool = False) -> None:
    """Make .venv from the locked requirements, and bring what pages and their tests need; what is there is left."""
    packages(test)
    front.install(VENV, say)
    if test:
        browser.see_to(say)


def packages(test: bool = False) -> None:
    """Make .venv from the locked requirements; when nothing changed since, do nothing."""
    if sys.version_info < OLDEST:
        raise SystemExit(
            f"需要 Python 3.11 以上，这里是 {sys.version.split()[0]} / Python 3.11 or newer is needed:\n"
            "  apt-get install -y python3 python3-venv"
        )
    files = [ROOT / "requirements.txt"]
    files += [] if os.environ.get("MONGO_URI") and not test else [ROOT / "requirements-embedded.txt"]
    files += [ROOT / "requirements-test.txt"] if test else []
    if VENV.is_symlink():
        # Another folder's: used as it is, for making it anew here would empty it there.
        if (VENV / "bin" / "python").exists():
            return
        raise SystemExit(".venv 指向别处且不完整 / .venv is a link, and there is no Python where it leads")
    stamps = VENV / "stamps"
    # Where it really is: one that is linked from another clone is that clone's, and is not to be made anew here.
    said = f"{sys.version_info[:2]} {VENV.resolve().parent}\n"
    wanted = {file.name: hashlib.sha256((said + file.read_text()).encode()).hexdigest() for file in files}
    missing = [file for file in files if not _stamped(stamps / file.name, wanted[file.name])]
    if not missing:
        return
    if VENV.is_symlink():
        raise SystemExit(
            f".venv 是指向 {VENV.resolve()} 的链接，不能在此重建：删掉链接再试 / .venv is a link to another folder's "
            "environment, which is not cleared from here: remove the link and try again"
        )
    if not (VENV / "bin" / "pip").exists() or not _stamped(stamps / "python", said):
        say("Python 环境 / virtual environment", ".venv")
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True)
        if made.returncode or not (VENV / "bin" / "pip").exists():
            shutil.rmtree(VENV, ignore_errors=True)
            raise SystemExit("缺少 venv / Python's venv is missing:\n  apt-get install -y python3-venv\n" + made.stderr)
        stamps.mkdir()
        (stamps / "python").write_text(said)
        missing = files
    argv = [str(VENV / "bin" / "pip"), "install", "--require-hashes", "--no-input", "--progress-bar", "off"]
    for file in missing:
        argv += ["-r", str(file)]
    say("依赖 / packages", ", ".join(file.name for file in missing))
    env = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
    seen, lines = 0, []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Collecting"):
            seen += 1
            _live(f"    {seen:3d}  {line.split()[1]}", every=20, count=seen)
        elif line.startswith("Installing collected"):
            _live("    安装 / installing …")
    if process.wait():
        raise SystemExit("".join(lines[-15:]) + "依赖没有装好 / the packages could not be installed")
    _live("")
    for file in missing:
        (stamps / file.name).write_text(wanted[file.name])


def _stamped(path, text):
    return path.exists() and path.read_text() == text


# --- one process -------------------------------------------------------------------------------------------------


def run(home: str, name: str) -> None:
    """Become the process of this name; the supervisor starts each through here, so no secret is on a command line."""
    settings = Settings(home)
    ours.die_with_parent()
    argv, env = command(settings, name)
    # A supervisor that died between the fork and the line above would leave an orphan.
    if os.getppid() == 1 and os.environ.get("SUPERVISOR_ENABLED"):
        raise SystemExit(1)
    os.execve(shutil.which(argv[0]) or argv[0], argv, env)


def command(settings: Settings, name: str) -> tuple[list[str], dict[str, str]]:
    """Return the command and the environment of one of our processes."""
    if name == "epmd":
        return broker.epmd_command(settings)
    if name == "broker":
        return broker.command(settings)
    if name == "database":
        return database.command(settings)
    kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "HOME", "SSL_CERT_FILE")
    env = {key: value for key, value in os.environ.items() if key in kept or key.startswith("AWS_")}
    # glibc gives each thread an arena of its own; with ten Python processes on one machine that is memory for nothing.
    env |= {"PYTHONPATH": str(ROOT), "MALLOC_ARENA_MAX": "2", **settings.environment(name)}
    if name == "gateway":
        return [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gateway/gunicorn.py"), "gateway:create_app()"], env
    return [sys.executable, "-m", "deploy.serve", name], env


def patience(supervisord, **_):
    """Give supervisor our patience: restart for ever, after 0.5, 1, 2 … 30 seconds, at once after a healthy minute.

    supervisor loads this as one of its interfaces. By itself it gives up after some tries, and waits a second longer
    each time without a limit; a platform that a broker's absence has stopped must come back alone.
    """
    from supervisor import events
    from supervisor.states import ProcessStates

    failures, restarts = {}, {}
    hurried = (ProcessStates.BACKOFF, ProcessStates.EXITED, ProcessStates.STOPPING, ProcessStates.STARTING)

    def ended(event):
        process = event.process
        name = process.config.name
        restarts[name] = restarts.get(name, 0) + 1
        # A killed gateway leaves workers that hold its port; they go with it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL) if process.pid else None
        if process.state == ProcessStates.BACKOFF:
            failures[name] = failures.get(name, 0) + 1
            process.delay = time.time() + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures[name] - 1))
            process.backoff = 1  # never above startretries, where supervisor gives up

    def healthy(event):
        failures.pop(event.process.config.name, None)

    events.subscribe(events.ProcessStateBackoffEvent, ended)
    events.subscribe(events.ProcessStateExitedEvent, ended)
    events.subscribe(events.ProcessStateRunningEvent, healthy)
    events.subscribe(events.ProcessStateStoppedEvent, healthy)

    poller = supervisord.options.poller
    poll = poller.poll

    def poll_sooner(timeout):
        # supervisor looks around once a second; while somebody is down that is too slow.
        processes = [p for group in supervisord.process_groups.values() for p in group.processes.values()]
        return poll(0.1 if any(p.state in hurried for p in processes) else timeout)

    poller.poll = poll_sooner

    class Patience:
        """What supervisor answers under the name patience."""

        def restarts(self):
            """Return how often each process was started again."""
            return restarts

    return Patience()


# --- the platform ------------------------------------------------------------------------------------------------


class Platform:
    """One home's platform: broker, database, every service and the gateway, under one supervisor.

    Two homes can run side by side. A home whose broker or database was started by broker.start() or database.start() is
    not to be run as a Platform at the same time.
    """

    def __init__(self, home=None, port: int | None = None, mode: str | None = None, environ=None):
        self.settings = Settings(home or default_home())
        self.home = self.settings.home
        self._said = (os.environ if environ is None else environ, port, mode)

    @property
    def url(self) -> str:
        """Return the gateway's address."""
        return f"http://127.0.0.1:{self.settings.health_port('gateway')}"

    def names(self) -> list[str]:
        """Return the names of the processes of this home, in the order in which they start."""
        own = ["epmd", "broker"] if "AMQP_URI" not in self.settings.given else []
        own += ["database"] if database.is_embedded(self.settings) else []
        return [*own, *SERVICES, "gateway"]

    def is_up(self) -> bool:
        """Return whether this home's supervisor runs."""
        return bool(ours.pid(self.home, "supervisor"))

    def up(self, seed: bool = True, patience: float = 120) -> None:
        """Start what is not running, wait until each process is ready, load the demo data if asked; loses nothing."""
        began = time.monotonic()
        again = self.is_up()
        if again:
            self._keep_what_runs()
        else:
            self._fresh()
        try:
            self._start_supervisor()
            self._infrastructure(patience)
            self._services(patience)
        except (SystemExit, OSError, RuntimeError, subprocess.SubprocessError):
            if not again:
                # What did not come up must not stand in the way of the next try, which may be told other servers.
                self.down()
            raise
        if seed and self.settings.mode != "production":
            say("演示数据 / demo data")
            self.seed()
        say("就绪 / ready", f"{self.url}   ({time.monotonic() - began:.1f} s)")
        if again and self._code_changed():
            print("  代码变了，正在运行的还是旧的：make restart / the code changed, the old one runs on: make restart")

    def down(self) -> bool:
        """Stop what up() started, the gateway first and the broker last; say whether anything ran."""
        for name in ("database-setup", "broker", "database", "epmd"):
            ours.stop(self.home, name)
        return ours.stop(self.home, "supervisor", patience=75)

    def restart(self, name: str | None = None) -> None:
        """Restart one process, or every service and the gateway, and wait until ready."""
        names = [name] if name else [*SERVICES, "gateway"]
        proxy = self._proxy()
        for each in reversed(names):
            self._stop_one(proxy, each)
        for each in names:
            proxy.supervisor.startProcess(self._full(each), False)
        if not name:
            self._remember_code()
        self._await_ready([each for each in names if each in (*SERVICES, "gateway")], 120)

    def stop_one(self, name: str) -> None:
        """Stop one process and leave it stopped (for tests)."""
        self._stop_one(self._proxy(), name)

    def start_one(self, name: str) -> None:
        """Start one process that was stopped."""
        self._proxy().supervisor.startProcess(self._full(name), False)

    def pids(self) -> dict[str, int]:
        """Return the pid of each process that runs."""
        return {info["name"]: info["pid"] for info in self._proxy().supervisor.getAllProcessInfo() if info["pid"]}

    def kill(self, name: str) -> int:
        """Kill one process with SIGKILL, as a crash would, and return its pid; the supervisor starts it again."""
        pid = self.pids()[name]
        os.kill(pid, signal.SIGKILL)
        return pid

    def is_ready(self, name: str, timeout: float = 2) -> bool:
        """Return whether a service or the gateway says that it is ready, or the broker or database answers."""
        if name == "broker":
            return broker.is_up(self.settings)
        if name == "database":
            return database.is_up(self.settings)
        return _says_ok(f"http://127.0.0.1:{self.settings.health_port(name)}/readyz", timeout)

    def seed(self) -> None:
        """Load the demo data; it prints the demo logins."""
        self.module("deploy.seed")

    def module(self, name: str, *words: str) -> None:
        """Run one of the project's programs with this home's addresses in its environment."""
        subprocess.run([sys.executable, "-m", name, *words], cwd=ROOT, env=self.environment(), check=True)

    def environment(self) -> dict[str, str]:
        """Return the environment of the project's own programs, the administrator's: seed, demo, parked, verify …"""
        at = broker.node(self.settings)
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "HUYING_HOME": str(self.home)}
        env |= {"HUYING_MODE": self.settings.mode, "HUYING_URL": self.url}
        env |= {"PORT": str(self.settings.health_port("gateway")), "CLOCK_FILE": str(self.home / "clock.json")}
        env |= {"AMQP_URI": at.admin_uri, "AMQP_MANAGEMENT": at.management_uri}
        return env | {"MONGO_URI": database.admin_uri(self.settings), "EVENTLET_NO_GREENDNS": "yes"}

    def status(self) -> list[dict]:
        """Return one row per process: name, pid, state, ready, memory (PSS in MB, children too), restarts, age (s)."""
        if not self.is_up():
            return []
        proxy = self._proxy()
        restarts = proxy.patience.restarts()
        infos = {info["name"]: info for info in proxy.supervisor.getAllProcessInfo()}
        rows = [{"name": "supervisor", "pid": ours.pid(self.home, "supervisor"), "state": "RUNNING", "age": None}]
        for name in self.names():
            info = infos.get(name, {"pid": 0, "statename": "STOPPED", "now": 0, "start": 0})
            # supervisor calls a process that is not a minute old STARTING; that minute is only our measure of health.
            state = "RUNNING" if info["pid"] and info["statename"] == "STARTING" else info["statename"]
            row = {"name": name, "pid": info["pid"], "state": state, "age": info["now"] - info["start"]}
            rows.append({**row, "restarts": restarts.get(name, 0)})
        for row in rows:
            row["memory"] = memory(row["pid"], alone=row["name"] == "supervisor") if row["pid"] else 0
            row["ready"] = bool(row["pid"]) and (row["name"] in ("supervisor", "epmd") or self.is_ready(row["name"]))
        return rows

    # --- how ---

    def _fresh(self):
        environ, port, mode = self._said
        self.settings.adopt(environ, port, mode).complete()
        _await(lambda: not self._orphans(), 10)
        self.settings.choose_again()
        if is_taken(self.settings.health_port("gateway")):
            number = self.settings.health_port("gateway")
            raise SystemExit(
                f"端口 {number} 已被别的程序占用。换一个：PORT={number + 1} make up\n"
                f"Port {number} is taken by another program. Choose another one: PORT={number + 1} make up"
            )
        broker.see_to(self.settings, lambda text: print(f"  {text}", flush=True))
        self._remember_code()

    def _keep_what_runs(self):
        environ, port, _ = self._said
        wanted = int(port or environ.get("PORT") or 0)
        if wanted and wanted != self.settings.health_port("gateway"):
            raise SystemExit(
                f"平台已在 {self.url} 运行；换端口先 make down。\n"
                f"The platform runs at {self.url} already; to change the port, make down first."
            )
        others = [
            name
            for name in ("AMQP_URI", "MONGO_URI")
            if environ.get(name, self.settings.given.get(name)) != self.settings.given.get(name)
        ]
        if others:
            raise SystemExit(
                f"平台正在运行，用的是别的 {'、'.join(others)}；要换先 make down。\n"
                f"The platform runs with another {', '.join(others)}; to change it, make down first."
            )

    def _orphans(self):
        # After a kill -9 of the supervisor its processes get their SIGTERM from the kernel, and need a moment.
        ports = self.settings.data.get("ports", {})
        return [name for name in ("amqp", "management", "database") if name in ports and is_taken(ports[name])]

    def _start_supervisor(self):
        if self.is_up():
            return
        for folder in ("run", "logs"):
            (self.home / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        socket = self._socket()
        socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        socket.unlink(missing_ok=True)
        conf = self.home / "supervisord.conf"
        conf.write_text(self._configuration(socket))
        dropped = ("AMQP_", "MONGO_", "MAKE", "PIP_")
        env = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
        env |= {"PYTHONPATH": str(ROOT), "HUYING_HOME": str(self.home)}
        say("看护 / supervisor")
        argv = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(conf)]
        ours.start(self.home, "supervisor", argv, env)
        if not _await(self._answers, 15):
            raise SystemExit(f"看护没有起来 / the supervisor did not start: {self.home / 'logs' / 'supervisor.log'}")

    def _infrastructure(self, limit):
        proxy, began = self._proxy(), time.monotonic()
        infos = {info["name"]: info for info in proxy.supervisor.getAllProcessInfo()}
        for name in ("epmd", "broker", "database"):
            if name == "database":
                database.prepare(self.settings)  # while the broker boots
            if name in infos and not infos[name]["pid"]:
                proxy.supervisor.startProcess(name, False)
        database.wait(self.settings, limit)
        database.grant(self.settings)
        kind = "SecantusDB" if database.is_embedded(self.settings) else "MONGO_URI"
        say("数据库 / database", f"{kind}  {time.monotonic() - began:.1f} s")
        broker.wait(self.settings, limit)
        kind = "RabbitMQ" if "AMQP_URI" not in self.settings.given else "AMQP_URI"
        say("消息 / broker", f"{kind}  {time.monotonic() - began:.1f} s")
        from deploy import topology

        topology.apply(self.settings.management(), self.settings.vhost, self.settings.passwords())
        say("队列与权限 / queues and permissions", f"{time.monotonic() - began:.1f} s")

    def _services(self, limit):
        proxy = self._proxy()
        infos = {info["name"]: info for info in proxy.supervisor.getAllProcessInfo()}
        names = [*SERVICES, "gateway"]
        for name in names:
            if infos[name]["statename"] not in ("RUNNING", "STARTING", "BACKOFF"):
                proxy.supervisor.startProcess(self._full(name), False)
        self._await_ready(names, limit)

    def _await_ready(self, names, limit):
        began = time.monotonic()
        waiting = list(names)
        while waiting:
            for name in list(waiting):
                if self.is_ready(name):
                    waiting.remove(name)
                    say(name, f"就绪 / ready  {time.monotonic() - began:.1f} s")
            if waiting and time.monotonic() - began > limit:
                for name in waiting:
                    print(f"\n--- {name}: {self.home / 'logs' / name}.log")
                    print(tail(self.home / "logs" / f"{name}.log", 15))
                raise SystemExit(f"没有就绪 / not ready: {', '.join(waiting)}")
            if waiting:
                _live(f"    等待 / waiting for {', '.join(waiting)}  {time.monotonic() - began:.0f} s")
                time.sleep(0.15)

    def _stop_one(self, proxy, name):
        from xmlrpc.client import Fault

        with contextlib.suppress(Fault):
            proxy.supervisor.stopProcess(self._full(name), True)

    def _full(self, name):
        return f"services:{name}" if name in SERVICES else name

    def _socket(self):
        path = self.home / "run" / "supervisor.sock"
        if len(os.fsencode(path)) <= LONGEST_SOCKET:
            return path
        return Path(tempfile.gettempdir()) / f"huying-{os.getuid()}-{self.settings.mark}" / "supervisor.sock"

    def _proxy(self):
        import xmlrpc.client

        from supervisor.xmlrpc import SupervisorTransport

        if not self.is_up():
            raise SystemExit("平台没有运行：make up / the platform is not running: make up")
        transport = SupervisorTransport(None, None, f"unix://{self._socket()}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport)

    def _answers(self):
        try:
            return bool(self._proxy().supervisor.getState())
        except (OSError, SystemExit):
            return False

    def _configuration(self, socket):
        def safe(value):
            return str(value).replace("%", "%%")

        home, here = safe(self.home), safe(sys.executable)
        priority = {"epmd": 5, "broker": 10, "database": 20, "gateway": 40}
        lines = ["[unix_http_server]", f"file={safe(socket)}", "chmod=0700", "", "[supervisord]"]
        lines += [f"logfile={home}/logs/supervisord.log", "logfile_maxbytes=5MB", "logfile_backups=2", "loglevel=info"]
        lines += [f"pidfile={home}/run/supervisord.pid", f"directory={home}", f"childlogdir={home}/logs", "umask=077"]
        lines += ["nodaemon=true", "nocleanup=true", "minprocs=10", f"identifier=huying-{self.settings.mark}", ""]
        for name, factory in (
            ("supervisor", "supervisor.rpcinterface:make_main_rpcinterface"),
            ("patience", "deploy.local:patience"),
        ):
            lines += [f"[rpcinterface:{name}]", f"supervisor.rpcinterface_factory={factory}", ""]
        for name in self.names():
            lines += [f"[program:{name}]", f"directory={safe(ROOT)}"]
            lines += [f'command="{here}" -m deploy.local run "{home}" {name}']
            lines += ["autostart=false", "autorestart=true", f"startsecs={HEALTHY_AFTER}", "startretries=3"]
            lines += ["stopsignal=TERM", f"stopwaitsecs={10 if name in (*SERVICES, 'gateway') else 20}"]
            # The whole group is told only where its head does not tell its children itself.
            lines += [f"stopasgroup={'false' if name in ('gateway', 'broker') else 'true'}", "killasgroup=true"]
            lines += ["redirect_stderr=true", f"stdout_logfile={home}/logs/{name}.log", "stdout_logfile_maxbytes=10MB"]
            lines += ["stdout_logfile_backups=2", f"priority={priority.get(name, 30)}", ""]
        lines += ["[group:services]", f"programs={','.join(SERVICES)}", "priority=30", ""]
        return "\n".join(lines)

    def _code_changed(self):
        seen = self.home / "run" / "code"
        return seen.exists() and seen.read_text() != code_mark()

    def _remember_code(self):
        (self.home / "run").mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.home / "run" / "code").write_text(code_mark())


def code_mark() -> str:
    """Return a mark of the code tree that changes when any file of it does."""
    mark = hashlib.sha256()
    for folder in ("shared", "services", "gateway", "deploy"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                mark.update(f"{file.relative_to(ROOT)} {file.stat().st_mtime_ns}\n".encode())
    return mark.hexdigest()


def memory(pid: int, alone: bool = False) -> float:
    """Return the memory of a process and its children in MB, shared pages counted once (PSS)."""
    import psutil

    total = 0
    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        for each in [process, *([] if alone else process.children(recursive=True))]:
            with contextlib.suppress(psutil.Error, OSError):
                for line in Path(f"/proc/{each.pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1])
    return total / 1024


def tail(path: Path, lines: int) -> str:
    """Return the last lines of a file."""
    if not path.exists():
        return ""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 400 * lines))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def say(what: str, more: str = "") -> None:
    """Print one line of progress."""
    _live("")
    print(f"  ● {what:<28} {more}".rstrip(), flush=True)


def _live(text, every=1, count=0):
    # A line that is rewritten in place on a terminal, and said now and then in a log.
    if sys.stdout.isatty():
        print(f"\r\033[K{text}", end="", flush=True)
    elif text and count and count % every == 0:
        print(text, flush=True)


def _await(is_so, limit):
    deadline = time.monotonic() + limit
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _says_ok(url, timeout):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout) as answer:
            return answer.status == 200
    except (OSError, ValueError):
        return False


# --- what a person types -----------------------------------------------------------------------------------------


def show_status(platform: Platform) -> None:
    """Print the processes and the queues."""
    rows = platform.status()
    if not rows:
        raise SystemExit("平台没有运行：make up / the platform is not running: make up")
    print(f"{platform.url}   HUYING_MODE={platform.settings.mode}   {platform.home}\n")
    print(f"{'process':<12}{'pid':>8}  {'state':<9}{'ready':<7}{'memory MB':>10}{'restarts':>10}{'age':>10}")
    for row in rows:
        age = "" if row["age"] is None or not row["pid"] else f"{row['age']} s"
        ready = "yes" if row["ready"] else "NO"
        print(
            f"{row['name']:<12}{row['pid'] or '-':>8}  {row['state']:<9}{ready:<7}{row['memory']:>10.0f}"
            f"{row.get('restarts', 0):>10}{age:>10}"
        )
    print(f"{'':<38}{sum(row['memory'] for row in rows):>8.0f}\n")
    try:
        queues = sorted(broker.queues(platform.settings), key=lambda queue: queue["name"])
    except OSError as failure:
        print(f"队列 / queues: {failure}")
        return
    print(f"{'queue':<44}{'ready':>8}{'unacked':>9}{'consumers':>11}{'oldest':>10}")
    for queue in queues:
        # A quorum queue of RabbitMQ 3.10 does not tell how old its head is: then the column says so.
        head = queue.get("head_message_timestamp")
        waiting = queue.get("messages_ready", 0)
        oldest = f"{time.time() - head:.0f} s" if isinstance(head, (int, float)) else "-" if not waiting else "?"
        print(
            f"{queue['name']:<44}{waiting:>8}{queue.get('messages_unacknowledged', 0):>9}"
            f"{queue.get('consumers', 0):>11}{oldest:>10}"
        )
    for name in SERVICES:
        for line in _metrics(platform, name, "untold"):
            print(f"  {name}: {line}")
    show_plugins(_metrics(platform, "plugins", "huying_plugin_"))


def show_plugins(lines: list[str]) -> None:
    """Print how departments' programs stand, as the plugins service tells it: what waits, how long, what failed."""
    known: dict[str, dict[str, float]] = {}
    for line in lines:
        if found := re.match(r'huying_plugin_(\w+)\{(?:outcome="(\w+)",)?user="([^"]+)"\} (\S+)', line):
            name, outcome, user, value = found.groups()
            row = known.setdefault(user, {"over": 0, "refused": 0})
            if name == "asked_total":
                kind = outcome if outcome in ("passed", "over", "shut") else "refused"
                row[kind] = row.get(kind, 0) + float(value)
            elif not outcome:
                row[name] = float(value)
    if known:
        print(f"\n{'部门系统 / program':<44}{'waiting':>8}{'oldest':>9}{'parked':>8}{'over':>7}{'refused':>9}  there")
    for user, row in sorted(known.items()):
        waiting, oldest, parked = (row.get(name, 0) for name in ("backlog", "oldest_seconds", "parked"))
        there = "yes" if row.get("connected") else "no"
        print(
            f"{user:<44}{waiting:>8.0f}{oldest:>7.0f} s{parked:>8.0f}{row['over']:>7.0f}{row['refused']:>9.0f}  {there}"
        )


def _metrics(platform, name, part):
    # The age of what is saved and not yet told, and of what waits for a program, is the services' own knowledge.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{platform.settings.health_port(name)}/metrics", timeout=2) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return []
    return [line for line in lines if part in line and not line.startswith("#")]


def show_logs(platform: Platform, name: str) -> None:
    """Follow the log of one process, or of all."""
    folder = platform.home / "logs"
    names = [name] if name else platform.names()
    files = [str(folder / f"{each}.log") for each in names if (folder / f"{each}.log").exists()]
    if not files:
        raise SystemExit(f"没有这样的日志 / no such log: {name or folder}")
    follow = ["-f"] if sys.stdout.isatty() else []
    os.execvp("tail", ["tail", "-n", "40", *follow, *files])


def reset(platform: Platform, sure: bool) -> None:
    """Stop the platform and remove its home, after asking."""
    home = platform.home
    if not (home / "settings.json").exists():
        raise SystemExit(f"没有可清除的数据 / nothing to remove in {home}")
    if not sure:
        print(f"将停止平台并删除全部数据 / this stops the platform and removes all of its data: {home}")
        if not sys.stdin.isatty() or input("确定？输入 yes / sure? type yes: ").strip() != "yes":
            raise SystemExit("没有删除 / nothing was removed")
    platform.down()
    shutil.rmtree(home)
    print(f"已删除 / removed: {home}")


def main(words: list[str]) -> None:
    """Do what the Makefile's target says."""
    verb, rest = (words or [""])[0], words[1:]
    if verb == "prepare":
        return prepare(test="test" in rest)
    if verb == "run":
        return run(*rest)
    platform = Platform()
    name = rest[0] if rest else ""
    if name and verb in ("logs", "restart") and name not in platform.names():
        raise SystemExit(f"没有这个进程 / no such process: {name}\n  {' '.join(platform.names())}")
    if verb == "up":
        platform.up(seed="noseed" not in rest)
        print("\n先试试 / try first:  make demo · make status · make logs s=whistle · make down")
    elif verb == "down":
        print("已停止 / stopped" if platform.down() else "没有在运行 / was not running")
    elif verb == "status":
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `make status | head` is no error
        show_status(platform)
    elif verb == "logs":
        show_logs(platform, name)
    elif verb == "restart":
        platform.restart(name or None)
    elif verb == "reset":
        reset(platform, sure="yes" in rest)
    elif verb == "tool" and rest:
        with contextlib.suppress(KeyboardInterrupt):
            argv = [sys.executable, "-m", *rest]
            env = platform.environment()
            if rest[0] == "deploy.operator":
                # Orders are believed from the gateway's user only.
                env["AMQP_URI"] = platform.settings.amqp_uri("gateway")
            raise SystemExit(subprocess.run(argv, cwd=ROOT, env=env).returncode)
    else:
        raise SystemExit("make")


if __name__ == "__main__":
    main(sys.argv[1:])
