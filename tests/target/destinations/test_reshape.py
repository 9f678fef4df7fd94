"""A profile may give calls another shape, and judge each call of a request."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from target_pipelines import EncodedCall, HttpProfile, PartlyRejected, Rejected, TargetSettings
from target_pipelines.api.errors import PluginError
from target_pipelines.testing import RecordingServer
from tests.target.conftest import record, schema, state

PROFILE = HttpProfile(name="acme", call_max_bytes=1000, batch_max_bytes=400, batch_max_calls=9)
CALLS = [
    EncodedCall(b'{"userId":"%d","price":0.10,"big":12345678901234567890}' % n, "s", "t", "", 0)
    for n in range(3)
]


def _send(profile: HttpProfile, calls: Any = CALLS) -> tuple[Any, list[Any]]:
    with RecordingServer() as server:
        settings = TargetSettings(destination="acme", endpoint=server.url, write_key="k")
        sender = profile.open(settings).open_sender()
        try:
            outcome = sender.send(calls)
        finally:
            sender.close()
        return outcome, [request.body for request in server.received()]


def test_calls_are_reshaped_with_all_digits():
    """Numbers keep their text."""
    profile = replace(PROFILE, reshape=lambda call: {"p": call["price"], "b": call["big"]})

    _, (body,) = _send(profile, CALLS[:1])

    assert body == b'{"batch":[{"p":0.10,"b":12345678901234567890}]}'


def test_request_that_became_too_large_is_rejected():
    """It is split like any rejected batch; one call alone becomes a dead letter."""
    profile = replace(PROFILE, reshape=lambda call: {"text": "x" * 200})

    outcome, requests = _send(profile)

    assert isinstance(outcome, Rejected)
    assert "the limit is 400" in outcome.reason
    assert requests == []


def _missing(call: Any) -> Any:
    return call["secret"]


@pytest.mark.parametrize("reshape", [_missing, lambda call: object()])
def test_exception_of_reshape_is_located(reshape):
    """The run ends with a sentence that names destination, exception and line."""
    with pytest.raises(PluginError, match=r'"acme" .*`reshape` failed: (Key|Type)Error'):
        _send(replace(PROFILE, reshape=reshape))


JUDGING = """
import json
from target_pipelines import HttpProfile, PartlyRejected, Rejected, hookimpl

def classify(status, headers, body, *, now):
    refused = {n: Rejected("no", 422) for n in json.loads(body)["refused"]}
    return PartlyRejected(refused, count=json.loads(body)["count"])

PROFILE = HttpProfile(name="judging", call_max_bytes=1000, batch_max_bytes=9000, classify=classify)

@hookimpl
def register_destinations(register):
    register(PROFILE.as_destination())
"""


@pytest.fixture
def judging(tmp_path):
    """The environment of a program with a plugin that judges each call."""
    package = tmp_path / "plugins"
    about = package / "judging-1.0.dist-info"
    about.mkdir(parents=True)
    (package / "judging.py").write_text(JUDGING)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: judging\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[target_pipelines]\njudging = judging\n")
    return {"PYTHONPATH": str(package)}


@pytest.mark.parametrize(
    ("refused", "count", "exit_code", "letters"),
    [
        ([1], 3, 0, ["2"]),
        ([], 3, 0, []),
        ([0, 1, 2], 3, 0, ["1", "2", "3"]),
        ([], 2, 4, []),
        ([3], 3, 4, []),
    ],
)
def test_each_call_is_settled_by_itself(
    run_target, tmp_path, judging, refused, count, exit_code, letters
):
    """Refused calls are dead letters, the rest is delivered; a wrong count stops the run."""
    messages = [schema("s", "identify"), *(record("s", userId=n) for n in (1, 2, 3)), state(1)]
    config = {"destination": "judging", "write_key": "k", "concurrency": 1}
    config |= {"max_rejected_ratio": 1, "dead_letter_path": str(tmp_path / "dead_letters.jsonl")}
    with RecordingServer() as server:
        server.script([{"status": 207, "body": json.dumps({"refused": refused, "count": count})}])
        run = run_target(config | {"endpoint": server.url}, messages, environment=judging)

    assert (run.exit_code, len(run.states)) == (exit_code, exit_code == 0)
    assert [letter["call"]["userId"] for letter in run.dead_letters] == letters


def test_partly_rejected_is_public():
    """Plugins import it."""
    assert PartlyRejected({}, count=0).rejected == {}
