"""What each call type of this distribution makes of a row: one golden file for each.

A file has the smallest call that is valid (`minimal`), an example row (`row`) with every column of
interest, and the call (`call`) that the row becomes, without its messageId.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from target_pipelines.plugins.loading import built_in_entry_points, load_plugins

CALL_TYPES = load_plugins(entries=built_in_entry_points()).call_types
NAMES = CALL_TYPES.names()


def load(name: str) -> dict[str, Any]:
    """The golden file of a call type."""
    path = Path(__file__).with_name("golden") / f"{name}.json"
    golden: dict[str, Any] = json.loads(path.read_text())
    return golden


GOLDEN = {name: load(name) for name in NAMES}
