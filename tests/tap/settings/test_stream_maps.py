"""The setting `stream_maps`: one form, and names that no sync or column has."""

from __future__ import annotations

import pytest

from tap_mssql_query.settings.stream_maps import (
    find_doubtful_additions,
    find_unknown_removals,
    find_unknown_syncs,
    plain_stream_maps,
    restore_nulls,
)


@pytest.mark.parametrize(
    "maps",
    [
        {"users": {"traits.email": "x", "a": None}},
        {"users": {"traits": {"email": "x"}, "a": None}},
        {"users.traits.email": "x", "users.a": None},
    ],
)
def test_names_that_meltano_splits_are_joined(maps):
    """However Meltano passes a column with dots, it is that column."""
    assert plain_stream_maps(maps) == {"users": {"traits.email": "x", "a": None}}


@pytest.mark.parametrize("maps", [None, "x", {}, {"users": None, "__else__": None}, {"users": {}}])
def test_other_maps_stay_as_they_are(maps):
    """Removed streams, empty maps and mistyped settings are kept."""
    assert plain_stream_maps(maps) == maps


@pytest.mark.parametrize(
    ("maps", "told", "full"),
    [
        ({"u": {"a": "x"}}, {"u.a": "x", "u.b": None}, {"u": {"a": "x", "b": None}}),
        (None, {"u.b": None}, {"u": {"b": None}}),
        ({"u": {"a": "x"}}, {"u.a": "y", "u.b": None}, {"u": {"a": "x"}}),
        ({"u": {"a": "x"}}, None, {"u": {"a": "x"}}),
    ],
    ids=["one", "only", "of-another-run", "none"],
)
def test_null_that_meltano_drops_comes_back(maps, told, full):
    """A column with `null` is removed, although the configuration file has lost it."""
    assert restore_nulls(maps, told) == full


@pytest.mark.parametrize(
    ("maps", "problem"),
    [
        ({"user": {"email": None}}, "`user`, but no sync is called that (did you mean `users`?)"),
        ({"tmp_*": "__NULL__"}, "`tmp_*`, but no sync is called that."),
        ({"copy": {"__source__": "usrs"}}, "`usrs`, but no sync is called that (did you mean"),
    ],
)
def test_map_of_an_unknown_sync_is_a_problem(maps, problem):
    """A misspelt name of a sync would send its rows as they are."""
    (found,) = find_unknown_syncs(maps, ["users", "events"])
    assert problem in found


@pytest.mark.parametrize(
    "maps",
    [{"users": {}}, {"u*": {}}, {"__else__": None}, {"copy": {"__source__": "users"}}, None, "x"],
)
def test_map_of_a_sync_is_no_problem(maps):
    """Names, patterns and sources of syncs are known."""
    assert not list(find_unknown_syncs(maps, ["users"]))


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ({"emial": None}, "(did you mean `email`?)"),
        ({"phone": "__NULL__"}, "(did you mean `traits.phone`?)"),
        ({"plan": None}, "none of that name. Correct"),
    ],
)
def test_removal_of_an_unknown_column_is_a_problem(entry, hint):
    """The message names the column that may be meant."""
    (found,) = find_unknown_removals({"users": entry}, "users", ["email", "traits.phone"])
    assert hint in found


@pytest.mark.parametrize(
    "maps",
    [
        {"users": {"email": None}},
        {"users": {"emial": None, "__else__": None}},
        {"*": {"emial": None}},
        {"events": {"emial": None}},
        {"users": {"new": "email", "__filter__": "email"}},
    ],
)
def test_other_removals_are_no_problem(maps):
    """Known columns, maps that remove all others, patterns of syncs, and other syncs."""
    assert not list(find_unknown_removals(maps, "users", ["email"]))


def test_column_added_under_almost_the_name_of_another_is_doubtful():
    """A misspelt column to be hashed would be sent as it is."""
    maps = {"users": {"emial": "md5(email)", "digest": "md5(email)", "email": "email"}}
    (found,) = find_doubtful_additions(maps, "users", ["email"])
    assert "adds the column `emial`; `email` is still sent" in found
