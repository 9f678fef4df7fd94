from __future__ import annotations

import os

import pytest

from target_pipelines.api.errors import ConfigurationError
from target_pipelines.run.configuration import load_configuration


def _problems(config: dict[str, object]) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(config)
    return caught.value.problems


def test_empty_configuration_writes_a_file():
    """Every setting has a default."""
    configuration = load_configuration({})

    assert configuration.settings.destination == "file"
    assert configuration.settings.concurrency == 4


def test_all_problems_are_reported_together():
    """Invalid values, unknown keys, missing settings and unknown call types are listed together."""
    problems = _problems(
        {
            "destination": "customerio",
            "concurrency": 0,
            "region": "mars",
            "destinaton": "x",
            "call_types": {"a": "b"},
        }
    )

    text = "\n".join(problems)
    assert len(problems) == 5
    for name in ("destinaton", "concurrency", "region", "write_key", "call_types.a"):
        assert f"`{name}`" in text or f": {name};" in text


def test_unknown_destination_lists_the_known_ones():
    """The message lists the registered destinations."""
    (problem,) = _problems({"destination": "pigeon"})

    assert 'no plugin provides "pigeon"' in problem
    assert "customerio, file" in problem


def test_destination_without_a_url_needs_an_endpoint():
    """RudderStack has no default URL: each data plane has its own."""
    (problem,) = _problems({"destination": "rudderstack", "write_key": "k"})

    assert "`endpoint` is required" in problem


@pytest.mark.parametrize("name", ["write_key", "message_id_salt"])
def test_secret_is_never_shown(name):
    """Neither a problem nor the settings' repr shows a secret."""
    configuration = load_configuration({name: "c4n4ry"})
    problems = _problems({name: ["c4n4ry"]})

    assert "c4n4ry" not in repr(configuration.settings)
    assert "c4n4ry" not in " ".join(problems)


def test_dead_letters_need_a_file(tmp_path):
    """A run would wait for the reader of a pipe."""
    os.mkfifo(tmp_path / "pipe")

    for name in ("pipe", "."):
        (problem,) = _problems({"dead_letter_path": str(tmp_path / name)})
        assert "is not a file" in problem


def test_problem_of_a_setting_is_reported_once():
    """A key of a wrong type is not missing as well."""
    (problem,) = _problems({"destination": "customerio", "write_key": 5})
    assert "must be of type string" in problem


def test_destinations_inherit_settings():
    """An entry overrides the settings above it; each has its own dead-letter file."""
    configuration = load_configuration(
        {
            "write_key": "k",
            "timeout_seconds": 7,
            "dead_letter_path": "rejected/dead.jsonl",
            "destinations": [
                {"destination": "customerio", "timeout_seconds": 9},
                {"destination": "segment", "name": "web", "write_key": "other"},
            ],
        }
    )

    first, second = configuration.destinations
    assert (first.timeout_seconds, second.timeout_seconds) == (9, 7)
    assert (first.write_key, second.write_key) == ("k", "other")
    assert first.dead_letter_path == "rejected/dead.customerio.jsonl"
    assert second.dead_letter_path == "rejected/dead.web.jsonl"


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ([{"destination": "file"}, {"destination": "file", "output_path": "b"}], "two are named"),
        (
            [{"destination": "file"}, {"destination": "file", "name": "b"}],
            "two have the `output_path`",
        ),
        (
            [
                {"destination": "file", "dead_letter_path": "x"},
                {"destination": "segment", "write_key": "k", "dead_letter_path": "./x"},
            ],
            "two have the `dead_letter_path`",
        ),
        ([{"destination": "file"}, {"destination": "segment"}], "`destinations`, segment: Setting"),
        ([{"name": "x"}], "`destinations[0]` lacks `destination`"),
        ([{"destination": "file", "concurrency": 0}], "`destinations[0].concurrency`"),
        ([{"destination": "file", "call_types": {}}], "has unknown keys: call_types"),
        ([{"destination": "file", "name": "a b"}], "`destinations[0].name` must match"),
    ],
)
def test_invalid_destinations_are_reported(entries, problem):
    """The problem names the destination and the setting."""
    assert problem in "\n".join(_problems({"destinations": entries}))


def test_secret_of_a_destination_is_never_shown():
    """Neither a problem nor the settings' repr shows a nested secret."""
    entry = {"destination": "customerio", "write_key": "c4n4ry"}
    configuration = load_configuration({"destinations": [entry]})
    problems = _problems({"destinations": [{**entry, "write_key": ["c4n4ry"]}]})

    assert "c4n4ry" not in repr(configuration.destinations)
    assert "c4n4ry" not in str(problems)


def test_secret_that_is_a_placeholder_is_refused():
    """No call is sent with a key that nothing replaced; its value is not shown."""
    entries = [{"destination": "segment", "write_key": "$SEGMENT_KEY"}]
    text = "\n".join(_problems({"message_id_salt": "${SALT}", "destinations": entries}))

    assert "`message_id_salt` still is a placeholder" in text
    assert "`destinations[0].write_key` still is a placeholder" in text
    assert "SEGMENT_KEY" not in text


def test_unknown_key_has_the_nearest_known_one():
    """At the top and within `destinations`; `$schema` is known everywhere."""
    entry = {"destination": "file", "outputpath": "x", "$schema": "y"}
    text = "\n".join(_problems({"$schema": "x", "Write-Key": "k", "destinations": [entry]}))

    assert "unknown keys: Write-Key; known" in text
    assert "(did you mean `write_key`?)" in text
    assert "`destinations[0]` has unknown keys: outputpath; known" in text
    assert "(did you mean `output_path`?)" in text


def test_invalid_names_are_not_also_equal_ones():
    """Each is one problem: what follows from it is none of its own."""
    destinations = [{"destination": "file", "name": name} for name in ("a.b", "c d")]

    with pytest.raises(ConfigurationError) as caught:
        load_configuration({"destinations": destinations})

    assert len(caught.value.problems) == 2
