"""What plugins have registered under a name, each with the plugin that offers it."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

from target_pipelines.api.errors import PluginError


class _Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=_Named)


class Registry(Generic[T]):
    """Offers of one kind, by name."""

    def __init__(self, kind: type[T], noun: str) -> None:
        self._kind = kind
        self._noun = noun
        self._entries: dict[str, tuple[T, str]] = {}

    def add(self, offered: Any, plugin: str) -> None:
        """Register what a plugin offers. Raises PluginError if it is no such thing, or taken."""
        if not isinstance(offered, self._kind):
            raise PluginError(
                f'Plugin "{plugin}" registered a {type(offered).__name__}, not a '
                f"{self._kind.__name__}. Correct it, or block it with `blocked_plugins`."
            )
        if not (isinstance(offered.name, str) and offered.name):
            raise PluginError(
                f'Plugin "{plugin}" registered a {self._kind.__name__} whose name is no text. '
                "Correct it, or block it with `blocked_plugins`."
            )
        if offered.name in self._entries:
            raise PluginError(
                f'{self._noun} "{offered.name}" is offered by two plugins, '
                f'"{self.plugin_of(offered.name)}" and "{plugin}". Block one with '
                "`blocked_plugins`."
            )
        self._entries[offered.name] = (offered, plugin)

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
        """The plugin that offers it."""
        return self._entries[name][1]
