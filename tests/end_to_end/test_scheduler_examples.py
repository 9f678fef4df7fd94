"""The crontab and the systemd units of examples/, run as cron and systemd would."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess

import pytest

from tests.end_to_end.conftest import PROGRAMS
from tests.end_to_end.scheduled_job import EXAMPLES, SCRIPT, Done
from tests.end_to_end.test_scheduling import BOTH, assert_nothing_missing, engine, job, shop

__all__ = ["engine", "job", "shop"]  # fixtures

CRONTAB = EXAMPLES / "cron" / "mssql-reverse-etl"
SERVICE = EXAMPLES / "systemd" / "mssql-reverse-etl.service"
TIMER = EXAMPLES / "systemd" / "mssql-reverse-etl.timer"
TAKES_TURNS = re.compile(r"(?:\S+ ){5}\S+ (?P<command>.+)")


@pytest.fixture
def installed(job):
    """Gives a file of examples/ with its paths below a folder where everything is installed."""
    root = job.folder / "root"
    for folder in ("opt", "etc", "var/lib", "var/log"):
        (root / folder / "mssql-reverse-etl").mkdir(parents=True)
    programs = root / "opt" / "mssql-reverse-etl" / "bin"
    programs.mkdir()
    for program in (SCRIPT, PROGRAMS / "tap-mssql-query", PROGRAMS / "target-pipelines"):
        (programs / program.name).symlink_to(program)
    for name in ("tap.json", "target.json"):
        shutil.copy2(job.folder / name, root / "etc" / "mssql-reverse-etl")
    return lambda path: re.sub(
        r"/(?=(opt|etc|var/lib|var/log)/mssql-reverse-etl)", f"{root}/", path.read_text()
    )


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


def _run(job, command: list[str], environment: list[str], folder) -> int:
    """Run it with this environment and no other, as a daemon does."""
    clean = ["env", "-i", "-C", str(folder), "HOME=/", *environment]
    done: Done = job.finish(job.start_command([*clean, *command]))
    return done.exit_code


def test_crontab_runs_and_logs(job, installed, shop, collector):
    """The command of the crontab, in cron's environment, sends everything and keeps the state."""
    lines = [line for line in installed(CRONTAB).splitlines() if not line.startswith("#")]
    variables = [line.replace('"', "") for line in lines if re.match(r"[A-Z]+=", line)]
    (turn,) = (match for line in lines if (match := TAKES_TURNS.fullmatch(line)))
    assert "%" not in turn["command"]  # cron would end the line there

    assert _run(job, ["/bin/sh", "-c", turn["command"]], variables, "/") == 0

    root = job.folder / "root" / "var"
    state = root / "lib" / "mssql-reverse-etl" / "state.json"
    assert all(name in state.read_text() for name in BOTH)
    assert "sync=users" in (root / "log" / "mssql-reverse-etl" / "sync.log").read_text()
    assert_nothing_missing(collector, shop)


def test_service_runs(job, installed, shop, collector):
    """ExecStart, with the credentials and the state's folder that systemd gives, sends it all."""
    service = _read_unit(installed(SERVICE))["Service"]
    credentials = job.folder / "credentials"
    credentials.mkdir()
    for credential in service["LoadCredential"]:
        name, _, source = credential.partition(":")
        shutil.copy2(source, credentials / name)
    states = job.folder / "root" / "var" / "lib"
    (state_folder,) = service["StateDirectory"]
    assert service["WorkingDirectory"] == [f"%S/{state_folder}"]
    (command,) = service["ExecStart"]

    words = shlex.split(command.replace("%d", str(credentials)))
    assert _run(job, words, service["Environment"], states / state_folder) == 0

    assert all(name in (states / state_folder / "state.json").read_text() for name in BOTH)
    assert_nothing_missing(collector, shop)


def test_codes_that_are_no_failure_are_those_of_the_script():
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
def test_units_pass_systemd_analyze(tmp_path, installed):
    """Every key and value is known; a misspelt one would be reported."""
    service, timer = installed(SERVICE), installed(TIMER)
    broken = {
        "key": (service.replace("TimeoutStopSec", "TimeoutStopsSec"), timer),
        "command": (service.replace("run-sync.sh", "run-sink.sh"), timer),
        "calendar": (service, timer.replace("*:0/5", "*:0/x")),
        "missing command": (re.sub("ExecStart=.*", "", service), timer),
    }

    assert _verify(tmp_path, service, timer) == ""
    assert all(_verify(tmp_path, *units) for units in broken.values())
