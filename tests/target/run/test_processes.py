from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.target.conftest import TARGET, lines, record, schema, state

STREAM = [schema("s", "identify"), record("s", userId=1), state(1)]
STATE_LINE = '{"bookmarks":{"s":{"last_sync_time":1}}}\n'

PRINTING_PLUGIN = """
from target_pipelines import CallType, hookimpl
print("hello from the import")

def build(call):
    print("hello from build")
    return call

@hookimpl
def register_call_types(register):
    register(CallType(name="wave", sends_as="track", summary="", schema={}, build=build))
"""


def _install(folder, name: str, source: str) -> dict[str, str]:
    """Install a distribution with one plugin in a folder; returns the environment to find it."""
    (folder / f"{name}.py").write_text(source)
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[target_pipelines]\n{name} = {name}\n")
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_ends_the_wait_for_input(config, start_target, number):
    """The newest safe STATE was printed, and the exit code names the signal."""
    process = start_target(config)
    process.stdin.write(lines(STREAM))
    process.stdin.flush()
    assert process.stdout.readline() == STATE_LINE

    process.send_signal(number)

    assert process.wait(timeout=20) == 128 + number


def test_signal_ends_retries(collector, config, start_target):
    """A target that waits for its next attempt stops within seconds and prints no STATE."""
    collector.script([{"status": 503, "headers": {"Retry-After": "300"}, "times": None}])
    process = start_target(config)
    process.stdin.write(lines(STREAM))
    process.stdin.flush()
    collector.wait_for_requests(1)

    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=20) == 143
    assert process.stdout.read() == ""


BUSY = {
    "sending": [{"delay_seconds": 3.0, "times": None}],
    "retrying": [{"status": 500, "times": None}],
    "dripping": [{"status": 500, "body": "x" * 100, "drip_seconds": 0.1, "times": None}],
}


@pytest.mark.parametrize("behaviours", BUSY.values(), ids=list(BUSY))
@pytest.mark.parametrize("is_at_the_end", [True, False], ids=["draining", "reading"])
def test_signal_ends_the_run_in_every_phase(
    collector, config, start_target, behaviours, is_at_the_end
):
    """The run ends within seconds, and no STATE covers unacknowledged calls."""
    collector.script(behaviours)
    rows = [record("s", userId=number, text="x" * 1000) for number in range(5_000)]
    process = start_target({**config, "concurrency": 2, "batch_max_calls": 50})
    feeder = threading.Thread(
        target=_feed, args=(process, [schema("s", "identify"), *rows, state(1)], is_at_the_end)
    )
    feeder.start()
    _wait_for_handler(process, signal.SIGTERM)
    threading.Event().wait(1.5)

    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=20) == 143
    assert process.stdout.read() == ""
    feeder.join()


def _wait_for_handler(process, number: int) -> None:
    """Wait until a process catches a signal, as its start takes long on a busy machine."""
    status = Path(f"/proc/{process.pid}/status")
    while True:
        (caught,) = re.findall(r"SigCgt:\s+(\w+)", status.read_text())
        if int(caught, 16) >> (number - 1) & 1:
            return
        threading.Event().wait(0.05)


def _feed(process, messages, ends: bool) -> None:
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(lines(messages))
        process.stdin.flush()
        if ends:
            process.stdin.close()


def test_killed_tap_fails_the_run(collector, config, start_target):
    """A truncated line ends the run with 4; the records before it are delivered."""
    process = start_target(config)
    text = lines([*STREAM, record("s", userId=2)]) + '{"type":"RECORD","stream":"s","reco'

    output, log = process.communicate(text, timeout=20)

    assert (process.returncode, output) == (4, STATE_LINE)
    assert "truncated" in log
    assert len(collector.calls) == 2


def test_state_does_not_wait_for_the_end_of_the_input(config, start_target):
    """Safe states are printed while the tap pauses."""
    process = start_target(config)
    process.stdin.write(lines(STREAM))
    process.stdin.flush()

    assert process.stdout.readline() == STATE_LINE
    assert process.poll() is None


def test_output_of_a_plugin_goes_to_stderr(config, run_target, tmp_path):
    """Stdout has states only, even if a plugin prints."""
    messages = [schema("s", "wave"), record("s", userId=1), state(1)]

    run = run_target(config, messages, environment=_install(tmp_path, "printer", PRINTING_PLUGIN))

    assert (run.exit_code, run.output) == (0, STATE_LINE)
    assert "hello from the import" in run.log
    assert "hello from build" in run.log


SLOW_PLUGIN = """
import pathlib, time
from target_pipelines import CallType, hookimpl
from target_pipelines.run import interruption
interruption.GRACE_SECONDS = LIMIT

def build(call):
    pathlib.Path("building").touch()
    time.sleep(DURATION)
    return call

@hookimpl
def register_call_types(register):
    register(CallType(name="wave", sends_as="track", summary="", schema={}, build=build))
"""


def _slow(*, seconds: float, limit: float) -> str:
    """A plugin that builds each call so slowly, and a grace after a signal."""
    return SLOW_PLUGIN.replace("DURATION", str(seconds)).replace("LIMIT", str(limit))


