"""A registry of one kind of thing that plugins register, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from target_pipelines.api.errors import PluginError
from target_pipelines.plugins.attributes import check_attributes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_pipelines.plugins.attributes import Expectation


class _Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=_Named)


class Registry(Generic[T]):
    """Call types, or destinations, by name, each with its plugin."""

    def __init__(self, kind: type[T], noun: str, expected: Mapping[str, Expectation]) -> None:
        self._kind = kind
        self._expected = expected
        self._noun = noun
        self._entries: dict[str, tuple[T, str]] = {}

    def add(self, registered: Any, plugin: str) -> None:
        """Register one. Raises PluginError if it is invalid, or if its name is taken."""
        if not isinstance(registered, self._kind):
            raise PluginError(
                f'Plugin "{plugin}" registered a {type(registered).__name__}, not a '
                f"{self._kind.__name__}. Correct it, or block it with `blocked_plugins`."
            )
        check_attributes(registered, self._expected, plugin)
        if registered.name in self._entries:
            raise PluginError(
                f'{self._noun} "{registered.name}" is offered by two plugins, '
                f'"{self.plugin_of(registered.name)}" and "{plugin}". Block one with '
                "`blocked_plugins`."
            )
        self._entries[registered.name] = (registered, plugin)

    def __getitem__(self, name: str) -> T:
        return self._entries[name][0]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._entries)

    def plugin_of(self, name: str) -> str:
        """The plugin that registered this name."""
        return self._entries[name][1]
