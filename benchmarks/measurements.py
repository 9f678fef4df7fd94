"""The table of measurements: the commands to run in turns, and the goals for their ratios."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.bench import PROGRAMS, Bench
from benchmarks.figures import Goal
from benchmarks.rows import NARROW, WIDE
from benchmarks.timing import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LATENCY_SECONDS = 0.05


@dataclass(frozen=True)
class Scale:
    """The number of rows of each measurement. With few rows the ratios mean little."""

    tap_rows: int = 1_000_000
    sdk_rows: int = 200_000
    target_rows: int = 300_000
    official_sdk_rows: int = 60_000
    few_rows: int = 500_000
    times: int = 10
    """`many_rows` as a multiple of `few_rows`."""

    @classmethod
    def of(cls, rows: int) -> Scale:
        """The same proportions for another number of rows of the tap, at least 10,000."""
        return cls(
            tap_rows=rows,
            sdk_rows=rows // 5,
            target_rows=rows * 3 // 10,
            official_sdk_rows=rows * 6 // 100,
            few_rows=rows // 2,
        )

    @property
    def many_rows(self) -> int:
        """Rows of the long runs."""
        return self.few_rows * self.times

    @property
    def wide_rows(self) -> int:
        """Rows of 200 columns with as many values as `few_rows` of 12."""
        return self.few_rows * NARROW // WIDE

    @property
    def sizes(self) -> Iterable[tuple[int, int]]:
        """The sizes of all results that the server has to serve, as rows and columns."""
        narrow = (1, self.tap_rows, self.sdk_rows, self.target_rows, self.few_rows, self.many_rows)
        return [*((rows, NARROW) for rows in narrow), (self.wide_rows, WIDE)]


@dataclass(frozen=True)
class Measurement:
    """Commands to run in turns, `rounds` times, and their goals."""

    name: str
    title: str
    commands: Callable[[Bench, Scale], dict[str, Command]]
    goals: tuple[Goal, ...]
    rounds: int = 3


def _tap(bench: Bench, scale: Scale) -> dict[str, Command]:
    return {
        "bare fetch": bench.reader("bare_fetch", scale.tap_rows),
        "tap": bench.tap(scale.tap_rows),
        "pyodbc loop": bench.reader("pyodbc_loop", scale.tap_rows),
        "singer-sdk stream": bench.reader("sdk_stream", scale.sdk_rows),
    }


def _target(bench: Bench, scale: Scale) -> dict[str, Command]:
    rows = scale.target_rows
    return {
        "raw requests": bench.raw_posts(rows),
        "hand-written loop": bench.hand_written(rows),
        "target": bench.target(rows),
        "target, 2 processes": bench.target(rows, processes=2),
        "customerio-cdp-analytics": bench.official_sdk(scale.official_sdk_rows, of=rows),
    }


def _pipe(bench: Bench, scale: Scale) -> dict[str, Command]:
    rows = scale.tap_rows
    return {
        "tap alone": bench.tap(rows),
        "target alone": bench.target(rows),
        "tap | target": bench.pipe(rows),
    }


def _growth(bench: Bench, scale: Scale) -> dict[str, Command]:
    return {
        "tap, few rows": bench.tap(scale.few_rows),
        "tap, many rows": bench.tap(scale.many_rows),
        "target, few rows": bench.fed_target(scale.few_rows, 1),
        "target, many rows": bench.fed_target(scale.few_rows, scale.times),
    }


def _width(bench: Bench, scale: Scale) -> dict[str, Command]:
    return {
        "tap, 12 columns": bench.tap(scale.few_rows),
        "tap, 200 columns": bench.tap(scale.wide_rows, WIDE),
        "target, 12 columns": bench.target(scale.few_rows),
        "target, 200 columns": bench.target(scale.wide_rows, WIDE),
    }


def _start(bench: Bench, _: Scale) -> dict[str, Command]:
    return {
        "tap --about": Command((str(PROGRAMS / "tap-mssql-query"), "--about")),
        "tap, nothing due": bench.idle_tap(),
        "target --about": Command((str(PROGRAMS / "target-pipelines"), "--about")),
        "target, no input": bench.idle_target(),
    }


def _latency(bench: Bench, scale: Scale) -> dict[str, Command]:
    return {
        f"processes {processes}, concurrency {concurrency}": bench.target(
            scale.target_rows,
            endpoint=bench.slow_sink,
            processes=processes,
            concurrency=concurrency,
        )
        for processes, concurrency in ((1, 1), (1, 4), (2, 4))
    }


_WORKERS = (1, 2, 4, 8)
_SMALL_BATCHES = {"batch_max_calls": 100, "concurrency": 4, "requests_per_second": 10_000}
"""Four lanes then wait for responses, not for the CPU or the rate limit."""


def _scaling(bench: Bench, scale: Scale) -> dict[str, Command]:
    rows = scale.target_rows

    def on_workers(count: int, **settings: Any) -> Command:
        return bench.partitioned_run(rows, "--dask", "--workers", str(count), **settings)

    return {
        "one pipe": bench.partitioned_run(rows),
        **{f"workers {count}": on_workers(count) for count in (1, 2)},
        **{
            f"50 ms, workers {count}": on_workers(count, endpoint=bench.slow_sink, **_SMALL_BATCHES)
            for count in _WORKERS
        },
    }


def _compare(command: str, limit: float | None, *baselines: str) -> Goal:
    return Goal(command, command, "rows/s", baselines, limit)


def _efficiency(command: str, baseline: str, times: int) -> Goal:
    return Goal(command, command, "rows/s", (baseline,), times=times)


def _growth_goals(program: str, max_megabytes: float) -> tuple[Goal, ...]:
    few, many = f"{program}, few rows", f"{program}, many rows"
    return (
        Goal(f"{many}: memory", many, "MB", (), max_megabytes, "at most"),
        Goal(f"{many}: memory, to few rows", many, "MB", (few,), 1.1, "at most"),
        Goal(f"{many}: speed, to few rows", many, "rows/s", (few,), 0.9),
    )


MEASUREMENTS = (
    Measurement(
        "tap",
        "The tap, to /dev/null",
        _tap,
        (
            _compare("tap", 0.65, "bare fetch"),
            _compare("tap", 1.9, "pyodbc loop"),
            _compare("tap", 10, "singer-sdk stream"),
        ),
    ),
    Measurement(
        "target",
        "The target, from a file to a sink that responds 200 to everything",
        _target,
        (
            _compare("target", 0.75, "hand-written loop"),
            _compare("target, 2 processes", 0.75, "hand-written loop"),
            _compare("target", 8, "customerio-cdp-analytics"),
            _compare("target, 2 processes", 8, "customerio-cdp-analytics"),
            _compare("target, 2 processes", None, "target"),
            _compare("raw requests", None, "target"),
        ),
    ),
    Measurement(
        "pipe",
        "Tap and target in a pipe",
        _pipe,
        (_compare("tap | target", 0.8, "tap alone", "target alone"),),
    ),
    Measurement(
        "growth",
        "Ten times the rows",
        _growth,
        (*_growth_goals("tap", 250), *_growth_goals("target", 150)),
        rounds=2,
    ),
    Measurement(
        "width",
        "The same number of values in 200 columns",
        _width,
        tuple(
            Goal(
                f"{program}, 200 columns",
                f"{program}, 200 columns",
                "values/s",
                (f"{program}, 12 columns",),
                0.7,
            )
            for program in ("tap", "target")
        ),
    ),
    Measurement(
        "start",
        "Starting",
        _start,
        tuple(
            Goal(name, name, "CPU s", (), 1.2, "at most")
            for name in ("tap --about", "tap, nothing due", "target --about", "target, no input")
        ),
    ),
    Measurement(
        "latency",
        "A sink that responds after 50 ms",
        _latency,
        (
            _compare("processes 1, concurrency 4", None, "processes 1, concurrency 1"),
            _compare("processes 2, concurrency 4", None, "processes 1, concurrency 4"),
        ),
        rounds=2,
    ),
    Measurement(
        "scaling",
        "Eight partitions on a Dask cluster, its start included",
        _scaling,
        (
            _compare("workers 1", None, "one pipe"),
            _efficiency("workers 2", "workers 1", 2),
            *(
                _efficiency(f"50 ms, workers {count}", "50 ms, workers 1", count)
                for count in _WORKERS[1:]
            ),
        ),
        rounds=1,
    ),
)
