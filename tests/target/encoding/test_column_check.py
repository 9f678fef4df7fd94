"""What `--check` says of the columns of a call type."""

from __future__ import annotations

import pytest

from target_pipelines.encoding.column_check import InstalledCallTypes
from target_pipelines.plugins.loading import built_in_entry_points, load_plugins

CALL_TYPES = InstalledCallTypes(load_plugins(entries=built_in_entry_points()).call_types)


@pytest.mark.parametrize(
    ("call_type", "columns", "message"),
    [
        (
            "identify",
            ["userId", "integrations.All", "integrations.Some.Vendor"],
            "Integrations: All, Some.Vendor.",
        ),
        (
            "group",
            ["groupId", "relationshipAttributes.role", "relationshipattributes.since"],
            "Attributes of the relationship: role, since.",
        ),
    ],
)
def test_check_says_what_becomes_of_columns_with_a_prefix(call_type, columns, message):
    """Integrations and attributes of a relationship are not taken for traits."""
    found = CALL_TYPES.check_columns(columns, call_type, may_be_completed_later=False)
    assert message in [finding.message for finding in found]


def test_check_says_nothing_of_a_relationship_in_an_event():
    """There the columns are properties like any other."""
    columns = ["userId", "event", "relationshipAttributes.role"]
    found = CALL_TYPES.check_columns(columns, "track", may_be_completed_later=False)
    assert [finding.message for finding in found] == ["Ids: userId."]
