"""What the tap asks about call types. It knows none itself: another package registers them.

A package registers a function without arguments that returns a `CallTypes`, in the entry-point
group `tap_mssql_query.call_types`. Of several the first by name is used.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from program_kit.findings import Finding

GROUP = "tap_mssql_query.call_types"


class CallTypes(Protocol):
    """Every call type that a sync's `type` may name."""

    def names(self) -> Sequence[str]:
        """The names of all call types, sorted."""

    def is_event(self, call_type: str) -> bool:
        """Whether calls of this type are events, whose order matters. True for an unknown name."""

    def keeps_order(self, call_type: str, partition_column: str) -> bool:
        """Whether events keep their order when ranges of this column are delivered in any order.

        True for a type that is not an event; False for an unknown name, unless the column is an id
        that orders calls.
        """

    def check_columns(
        self, columns: Sequence[str], call_type: str, *, may_be_completed_later: bool
    ) -> Iterable[Finding]:
        """Findings about a result with these columns, sent as calls of a known type.

        `may_be_completed_later` says that stream maps may add what is missing.
        """


class CallTypesUnavailable(Exception):  # noqa: N818 - not an error of the tap's user
    """Nothing is known about call types; the message says why."""


def load_call_types(entries: Iterable[EntryPoint] | None = None) -> CallTypes:
    """Load the registered call types. Raises CallTypesUnavailable."""
    found = entry_points(group=GROUP) if entries is None else entries
    for entry in sorted(found, key=lambda entry: (entry.name, entry.value)):
        try:
            call_types: CallTypes = entry.load()()
        except Exception as error:
            raise CallTypesUnavailable(str(error) or type(error).__name__) from error
        return call_types
    raise CallTypesUnavailable(f"No installed package registers `{GROUP}`.")
