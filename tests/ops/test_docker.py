"""What `docker/` tells a machine to run is what there is."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from compose_spec import ComposeSpecification
from typer.testing import CliRunner

from pipeline.cli import app
from tests.ops import cluster

DOCKER = Path(__file__).parents[2] / "docker"
TEXTS = sorted(file for file in DOCKER.rglob("*") if file.is_file())


def commands():
    found = set()
    for file in TEXTS:
        found |= set(
            re.findall(r"(?:hearth |/hearth |`hearth )([a-z]+)((?: --[a-z-]+)*)", file.read_text())
        )
    return sorted(found - {("hearth", "")})


def test_every_command_there_exists_with_its_options():
    assert len(TEXTS) >= 5
    asked = commands()
    assert {"nightly", "status", "doctor", "erase", "migrate", "rebuild"} <= {
        verb for verb, _ in asked
    }
    for verb, options in asked:
        shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, [verb, "--help"])
        assert shown.exit_code == 0, verb
        assert all(option in shown.output for option in options.split()), (verb, options)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_the_units_are_understood(tmp_path):
    for unit in ("hearth.service", "hearth.timer"):
        text = (DOCKER / "systemd" / unit).read_text()
        text = re.sub(r"ExecStart=\S+", f"ExecStart={shutil.which('true')}", text)
        (tmp_path / unit).write_text(text)
    told = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / "hearth.service", tmp_path / "hearth.timer"],
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in told.stderr.splitlines() if "hearth" in line]
    assert (told.returncode, complaints) == (0, [])


COMPOSED = ("compose.yaml", "compose.cluster.yaml")


def services(file):
    return yaml.safe_load((DOCKER / file).read_text())["services"]


@pytest.mark.parametrize("file", COMPOSED)
def test_composed_files_keep_to_the_specification(file):
    composed = ComposeSpecification.model_validate(yaml.safe_load((DOCKER / file).read_text()))
    assert composed.services


def test_the_image_is_made_as_images_should_be():
    told = subprocess.run(
        [
            Path(sys.executable).with_name("hadolint"),
            "--failure-threshold",
            "style",
            DOCKER / "Dockerfile",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout
    image = (DOCKER / "Dockerfile").read_text()
    assert image.count("--require-hashes") == 2
    assert re.search(r"^FROM python:3\.11\.\d+-slim-bookworm$", image, re.MULTILINE)
    (user,) = re.findall(r"^USER (\d+)$", image, re.MULTILINE)
    assert f"--uid {user}" in image


@pytest.mark.parametrize("file", COMPOSED)
def test_containers_may_do_little(file):
    for name, service in services(file).items():
        assert service["read_only"] is True, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "mem_limit" in service, name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        if name != "postgres":  # it changes to a user of its own
            assert service["cap_drop"] == ["ALL"], name
        if not service["image"].startswith("hearth"):
            assert re.search(r":\d+\.\d+\.?\d*-bookworm$", service["image"]), name


def test_what_the_cluster_runs_is_what_its_test_runs():
    """`make cluster-test` starts the same commands, checks and settings outside of containers."""
    workers = [
        cluster.WORKER.format(queue=q, slots=n) for q, n in (("warehouse", 1), ("default", 4))
    ]
    commands = {f"airflow {part}" for part in (*cluster.PARTS, *workers, "db migrate")}
    ours = {
        name: service
        for name, service in services("compose.cluster.yaml").items()
        if service["image"] == "hearth-cluster"
    }
    assert {service["command"] for service in ours.values()} == commands
    checks = {
        service["healthcheck"]["test"][1]
        for service in ours.values()
        if "test" in service.get("healthcheck", ())
    }
    assert checks == {check.format(host="celery@$$HOSTNAME") for check in cluster.CHECKS}
    tested = cluster.environment(Path("/x"), "redis://x", "x", "http://x:1", Path("/x/hearth.toml"))
    for name, service in ours.items():
        assert service["environment"].keys() <= tested.keys(), name


def test_one_worker_writes():
    chart = yaml.safe_load((DOCKER / "helm-values.yaml").read_text())["workers"]["celery"]
    sets = {one["queue"]: one for one in chart["sets"]}
    assert chart["enableDefault"] is False
    assert sets.keys() == {"warehouse", "default"}
    assert (sets["warehouse"]["replicas"], sets["warehouse"]["strategy"]) == (
        1,
        {"type": "Recreate"},
    )
    for queue, slots in (("warehouse", 1), ("default", 4)):
        work = cluster.WORKER.format(queue=queue, slots=slots)
        assert sets[queue]["args"] == ["bash", "-c", f"exec airflow {work}"]
    warehouse = services("compose.cluster.yaml")["warehouse"]
    assert "deploy" not in warehouse
    assert "--concurrency 1" in warehouse["command"]
