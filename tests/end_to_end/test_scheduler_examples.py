"""The crontab and the systemd units of examples/, run as cron and systemd would."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from sandbox.collector import Collector
from sandbox.shop import create_shop
from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.server import SqlServer
from tests.front_door.projects import PROGRAM, SECRETS, Shop, run_command
from tests.packaging.conftest import ROOT

EXAMPLES = ROOT / "examples"
CRONTAB = EXAMPLES / "cron" / "mssql-reverse-etl"
SERVICE = EXAMPLES / "systemd" / "mssql-reverse-etl.service"
TIMER = EXAMPLES / "systemd" / "mssql-reverse-etl.timer"
ENTRY = re.compile(r"(?:\S+ ){5}\S+ (?P<command>.+)")
INSTALLED = re.compile(r"/(?=(opt|etc|var/lib)/mssql-reverse-etl)")


@pytest.fixture(scope="module")
def shop():
    """A SQL Server with the sample shop, and a collector."""
    engine = DuckDBEngine()
    create_shop(engine)
    with SqlServer(engine) as server, Collector() as collector:
        yield Shop(server, collector)


@pytest.fixture
def root(tmp_path: Path, shop: Shop) -> Path:
    """A folder for /, with the program and a project where the examples expect them."""
    project = tmp_path / "var" / "lib" / "mssql-reverse-etl"
    assert run_command(tmp_path, "init", str(project)).returncode == 0
    shop.use(project)
    shop.collector.forget()
    programs = tmp_path / "opt" / "mssql-reverse-etl" / "bin"
    programs.mkdir(parents=True)
    (programs / PROGRAM.name).symlink_to(PROGRAM)
    secrets = tmp_path / "etc" / "mssql-reverse-etl" / "secrets.env"
    secrets.parent.mkdir(parents=True)
    secrets.write_text("".join(f"{name}={value}\n" for name, value in SECRETS.items()))
    return tmp_path


def _read(path: Path, root: Path) -> str:
    """A file of examples/ with its paths below `root`."""
    return INSTALLED.sub(f"{root}/", path.read_text())


def _read_crontab(root: Path) -> tuple[list[str], str]:
    """The variables that it sets, and the command of its entry."""
    lines = [line for line in _read(CRONTAB, root).splitlines() if not line.startswith("#")]
    (entry,) = (match for line in lines if (match := ENTRY.fullmatch(line)))
    return [line for line in lines if re.match(r"[A-Z]+=", line)], entry["command"]


def _read_unit(text: str) -> dict[str, dict[str, list[str]]]:
    """Section → key → values, as systemd reads a unit."""
    sections: dict[str, dict[str, list[str]]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            section = sections[line.strip("[]")] = {}
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            section.setdefault(key, []).append(value)
    return sections


def _run(
    command: list[str], environment: list[str], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run it with this environment and no other, as a daemon does."""
    clean = ["env", "-i", "-C", str(folder), "HOME=/", *environment]
    return subprocess.run(
        [*clean, *command], capture_output=True, text=True, check=False, timeout=120
    )


def _assert_all_was_sent(shop: Shop, project: Path) -> None:
    assert len({call.body["userId"] for call in shop.collector.calls}) > 1000
    assert json.loads((project / ".reverse_etl" / "state.json").read_text())["bookmarks"]["users"]


def test_crontab_runs_and_is_silent(root, shop):
    """The command of the crontab, in cron's environment, sends everything and mails nothing."""
    variables, command = _read_crontab(root)
    assert "%" not in command  # cron would end the line there
    project = root / "var" / "lib" / "mssql-reverse-etl"
    shutil.copy2(root / "etc" / "mssql-reverse-etl" / "secrets.env", project / ".env")

    done = _run(["/bin/sh", "-c", command], variables, root)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    _assert_all_was_sent(shop, project)


def test_crontab_mails_a_failure(root, shop):
    """The reason of a failed run is on stderr, without its ordinary messages."""
    variables, command = _read_crontab(root)
    secrets = {**SECRETS, "CUSTOMERIO_WRITE_KEY": "wrong"}
    variables += [f"{name}={value}" for name, value in secrets.items()]

    done = _run(["/bin/sh", "-c", command], variables, root)

    assert (done.returncode, done.stdout) == (4, "")
    assert "write key was rejected" in done.stderr
    assert "level=info" not in done.stderr


def test_service_runs(root, shop):
    """ExecStart, with the environment and the folder that systemd gives, sends it all."""
    service = _read_unit(_read(SERVICE, root))["Service"]
    (environment,), (state_folder,) = service["EnvironmentFile"], service["StateDirectory"]
    assert service["WorkingDirectory"] == [f"%S/{state_folder}"]
    project = root / "var" / "lib" / state_folder
    (command,) = service["ExecStart"]
    variables = Path(environment).read_text().split()

    done = _run(shlex.split(command), variables, project)

    assert done.returncode == 0, done.stderr
    _assert_all_was_sent(shop, project)


def test_codes_that_are_no_failure_are_documented():
    """An overlapping run and a stopped one are no reason to alarm anybody; all else is."""
    (codes,) = _read_unit(SERVICE.read_text())["Service"]["SuccessExitStatus"]

    assert codes.split() == ["75", "143"]


def _verify(folder, service: str, timer: str) -> str:
    """What systemd-analyze finds wrong with the units."""
    for path, text in ((SERVICE, service), (TIMER, timer)):
        (folder / path.name).write_text(text)
    command = ["systemd-analyze", "verify", folder / SERVICE.name, folder / TIMER.name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_units_pass_systemd_analyze(tmp_path, root):
    """Every key and value is known; a misspelt one would be reported."""
    service, timer = _read(SERVICE, root), _read(TIMER, root)
    broken = {
        "key": (service.replace("TimeoutStopSec", "TimeoutStopsSec"), timer),
        "command": (service.replace("bin/mssql-reverse-etl", "bin/mssql-reverse-elt"), timer),
        "calendar": (service, timer.replace("*:0/5", "*:0/x")),
        "missing command": (re.sub("ExecStart=.*", "", service), timer),
    }

    assert _verify(tmp_path, service, timer) == ""
    assert all(_verify(tmp_path, *units) for units in broken.values())
