"""Old names of the public API: they still work, with a DeprecationWarning."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def renamed_attributes(module: str, new_names: Mapping[str, str]) -> Callable[[str], Any]:
    """A `__getattr__` for a module that resolves old names to new ones and warns."""

    def get_attribute(name: str) -> Any:
        if name not in new_names:
            raise AttributeError(f'module "{module}" has no attribute "{name}"')
        new_name = new_names[name]
        message = f"`{module}.{name}` is deprecated; use `{module}.{new_name}`"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return getattr(sys.modules[module], new_name)

    return get_attribute
