"""A night of several communities on many machines, held against one machine: `make cluster-test`.

Everything runs for real on loopback: Redis, PostgreSQL, an S3 (moto), Airflow's API server, scheduler
and DAG processor with the CeleryExecutor, a worker that owns the warehouses and two that only extract,
each with a host name and a disk of its own. Needs Redis and PostgreSQL (Debian: apt-get install
redis-server postgresql), util-linux and an environment of `requirements/cluster.lock.txt` and
`cluster-test.lock.txt`. All that is started is ended by its pid.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from bisect import bisect_right
from collections import Counter
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.sandbox import community, server
from pipeline.sandbox.clock import Clock
from pipeline.sandbox.discourse import ADMIN_KEY, Forum, Limits, Switches, app
from pipeline.sandbox.rocketchat.app import READER_ID, READER_TOKEN, chat_app
from pipeline.sandbox.rocketchat.workspace import Workspace
from tests.ops.chaos import differences, published

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
EXTRACTORS = ("extractor-1", "extractor-2")
WAREHOUSE = "warehouse-1"
LIMIT = 60  # calls a minute that a forum allows; we use half of it
ALONE = """
import sys
from pipeline.steps import running
running.validate = lambda night: {}  # takes long and writes nothing that is compared
running.run_night(as_of=sys.argv[1])
"""
PARTS = ("api-server", "scheduler", "dag-processor")
WORKER = "celery worker --queues {queue} --concurrency {slots}"
CHECKS = (  # what containers are asked whether they are well
    "airflow jobs check --job-type SchedulerJob --local",
    "airflow jobs check --job-type DagProcessorJob --local",
    "celery --app airflow.providers.celery.executors.celery_executor.app inspect ping -d {host}",
)
SPAN_S = 50  # a minute but for what a call may be delayed on its way
SCRATCH = ("night.lock", *(f"{name}.plan.json" for name in ("forum", "chat")))
COMMUNITIES = {"ember": "data_explorer", "birch": "rest", "cedar": "rest"}
SECTION = """
[communities.{name}]
home = "homes/{name}"
schedule = "{schedule}"
languages = ["en", "zh"]
bots = ["ember_helper"]

[communities.{name}.sources.forum]
platform = "discourse"
url = "{forum}"
way_in = "{way_in}"
requests_per_minute = {limit}
who_liked = false