@pytest.mark.parametrize("processes", [1, 2])
def test_nothing_begins_after_a_signal_although_a_plugin_is_slow(
    collector, config, start_target, tmp_path, processes
):
    """Not the calls of the block that is being mapped, nor those that wait in a lane."""
    environment = _install(tmp_path, "slow", _slow(seconds=1, limit=60))
    collector.script([{"delay_seconds": 0.2, "times": None}])
    rows = [record("s", userId=number) for number in range(8)]
    later = [record("w", userId=number) for number in range(500)]
    process = start_target(
        {**config, "concurrency": 1, "batch_max_calls": 1, "processes": processes},
        environment=environment,
    )
    process.stdin.write(lines([schema("s", "identify"), *rows, schema("w", "wave")]))
    process.stdin.flush()
    collector.wait_for_requests(2)
    feeder = threading.Thread(target=_feed, args=(process, [*later, state(1)], False))
    feeder.start()
    while not (tmp_path / "building").exists():
        threading.Event().wait(0.02)

    process.send_signal(signal.SIGTERM)
    threading.Event().wait(0.15)
    begun = len(collector.requests)

    assert process.wait(timeout=20) == 143
    assert len(collector.requests) <= begun + processes  # answered late, begun before
    assert process.stdout.read() == ""
    feeder.join()


def test_plugin_that_does_not_return_is_left(collector, config, start_target, tmp_path):
    """The process ends within a grace after a signal, and says why."""
    environment = _install(tmp_path, "slow", _slow(seconds=100, limit=0.5))
    process = start_target(config, environment=environment)
    process.stdin.write(lines([schema("w", "wave"), record("w", userId=1)]))
    process.stdin.flush()
    while not (tmp_path / "building").exists():
        threading.Event().wait(0.02)

    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=20) == 143
    assert "did not end within" in process.stderr.read()
    assert not collector.requests


def test_row_whose_build_raises_is_a_dead_letter(config, run_target, tmp_path):
    """The reason names the plugin and shows no value of the row."""
    source = PRINTING_PLUGIN.replace('print("hello from build")', "raise ValueError(call)")
    messages = [schema("s", "wave"), record("s", userId="c4n4ry"), state(1)]

    run = run_target(config, messages, environment=_install(tmp_path, "raiser", source))

    assert run.exit_code == 0
    (letter,) = run.dead_letters
    assert letter["reason"].startswith(
        'Plugin "raiser" failed to build the call: ValueError in line '
    )
    assert "then `--replay` sends the row again" in letter["reason"]
    assert "c4n4ry" not in run.log


INVALID_RESULTS = {
    "a list": ("[call]", "failed to build the call: `build` returned a list, not a call."),
    "a number": ("7", "failed to build the call: `build` returned a int, not a call."),
    "nothing of a call": (
        "{}",
        "failed to build the call: `build` returned a call whose `type` is",
    ),
    "another type": ("call | {'type': 'page'}", "`build` returned a call whose `type` is not"),
    "an object": ("call | {'a': object()}", "built a call that is not JSON: TypeError."),
    "a number as key": ("call | {1: 2}", "built a call that is not JSON: ValueError."),
    "half a character": ("call | {'a': '\\ud800'}", "built a call that is not JSON: Unicode"),
    "itself": ("call.update(a=call) or call", "built a call that is not JSON: "),
}


@pytest.mark.parametrize(("result", "reason"), INVALID_RESULTS.values(), ids=list(INVALID_RESULTS))
def test_row_with_an_invalid_built_call_is_a_dead_letter(
    config, run_target, tmp_path, result, reason
):
    """The reason names the plugin, and the other rows are delivered."""
    source = PRINTING_PLUGIN.replace("return call", f"return {result}")
    messages = [schema("w", "wave"), record("w", userId=1), *STREAM]

    run = run_target(config, messages, environment=_install(tmp_path, "oddity", source))

    assert (run.exit_code, run.output) == (0, STATE_LINE)
    (letter,) = run.dead_letters
    assert letter["reason"].startswith('Plugin "oddity" ')
    assert reason in letter["reason"]


def test_event_that_is_not_a_string_is_sent_if_the_schema_allows_it(config, run_target, tmp_path):
    """The lookup of an event's schema accepts any value."""
    source = PRINTING_PLUGIN.replace("return call", "return call | {'event': []}")
    messages = [schema("w", "wave"), record("w", userId=1), state(1)]

    run = run_target(config, messages, "--dry-run", environment=_install(tmp_path, "odd", source))

    assert run.exit_code == 0
    assert '"event":[]' in run.output


def test_broken_plugin_exits_with_6(config, run_target, tmp_path):
    """The message names the plugin and the remedy."""
    environment = _install(tmp_path, "broken", "import no_such_module")

    run = run_target(config, STREAM, environment=environment)

    assert (run.exit_code, run.output) == (6, "")
    assert 'Plugin "broken" (broken 1.0)' in run.log
    assert "blocked_plugins" in run.log
    assert run_target({**config, "blocked_plugins": ["broken"]}, STREAM).exit_code == 0


def test_closed_stdout_ends_the_run(config, start_target):
    """No further state can be printed, so the target stops with the code of SIGPIPE."""
    process = start_target(config)
    process.stdout.close()

    process.stdin.write(lines(STREAM))
    process.stdin.close()

    assert process.wait(timeout=20) == 141
    assert "Traceback" not in process.stderr.read()


def test_proxies_of_the_environment_are_ignored(collector, config, run_target):
    """By default no proxy gets the write key."""
    environment = {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}

    assert run_target(config, STREAM, environment=environment).exit_code == 0


def test_version_is_shown():
    """`--version` prints name and version of the program."""
    shown = subprocess.run([TARGET, "--version"], capture_output=True, text=True, check=True)

    assert shown.stdout.startswith("target-pipelines v")


def test_trust_environment_uses_proxies(config, run_target):
    """With `trust_environment` the run fails at a proxy that is down."""
    environment = {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
    config = {**config, "trust_environment": True, "max_retry_seconds": 0.1}

    assert run_target(config, STREAM, environment=environment).exit_code == 4
