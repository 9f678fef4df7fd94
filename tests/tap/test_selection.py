"""Meltano's selection, applied to the real columns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_mssql_query.selection import Selection, read_selection

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.tap.conftest import TapRun

    RunTap = Callable[..., TapRun]

COLUMNS = ("userId", "email", "traits.email", "products")


def _selection(*patterns: str, **metadata: Any) -> Selection:
    selection = read_selection(
        {
            "MELTANO_EXTRACT__SELECT": json.dumps(patterns),
            "MELTANO_EXTRACT__METADATA": json.dumps(metadata),
        }
    )
    assert selection is not None
    return selection


@pytest.mark.parametrize(
    ("patterns", "sent"),
    [
        (["*.*"], COLUMNS),
        (["*"], COLUMNS),
        (["users"], COLUMNS),
        (["*.*", "!users.traits.email"], ("userId", "email", "products")),
        (["*.*", r"!users.traits\.email"], ("userId", "email", "products")),
        (["*.*", "!users.*email"], ("userId", "products")),
        (["!users.email", "*.*"], ("userId", "traits.email", "products")),
        (["users.traits.email"], ("userId", "traits.email")),
        (["users.products.price"], ("userId", "products")),
        (["events.*"], ("userId",)),
    ],
)
def test_patterns_select_columns_whose_names_have_dots(patterns, sent):
    """As Meltano selects, with the dots as part of a name; key columns are always sent."""
    selected = _selection(*patterns).selected("users", COLUMNS, ["userId"])
    assert tuple(name for name in COLUMNS if selected[name]) == sent


@pytest.mark.parametrize(
    "metadata",
    [
        {"users": {"traits": {"email": {"selected": False}}}},
        {"users": {"traits.email": {"selected": "false"}}},
        {"users.traits.email.selected": False},
    ],
)
def test_metadata_leaves_out_a_column_with_dots(metadata):
    """However Meltano passes `metadata`."""
    selected = _selection("*.*", **metadata).selected("users", COLUMNS, [])
    assert [name for name in COLUMNS if not selected[name]] == ["traits.email"]


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("!users.emial", "does not have (did you mean `email`?)"),
        ("!users.context.phone", "does not have. Correct the name"),
        ("!users.products.price", "leaves out a column that its result does not have"),
        ("!users.nothing*", "leaves out a column that its result does not have"),
        ("!*.user*", "leaves out `userId`, which is one of its `key_columns`"),
    ],
)
def test_rule_that_leaves_nothing_out_is_a_problem(pattern, problem):
    """Sending the rows in spite of such a rule may be a leak."""
    (found,) = _selection("*.*", pattern).find_problems("users", COLUMNS, ["userId"])
    assert problem in found


@pytest.mark.parametrize(
    "pattern", ["!users.email", "!*.phone", "!events.x", "!users", "!users.*", "users.emial"]
)
def test_other_rules_are_no_problem(pattern):
    """Rules with an effect, for patterns of syncs, for other syncs, and those that select."""
    assert not list(_selection("*.*", pattern).find_problems("users", COLUMNS, ["userId"]))


def test_selected_column_that_is_not_there_is_a_warning():
    """A misspelt column is not sent, which is said."""
    rules = _selection("users.emial", "users.email", "users.products.x", "users.x*", "*.y")
    (warning,) = rules.find_warnings("users", COLUMNS)
    assert "`users.emial` selects a column that its result does not have" in warning


def test_rules_for_unknown_syncs_are_found():
    """With whether they leave something out."""
    rules = _selection("*.*", "!user.email", "event.*", "!*.x", "users.*")
    assert [leaves_out for _, leaves_out in rules.find_unknown_syncs(["users"])] == [False, True]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"MELTANO_EXTRACT__SELECT": "*.*"},
        {"MELTANO_EXTRACT__SELECT": '["*.*"]', "MELTANO_EXTRACT__CATALOG": "catalog.json"},
    ],
)
def test_without_rules_of_meltano_the_catalog_decides(environment):
    """Outside of Meltano, and with a catalog of the user's own."""
    assert read_selection(environment) is None


USERS = {
    "name": "users",
    "type": "identify",
    "query": "SELECT id AS userId, email AS [traits.email], email FROM retl_test_users",
}


def _with_catalog(run_tap: RunTap, config: dict[str, Any], folder: Path, **changes: Any) -> TapRun:
    """A run with the discovered catalog and a further entry of metadata for `users`."""
    catalog = run_tap(config, "--discover").messages[0]
    (users,) = (stream for stream in catalog["streams"] if stream["stream"] == "users")
    users["metadata"].append(changes)
    (folder / "catalog.json").write_text(json.dumps(catalog))
    return run_tap(config, "--catalog", str(folder / "catalog.json"))


@pytest.mark.parametrize(
    ("breadcrumb", "hint"),
    [
        (["properties", "traits", "properties", "email"], "leaves out `traits.email`"),
        (["properties", "emial"], "(did you mean `email`?)"),
    ],
)
def test_catalog_that_leaves_out_an_unknown_column_stops_its_sync(
    run_tap: RunTap, config: dict[str, Any], tmp_path: Path, breadcrumb: list[str], hint: str
) -> None:
    """A misspelt entry sends no row of its sync; the others run."""
    syncs = [USERS, {**USERS, "name": "others"}]
    entry = {"breadcrumb": breadcrumb, "metadata": {"selected": False}}

    run = _with_catalog(run_tap, {**config, "syncs": syncs}, tmp_path, **entry)

    assert (run.exit_code, run.records("users"), len(run.records("others"))) == (2, [], 2)
    assert hint in run.log


@pytest.mark.parametrize(
    ("maps", "exit_code", "names"),
    [
        ({"users": {"traits": {"email": "__NULL__"}}}, 0, {"userId", "email"}),
        ({"users": {"traits.email": None, "email": None}}, 0, {"userId"}),
        ({"users": {"emial": None}}, 2, None),
        ({"user": {"email": None}}, 2, None),
        ({"users": {"email": ["x"]}}, 2, None),
        ("users", 2, None),
    ],
)
def test_map_removes_a_column_or_sends_nothing(
    run_tap: RunTap,
    config: dict[str, Any],
    maps: Any,
    exit_code: int,
    names: set[str] | None,
) -> None:
    """A column that a map removes is never sent, whatever is wrong with the map."""
    run = run_tap({**config, "syncs": [USERS], "stream_maps": maps})
    records = run.records("users")
    assert (run.exit_code, set(records[0]) if records else None) == (exit_code, names), run.log
