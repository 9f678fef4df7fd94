from __future__ import annotations

from typing import Any

import pytest

from target_pipelines.acknowledgements.dead_letters import DeadLetters
from target_pipelines.acknowledgements.rejected_rows import RejectedRows
from target_pipelines.acknowledgements.staged_dead_letters import StagedDeadLetters
from target_pipelines.acknowledgements.state_writer import StateWriter
from target_pipelines.acknowledgements.stream_failures import StreamFailures
from target_pipelines.api.errors import (
    ConfigurationError,
    DeliveryError,
    PipelinesError,
    StreamsFailed,
    TooManyRejected,
)
from target_pipelines.api.settings import TargetSettings


def _state(**bookmarks: int) -> dict[str, Any]:
    return {"bookmarks": {name: {"last_sync_time": at} for name, at in bookmarks.items()}}


class _Run:
    """A writer of STATEs with what it needs, and a file of dead letters."""

    def __init__(self, folder) -> None:
        self.path = folder / "dead_letters.jsonl"
        self.failures = StreamFailures()
        self.staged = StagedDeadLetters(DeadLetters(self.path))
        self.written: list[Any] = []
        self.writer = StateWriter(self.written.append, self.failures, [self.staged])

    @property
    def letters(self) -> bytes:
        return self.path.read_bytes() if self.path.exists() else b""


@pytest.fixture
def run(tmp_path) -> _Run:
    """A run whose dead letters are in a temporary folder."""
    return _Run(tmp_path)


def test_failed_stream_keeps_its_settled_bookmark(run):
    """Later STATEs have the bookmark of the last safe one; a new stream has none."""
    run.writer.write(_state(a=1, b=1), 0)
    run.failures.fail("b", DeliveryError("no"))
    run.failures.fail("new", DeliveryError("no"))

    run.writer.write(_state(a=2, b=2, new=1), 1)
    run.writer.write(_state(a=3, b=3, new=2), 2)

    assert run.written == [_state(a=1, b=1), _state(a=2, b=1), _state(a=3, b=1)]


def test_former_name_of_a_failed_stream_is_kept(run):
    """A STATE that drops the former name of a renamed stream does not lose its bookmark."""
    run.writer.write(_state(old=5), 0)
    run.failures.fail("new", DeliveryError("no"))

    run.writer.write(_state(new=6), 1)

    assert run.written[-1] == _state(old=5)


def test_unknown_bookmark_stops_the_run(run):
    """Before the first STATE, the stream's own error is raised."""
    with pytest.raises(ConfigurationError, match="no type"):
        run.failures.fail("a", ConfigurationError("no type"))


@pytest.mark.parametrize(
    "value", [{"offset": 1}, {"bookmarks": {"a": 7}}, {"bookmarks": ["a"]}], ids=str
)
def test_state_of_another_shape_stops_the_run(run, value):
    """Nothing can be put back into a STATE without bookmarks of streams."""
    run.writer.write(_state(a=1), 0)
    run.failures.fail("a", DeliveryError("no"))

    with pytest.raises(DeliveryError, match="no"):
        run.writer.write(value, 1)
    assert run.written == [_state(a=1)]


def test_state_without_bookmarks_is_known_and_not_printed(run):
    """It must not replace a state file that has more; it is enough to put back nothing."""
    run.writer.write(_state(), 0)
    run.failures.fail("a", DeliveryError("no"))
    run.writer.write(_state(a=1), 1)

    assert run.written == []


def test_dead_letters_wait_for_their_state(run):
    """They reach the file with the STATE that covers them, or at the end."""
    run.writer.write(_state(), 0)
    for epoch in (1, 2, 3):
        run.staged.add("a", epoch, b"%d\n" % epoch)
    assert run.letters == b""

    run.writer.write(_state(a=1), 2)
    assert run.letters == b"1\n2\n"
    run.writer.finish()
    assert run.letters == b"1\n2\n3\n"


def test_dead_letters_wait_while_their_bookmark_stays(run):
    """A STATE of another stream does not commit them: their rows would be read again."""
    run.writer.write(_state(a=0, b=0), 0)
    run.staged.add("a", 1, b"a\n")

    run.writer.write(_state(a=0, b=1), 1)
    assert run.letters == b""
    run.writer.write(_state(a=1, b=1), 2)
    assert run.letters == b"a\n"


def test_dead_letters_of_a_failed_stream_are_gone(run):
    """Its rows are read again, so that letters would be repeated."""
    run.writer.write(_state(), 0)
    run.staged.add("a", 1, b"a\n")
    run.staged.add("b", 1, b"b\n")
    run.failures.fail("a", DeliveryError("no"))

    run.writer.finish()

    assert run.letters == b"b\n"


def test_dead_letters_of_an_unfinished_stream_are_gone(run):
    """Its tap stopped before it moved the bookmark: the next run reads those rows again."""
    for stream in ("a", "b", "c"):
        run.failures.expect_bookmark(stream)
    run.writer.write(_state(a=1, b=1), 0)
    for stream in ("a", "b", "other"):
        run.staged.add(stream, 1, b"%s\n" % stream.encode())

    run.writer.write(_state(a=1, b=2), 1)
    run.writer.finish()

    assert run.letters.splitlines() == [b"b", b"other"]
    assert run.failures.unfinished == {"a"}


def test_dead_letters_of_a_backfill_are_kept(run):
    """Its tap sends no STATE: its rows are not read again."""
    run.failures.expect_bookmark("a")
    run.staged.add("a", 0, b"a\n")

    run.writer.finish()

    assert (run.letters, run.failures.unfinished) == (b"a\n", frozenset())


def test_staged_dead_letters_have_no_name(run, tmp_path):
    """A run that is killed leaves none."""
    run.staged.add("a", 1, b"a\n")

    assert list(tmp_path.iterdir()) == []


def test_dead_letters_that_cannot_be_written_fail_their_streams(run):
    """The STATE is written, without the bookmarks of these streams."""
    run.writer.write(_state(a=1, b=1), 0)
    run.staged.add("a", 1, b"a\n")
    run.path.mkdir()

    run.writer.write(_state(a=2, b=2), 1)

    assert run.written[-1] == _state(a=1, b=2)
    assert "cannot be written" in str(run.failures.errors["a"])


@pytest.mark.parametrize(("rejected", "fails"), [(9, False), (10, True)])
def test_ratio_counts_from_ten_rejected_rows(run, rejected, fails):
    """A stream with few rows may have bad ones; another stream does not count."""
    run.writer.write(_state(), 0)
    rows = RejectedRows(run.staged, run.failures, TargetSettings(), lambda _stream: 50)

    for _ in range(rejected):
        rows.add("a", 1, b"x\n", ["reason."])

    assert ("a" in run.failures) == fails
    if fails:
        assert isinstance(run.failures.errors["a"], TooManyRejected)


def test_several_failures_have_the_worst_exit_code():
    """The messages of all streams are there, each once."""
    failures = StreamFailures({})
    failures.fail("a", TooManyRejected("many"))
    failures.fail("b", ConfigurationError("type"))
    failures.fail("c", ConfigurationError("type"))

    with pytest.raises(StreamsFailed) as caught:
        failures.raise_failures()

    assert (caught.value.exit_code, caught.value.problems) == (5, ("many", "type"))


def test_bug_is_described_without_its_text():
    """The text of an unexpected exception may hold a row's values."""
    failures = StreamFailures({})

    failures.fail("a", KeyError("c4n4ry"))

    assert "KeyError" in str(failures.errors["a"])
    assert "c4n4ry" not in str(failures.errors["a"])
    assert type(failures.errors["a"]) is PipelinesError
