"""Replaces functions of the programs by reference, so that mypy sees a rename before a test does.

For the processes that these tests start, and for the state machine. A function is found by
identity in the module or class that looks it up, which need not be the one that defines it.
"""

from __future__ import annotations

import builtins
import contextlib
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Replacements(contextlib.ExitStack):
    """Replaces, and puts back when the context ends. Each method changes something or fails."""

    def replace(self, owner: object, original: object, replacement: object) -> None:
        """Bind `replacement` where `owner`, a module or a class, holds `original`.

        Raises LookupError if it does not: replacing would change nothing.
        """
        self._set(owner, find_name(owner, original), replacement)

    def override(self, user: ModuleType, module: ModuleType, **functions: object) -> None:
        """Let one module see another one with some functions replaced.

        Raises LookupError if `user` does not import `module`, AttributeError if there is no such
        function.
        """
        for name, value in vars(user).items():
            if value is module or (isinstance(value, _Overridden) and value.original is module):
                self._set(user, name, _Overridden(module, value, functions))
                return
        raise LookupError(f"{user.__name__} does not import {module.__name__}")

    def shadow_builtin(
        self, user: ModuleType, original: Callable[..., Any], replacement: Callable[..., Any]
    ) -> None:
        """Give a module its own version of a builtin. Raises LookupError if its code uses none."""
        name = find_name(builtins, original)
        if not any(name in code.co_names for code in _code_of(user)):
            raise LookupError(f"{user.__name__} does not call {name}")
        self._set(user, name, replacement)

    def _set(self, owner: object, name: str, value: object) -> None:
        if name in vars(owner):
            self.callback(setattr, owner, name, vars(owner)[name])
        else:
            self.callback(delattr, owner, name)
        setattr(owner, name, value)


def find_name(owner: object, original: object) -> str:
    """The name under which a module or class holds an object. Raises LookupError."""
    for name in dir(owner):
        if getattr(owner, name, None) is original:
            return name
    raise LookupError(f"{owner} does not hold {original}")


class _Overridden:
    """A module in which some functions are replaced; all else is what it was."""

    def __init__(self, original: ModuleType, module: object, functions: dict[str, object]) -> None:
        for name in functions:
            getattr(original, name)
        self.original = original
        self._module = module
        vars(self).update(functions)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def _code_of(module: ModuleType) -> Iterator[CodeType]:
    """The code of all functions and methods that a module defines."""
    for value in vars(module).values():
        members = vars(value).values() if isinstance(value, type) else [value]
        for member in members:
            if isinstance(member, FunctionType) and member.__module__ == module.__name__:
                yield from _with_nested(member.__code__)


def _with_nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _with_nested(constant)
