from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.timing import Command, Feed, run_in_turns, run_once
from tests.packaging.conftest import ROOT

# Exits with 1 unless it reads what it is told to.
EXPECT = "import sys; sys.exit(sys.stdin.read() != sys.argv[1])"


def _python(code: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code, *arguments)


def test_records_are_fed_several_times_between_schema_and_state(tmp_path):
    """The first and the last line come once, the others the given number of times."""
    path = tmp_path / "lines"
    path.write_text("schema\na\nb\nstate\n")
    wanted = "schema\na\nb\na\nb\na\nb\nstate\n"

    run_once(Command(_python(EXPECT, wanted), stdin=Feed(path, 3)))


def test_first_program_writes_to_the_second():
    """A pipe runs until both programs have ended, and fails if either does."""
    run_once(Command(_python("print('row')"), pipe_to=_python(EXPECT, "row\n")))
    with pytest.raises(subprocess.CalledProcessError):
        run_once(Command(_python("print('other')"), pipe_to=_python(EXPECT, "row\n")))


def test_program_that_fails_is_no_fast_program():
    """A failed run ends the benchmark and shows its stderr."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_once(Command(_python("import sys; sys.exit('the reason')")))

    assert "the reason" in caught.value.stderr


def test_commands_take_turns(tmp_path):
    """Each round runs all commands, so that other load affects all of them."""
    order = tmp_path / "order"
    append = "import sys; open(sys.argv[1], 'a').write(sys.argv[2])"
    commands = {name: Command(_python(append, str(order), name)) for name in "ab"}

    run_in_turns(commands, 2, lambda: None)

    assert order.read_text() == "abab"


def test_memory_is_not_that_of_the_benchmark():
    """A child's peak starts at its parent's memory, so the benchmark imports no large library."""
    heavy = {"duckdb", "pyarrow", "pyodbc", "mssql_python", "matplotlib", "singer_sdk"}
    code = f"import sys, benchmarks.__main__; sys.exit(str({heavy!r} & set(sys.modules)))"
    done = subprocess.run(_python(code), cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.stderr.strip() == "set()"


def test_small_run_measures_the_real_programs(tmp_path):
    """10,000 rows through tap, baselines, target and pipe give complete results."""
    output = tmp_path / "results.json"
    words = ("--only", "tap", "pipe", "--rows", "10000", "--rounds", "1", "--output", str(output))
    done = subprocess.run(
        (sys.executable, "-m", "benchmarks", *words),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    results = json.loads(output.read_text())

    assert set(results) == {"machine", "server", "scale", "seconds", "figures", "runs"}
    assert list(results["runs"]) == ["tap", "pipe"]
    assert len(results["figures"]) == 4
    assert set(results["figures"][0]) == {
        *("measurement", "measured", "unit", "figure", "baseline", "baseline_figure"),
        *("ratio", "goal", "direction", "met"),
    }
    assert results["runs"]["tap"]["bare fetch"]["rows"] == 10_000
    assert "tap | target" in done.stdout