[communities.{name}.sources.chat]
platform = "rocketchat"
url = "{chat}"
"""
CLUSTER = """
[communities.{name}.cluster]
landing = "s3://hearth/{name}"
budget = "{redis}/1"
"""


class Town:
    """A served sandbox community that notes when it was asked."""

    def __init__(self, name, night):
        self.name, self.asked = name, []
        forum, chat = Forum(Switches(limits=Limits.off())), Workspace()
        community.play(forum, chat, through=night)
        self.as_of = community.night(night).isoformat()
        clock = Clock(community.night(night))
        self.forum, self.chat = self.noting(app(forum, clock=clock)), chat_app(chat, clock)

    def noting(self, site):
        async def noted(scope, receive, send):
            self.asked.append(time.monotonic())
            await site(scope, receive, send)

        return noted

    def most_asked(self, seconds):
        """The most requests to the forum in any span of so many seconds."""
        return max(
            (bisect_right(self.asked, t + seconds) - n for n, t in enumerate(self.asked)), default=0
        )


def free_port():
    with socket.create_server((HOST, 0)) as listener:
        return listener.getsockname()[1]


def wait_until(what, ready, seconds=180):
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, f"{what}: not ready after {seconds} s"
        time.sleep(0.5)


@contextmanager
def process(arguments, log, **options):
    """A process in a group of its own, ended with all its children."""
    with log.open("ab") as said:
        started = subprocess.Popen(
            [str(a) for a in arguments],
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )
    try:
        yield started
    finally:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(started.pid, sign)
                started.wait(timeout=20)
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                break


@contextmanager
def redis(folder):
    """A Redis of our own that keeps nothing; its address without a database number."""
    port = free_port()
    command = ["redis-server", "--port", port, "--bind", HOST, "--save", "", "--dir", folder]
    with process(command, folder / "redis.log"):
        wait_until("redis", lambda: answers(port))
        yield f"redis://{HOST}:{port}"


@contextmanager
def postgres(folder):
    """A PostgreSQL cluster of our own with an empty database; its address."""
    port, data = free_port(), folder / "postgres"
    folder.chmod(0o711)
    tools = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    where = tools[-1].parent if tools else Path(shutil.which("initdb") or "initdb").parent
    data.mkdir()
    us = []
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(data, "postgres", "postgres")
        us = ["runuser", "-u", "postgres", "--"]
    subprocess.run(
        [*us, where / "initdb", "-D", data, "-A", "trust", "-U", "airflow", "--no-sync"],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )
    command = [
        *us,
        where / "postgres",
        "-D",
        data,
        "-p",
        port,
        "-h",
        HOST,
        "-k",
        "",
        "-c",
        "fsync=off",
    ]
    with process(command, folder / "postgres.log", cwd="/"):
        wait_until("postgres", lambda: answers(port))
        time.sleep(1)
        subprocess.run(
            ["createdb", "-h", HOST, "-p", str(port), "-U", "airflow", "airflow"], check=True
        )
        yield f"{HOST}:{port}/airflow"


def answers(port):
    with socket.socket() as asking:
        return asking.connect_ex((HOST, port)) == 0


@contextmanager
def s3(folder, python):
    """An S3 with an empty bucket "hearth"; what a client of it finds in its environment."""
    port = free_port()
    with process([python, "-m", "moto.server", "-H", HOST, "-p", port], folder / "s3.log"):
        wait_until("s3", lambda: answers(port))
        url = f"http://{HOST}:{port}"
        urllib.request.urlopen(urllib.request.Request(f"{url}/hearth", method="PUT"), timeout=30)
        yield {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "secret of a test bucket",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


def environment(folder, broker, database, url, settings):
    """What every process of such an Airflow finds in its environment."""
    blas = {k: v for k, v in os.environ.items() if k.startswith("OPENBLAS")}  # scores depend on it
    return {
        **blas,
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "HEARTH_SETTINGS": str(settings),
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__FERNET_KEY": "ZmVybmV0IGtleSBvZiBhIHRlc3QgY2x1c3RlciwgMzI=",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__API__PORT": url.rpartition(":")[2],
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__SECRET_KEY": "a secret of a test cluster",
        "AIRFLOW__API_AUTH__JWT_SECRET": "another secret of a test cluster",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://airflow@{database}",
        "AIRFLOW__CELERY__BROKER_URL": f"{broker}/0",
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql://airflow@{database}",
    }


class Cluster:
    """Airflow with the CeleryExecutor. `python` has the cluster's requirements."""

    def __init__(self, folder, python, broker, database, settings, storage):
        self.folder, self.python = folder, python
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.homes = settings.parent / "homes"
        self.env = environment(folder, broker, database, self.url, settings) | storage

    @contextmanager
    def running(self):
        """Everything an Airflow of many machines has, until the block ends."""
        self.tell("airflow db migrate")
        connections = {
            f"hearth_{name}{holder}": {"conn_type": "generic", "login": login, "password": password}
            for name in COMMUNITIES
            for holder, login, password in (
                ("", "", "the pseudonym key of a test"),
                ("_forum", "", ADMIN_KEY),
                ("_chat", READER_ID, READER_TOKEN),
            )
        }
        file = self.folder / "connections.json"
        file.write_text(json.dumps(connections))
        self.tell(f"airflow connections import {file}")
        with ExitStack() as stack:
            for part in PARTS:
                stack.enter_context(self.part(part, [self.python, "-m", "airflow", part]))
            stack.enter_context(self.worker(WAREHOUSE, "warehouse", 1))
            for name in EXTRACTORS:
                stack.enter_context(self.worker(name, "default", 2))
            wait_until("DAGs", lambda: len(self.dags()) == len(COMMUNITIES))
            yield

    def check(self):
        """Ask every part whether it is well, as a container is asked."""
        for host in (f"celery@{name}" for name in (WAREHOUSE, *EXTRACTORS)):
            self.tell(CHECKS[2].format(host=host))
        for check in CHECKS[:2]:
            self.tell(check)

    def tell(self, command):
        tool, *arguments = command.split()
        told = subprocess.run(
            [self.python, "-m", tool, *arguments],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 0, told.stdout[-2000:] + told.stderr[-2000:]

    def part(self, name, command):
        return process(command, self.folder / f"{name}.log", env=self.env)

    def worker(self, name, queue, slots):
        """A worker with a host name and a disk of its own, as on a machine of its own."""
        disk = self.disk(name)
        disk.mkdir(parents=True)
        self.homes.mkdir(exist_ok=True)
        work = WORKER.format(queue=queue, slots=slots)
        command = (
            f"hostname {name} && mount --bind {disk} {self.homes} && exec {self.python} "
            f"-m airflow {work} --skip-serve-logs"
        )
        return self.part(name, [*unshared(), "sh", "-c", command])

    def disk(self, name):
        return self.folder / "disks" / name

    def ask(self, path, body=None, verb=None):
        """JSON of Airflow's REST API."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token()}"}
        request = urllib.request.Request(f"{self.url}/api/v2/{path}", data, headers, method=verb)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def token(self):
        with urllib.request.urlopen(f"{self.url}/auth/token", timeout=30) as answer:
            return json.load(answer)["access_token"]

    def dags(self):
        try:
            return [
                d["dag_id"] for d in self.ask("dags?limit=100")["dags"] if "nightly" in d["dag_id"]
            ]
        except urllib.error.URLError:
            return []

    def night(self, name, as_of):
        body = {"logical_date": None, "conf": {"as_of": as_of}}
        dag = f"dags/hearth_nightly_{name}"
        run = self.ask(f"{dag}/dagRuns", body)
        self.ask(dag, {"is_paused": False}, "PATCH")  # only now: it would begin a night by itself
        return f"{dag}/dagRuns/{run['dag_run_id']}"

    def ended(self, run):
        return self.ask(run)["state"] in ("success", "failed")

    def tasks(self, run):
        return self.ask(f"{run}/taskInstances?limit=200")["task_instances"]


def unshared():
    """A prefix that gives a command its own host name and its own view of the disks."""
    mapped = [] if os.getuid() == 0 else ["--map-root-user"]
    return ["unshare", *mapped, "--uts", "--mount", "--"]


def alone(towns, settings):
    """The same night of every community in one process after the other, on one machine."""
    for town in towns:
        secrets = {
            f"HEARTH_{town.name}_PSEUDONYM_KEY".upper(): "the pseudonym key of a test",
            f"HEARTH_{town.name}_FORUM_KEY".upper(): ADMIN_KEY,
            f"HEARTH_{town.name}_CHAT_USER_ID".upper(): READER_ID,
            f"HEARTH_{town.name}_CHAT_TOKEN".upper(): READER_TOKEN,
        }
        one = settings.with_name(f"{town.name}.toml")
        subprocess.run(
            [sys.executable, "-c", ALONE, town.as_of],
            env={**os.environ, **secrets, "PYTHONPATH": str(ROOT), "HEARTH_SETTINGS": str(one)},
            check=True,
            stderr=subprocess.DEVNULL,
        )


def write_settings(folder, towns, addresses, limit=LIMIT, cluster=""):
    """hearth.toml of all communities, and one for each."""
    folder.mkdir()
    later = datetime.now(UTC) + timedelta(days=2)  # no night begins by itself
    sections = {
        town.name: (SECTION + cluster).format(
            name=town.name,
            forum=at.forum,
            chat=at.chat,
            way_in=COMMUNITIES[town.name],
            limit=limit,
            schedule=f"0 2 {later.day} {later.month} *",
        )
        for town, at in zip(towns, addresses, strict=True)
    }
    for name, text in {**sections, "hearth": "".join(sections.values())}.items():
        (folder / f"{name}.toml").write_text(text)
    return folder / "hearth.toml"


def run(folder, python):
    """Run it all; prints what was seen and fails where it is not what was promised."""
    towns = [Town(name, night=n) for n, name in enumerate(COMMUNITIES, 1)]
    with ExitStack() as stack:
        addresses = [stack.enter_context(server.running(t.forum, t.chat)) for t in towns]
        broker, database = stack.enter_context(redis(folder)), stack.enter_context(postgres(folder))
        storage = stack.enter_context(s3(folder, python))
        shared = CLUSTER.replace("{redis}", broker)
        settings = write_settings(folder / "many", towns, addresses, cluster=shared)
        cluster = Cluster(folder, python, broker, database, settings, storage)
        with cluster.running():
            began = time.monotonic()
            runs = {town.name: cluster.night(town.name, town.as_of) for town in towns}
            wait_until("nights", lambda: all(cluster.ended(r) for r in runs.values()), 2400)
            print(f"{len(runs)} nights in {time.monotonic() - began:.0f} s", flush=True)
            tasks = {name: cluster.tasks(run) for name, run in runs.items()}
            cluster.check()
        told(tasks, {town.name: town.most_asked(SPAN_S) for town in towns})
        one = write_settings(folder / "one", towns, addresses, limit=60000)
        alone(towns, one)
    for name in COMMUNITIES:
        many = cluster.disk(WAREHOUSE) / name
        rows = published(many)
        found = differences(published(one.parent / "homes" / name), rows)
        assert found == {}, (name, found)
        print(f"{name}: {sum(map(len, rows.values())):,} rows of {len(rows)} tables")
        for extractor in EXTRACTORS:
            kept = {f.name for f in (cluster.disk(extractor) / name).rglob("*") if f.is_file()}
            assert all(f.startswith("journal.") or f in SCRATCH for f in kept), (extractor, kept)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"most memory of a process: {peak:,.0f} MB")
    print("the same as on one machine; nothing stays on those that extract")


def told(tasks, peaks):
    """Print and check where tasks ran and how often forums were asked."""
    hosts = Counter()
    for name, its in tasks.items():
        assert {t["state"] for t in its} == {"success"}, (name, Counter(t["state"] for t in its))
        hosts.update((t["hostname"], t["task_id"] == "extract") for t in its)
        print(
            f"{name}: {len(its)} tasks; most requests to its forum in {SPAN_S} s: {peaks[name]} "
            f"of {LIMIT // 2} a minute",
            flush=True,
        )
        assert peaks[name] <= LIMIT // 2
    for (host, extracts), count in sorted(hosts.items()):
        print(f"{host}: {count} tasks, {'extraction' if extracts else 'the rest of the nights'}")
    assert {host for host, extracts in hosts if extracts} == set(EXTRACTORS)
    assert {host for host, extracts in hosts if not extracts} == {WAREHOUSE}


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--python", required=True, help="of an environment with the cluster's requirements"
    )
    options.add_argument(
        "--folder", type=Path, help="keep everything there; a temporary one otherwise"
    )
    given = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    if given.folder:
        given.folder.mkdir(parents=True)
        run(given.folder, given.python)
        return
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), given.python)


if __name__ == "__main__":
    main()
