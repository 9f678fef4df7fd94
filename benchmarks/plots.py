"""Plots results.json as SVG: throughput by stage, memory by rows. The output is deterministic.

A separate program, because it runs in the environment that has matplotlib.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
# Text stays text, and the same figures give the same file.
mpl.rcParams.update({"svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.size": 10})

from matplotlib import pyplot as plt  # noqa: E402 - after the backend is selected

_OURS, _OTHERS, _INK = "#1f6f8b", "#b8b8b8", "#333333"
_BARS = (
    ("tap", "bare fetch"),
    ("tap", "tap"),
    ("tap", "pyodbc loop"),
    ("tap", "singer-sdk stream"),
    ("target", "hand-written loop"),
    ("target", "target"),
    ("target", "target, 2 processes"),
    ("target", "customerio-cdp-analytics"),
    ("pipe", "tap | target"),
)


def draw_plots(results: dict[str, Any], folder: Path) -> None:
    """Write throughput.svg and memory.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    _draw_throughput(results["runs"], folder / "throughput.svg")
    _draw_memory(results["runs"]["growth"], folder / "memory.svg")


def _draw_throughput(runs: dict[str, Any], path: Path) -> None:
    bars = [(name, runs[group][name]) for group, name in _BARS if name in runs[group]]
    names = [name for name, _ in bars]
    speeds = [run["rows"] / min(run["seconds"]) / 1000 for _, run in bars]
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    colors = [_OURS if name.startswith(("tap", "target")) else _OTHERS for name in names]
    drawn = axes.barh(names, speeds, color=colors)
    axes.bar_label(drawn, fmt="{:,.0f}", padding=3, color=_INK)
    axes.invert_yaxis()
    axes.set_xlabel("thousand rows of 12 columns per second, whole process")
    _save(figure, axes, path)


def _draw_memory(runs: dict[str, Any], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
    for program, color, limit in (("tap", _OURS, 250), ("target", "#c8553d", 150)):
        points = [runs[f"{program}, {size} rows"] for size in ("few", "many")]
        rows = [point["rows"] / 1e6 for point in points]
        megabytes = [max(point["peak_megabytes"]) for point in points]
        axes.plot(rows, megabytes, marker="o", color=color, label=program)
        axes.axhline(limit, color=color, linestyle=":", label=f"limit of the {program}")
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.set_xlabel("million rows")
    axes.set_ylabel("peak memory, MB")
    axes.legend(ncols=2, frameon=False)
    _save(figure, axes, path)


def _save(figure: Any, axes: Any, path: Path) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)


if __name__ == "__main__":
    draw_plots(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
