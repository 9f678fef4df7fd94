"""The display of a run while it goes on, on a terminal: rows read, calls delivered, time left."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from program_kit.console import cell
from program_kit.humane import count_of, duration_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_REFRESHES_PER_SECOND = 4
_OTHER_LINES = 4
"""Lines of the terminal that are left for the prompt and for what is said below the table."""


@dataclass(slots=True)
class _Sync:
    """What is known of one sync so far; `total` counts the rows of the query, if known."""

    started: float
    read: int = 0
    total: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    changed: float = 0.0

    @property
    def settled(self) -> int:
        return sum(self.counts.get(name, 0) for name in ("delivered", "filtered", "rejected"))


class LiveRun:
    """Collects the progress of both programs, and renders it; safe to use from many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._syncs: dict[str, _Sync] = {}
        self._retries = 0
        self._started = clock()

    def note(self, progress: Mapping[str, Any]) -> None:
        """Note what a program reports: rows read of a sync, or what was settled of all."""
        with self._lock:
            if "sync" in progress:
                sync = self._get(progress["sync"])
                sync.read, sync.total = max(sync.read, progress["rows"]), progress.get("total")
            for name, counts in progress.get("streams", {}).items():
                sync = self._get(name)
                sync.read = max(sync.read, counts.get("read", 0))
                if dict(counts) != dict(sync.counts):
                    sync.counts, sync.changed = counts, self._clock()
            self._retries = progress.get("retries", self._retries)

    def _get(self, name: str) -> _Sync:
        now = self._clock()
        return self._syncs.setdefault(name, _Sync(started=now, changed=now))

    def render(self, height: int = 24) -> Table:
        """A table of the syncs that fit into the height of the terminal."""
        with self._lock:
            table = Table(box=None, pad_edge=False, header_style="dim", caption_justify="left")
            table.add_column("sync", overflow="ellipsis", no_wrap=True)
            for heading in ("read", "settled", "per second", "rejected", "time left"):
                table.add_column(heading, justify="right", no_wrap=True)
            for name, sync in self._latest(max(height - _OTHER_LINES, 1)):
                table.add_row(*self._cells(name, sync))
            table.caption = self._caption()
            return table

    def _latest(self, count: int) -> Iterator[tuple[str, _Sync]]:
        """The syncs that changed last, in the order of their start."""
        changes = sorted(sync.changed for sync in self._syncs.values())[-count:]
        for name, sync in self._syncs.items():
            if sync.changed >= changes[0]:
                yield name, sync

    def _cells(self, name: str, sync: _Sync) -> Iterator[Text]:
        seconds = max(sync.changed - sync.started, 0.001)
        rate = sync.settled / seconds if sync.settled and sync.changed > sync.started else 0.0
        rejected = sync.counts.get("rejected", 0)
        yield cell(name)
        yield Text(f"{sync.read:,}")
        yield Text(f"{sync.settled:,}", "green")
        yield Text(f"{rate:,.0f}" if rate else "", "dim")
        yield Text(f"{rejected:,}" if rejected else "", "yellow")
        yield Text(_time_left(sync, rate), "dim")

    def _caption(self) -> Text:
        retries = f", {self._retries:,} requests retried" if self._retries else ""
        delivered = sum(sync.counts.get("delivered", 0) for sync in self._syncs.values())
        passed = duration_of(self._clock() - self._started)
        return Text(f"{count_of(delivered, 'call')} delivered in {passed}{retries}", "dim")


def _time_left(sync: _Sync, rate: float) -> str:
    if sync.total is None or not rate:
        return ""
    left = max(sync.total - sync.settled, 0)
    return f"{sync.settled / max(sync.total, 1):.0%}, {duration_of(left / rate)}"


class _Rendered:
    """Renders a `LiveRun` anew at each refresh."""

    def __init__(self, run: LiveRun, console: Console) -> None:
        self._run = run
        self._console = console

    def __rich__(self) -> Table:
        return self._run.render(self._console.height)


@contextlib.contextmanager
def showing(run: LiveRun) -> Iterator[None]:
    """Show the progress on stderr during the block; it leaves nothing behind."""
    console = Console(stderr=True)
    with Live(
        _Rendered(run, console),
        console=console,
        transient=True,
        refresh_per_second=_REFRESHES_PER_SECOND,
        redirect_stdout=False,
    ):
        yield


def is_watched() -> bool:
    """Whether somebody looks at stderr, on a terminal that can move its cursor."""
    return sys.stderr.isatty() and not Console(stderr=True).is_dumb_terminal
