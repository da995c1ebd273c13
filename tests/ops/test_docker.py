"""What `docker/` tells a machine to run is what there is."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli import app

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
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    complaints = [line for line in told.stderr.splitlines() if "hearth" in line]
    assert (told.returncode, complaints) == (0, [])


def test_the_container_may_do_little():
    (service,) = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"].values()
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    image = (DOCKER / "Dockerfile").read_text()
    assert re.search(r"^USER hearth$", image, re.MULTILINE)
    assert image.count("--require-hashes") == 2
