"""Names of syncs on the command line. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from program_kit.json_schema import nearest_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def find_unknown_names(names: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    """A sentence for each name that no sync has, with the nearest one."""
    for name in names:
        if name not in known:
            near = nearest_name(name, known)
            hint = f"; did you mean {near}?" if near else f". Known are {', '.join(known)}."
            yield f'There is no sync "{name}"{hint}'
