"""Goals, and the figures that runs achieve. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.timing import Command, Run

Unit: TypeAlias = Literal["rows/s", "values/s", "MB", "CPU s"]
Direction: TypeAlias = Literal["at least", "at most"]


@dataclass(frozen=True)
class Goal:
    """One row of the table: a command, its baseline, and the limit of the ratio.

    Without a baseline the limit applies to the figure itself; without a limit there is no goal. Of
    several baselines the slowest counts.
    """

    title: str
    command: str
    unit: Unit = "rows/s"
    baselines: tuple[str, ...] = ()
    limit: float | None = None
    direction: Direction = "at least"
    times: int = 1
    """Multiplies the baseline: the ratio is then an efficiency."""


@dataclass(frozen=True)
class Figure:
    """The figure that a goal is compared with."""

    measurement: str
    goal: Goal
    value: float
    baseline_value: float | None

    @property
    def ratio(self) -> float | None:
        """The figure divided by the baseline, itself multiplied by `times`."""
        if not self.baseline_value:
            return None
        return self.value / (self.baseline_value * self.goal.times)

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; None without a limit."""
        compared = self.value if self.ratio is None else self.ratio
        if self.goal.limit is None:
            return None
        if self.goal.direction == "at least":
            return compared >= self.goal.limit
        return compared <= self.goal.limit


def evaluate(
    measurement: str,
    goals: Sequence[Goal],
    commands: Mapping[str, Command],
    runs: Mapping[str, Sequence[Run]],
) -> list[Figure]:
    """The figures of a measurement: the best run's speed, the worst run's memory and CPU time.

    A goal whose commands did not all run has no figure.
    """
    return [
        Figure(measurement, goal, value_of(goal.command), _slowest(goal, value_of))
        for goal in goals
        if runs.keys() >= {goal.command, *goal.baselines}
        for value_of in [_Values(goal.unit, commands, runs)]
    ]


def _slowest(goal: Goal, value_of: _Values) -> float | None:
    return min(map(value_of, goal.baselines)) if goal.baselines else None


@dataclass(frozen=True)
class _Values:
    """A command's figure in one unit."""

    unit: Unit
    commands: Mapping[str, Command]
    runs: Mapping[str, Sequence[Run]]

    def __call__(self, name: str) -> float:
        command, runs = self.commands[name], self.runs[name]
        if self.unit == "MB":
            return max(run.peak_megabytes for run in runs)
        if self.unit == "CPU s":
            return max(run.cpu_seconds for run in runs)
        rows_per_second = command.rows / min(run.seconds for run in runs)
        return rows_per_second * (command.columns if self.unit == "values/s" else 1)
