from __future__ import annotations

import builtins
import os
import sys

import pytest

from tests.reliability.replacements import Replacements, find_name

THIS_MODULE = sys.modules[__name__]


class _Parent:
    def speak(self) -> str:
        return "parent"


class _Child(_Parent):
    pass


def _largest(numbers: list[int]) -> int:
    return max(numbers)


def test_replacement_ends_with_its_context():
    """A function that was replaced is back afterwards, and nothing is left in a subclass."""
    with Replacements() as code:
        code.replace(_Child, _Child.speak, lambda _self: "other")
        assert (_Child().speak(), _Parent().speak()) == ("other", "parent")

    assert _Child().speak() == "parent"
    assert "speak" not in vars(_Child)


def test_function_is_found_where_it_is_looked_up():
    """A module that imports a function has it under a name of its own."""
    assert find_name(THIS_MODULE, find_name) == "find_name"


def test_overrides_of_a_module_add_up():
    """A second override of the same module keeps the first."""
    with Replacements() as code:
        code.override(THIS_MODULE, os, getpid=lambda: -1)
        code.override(THIS_MODULE, os, getppid=lambda: -2)
        seen = (os.getpid(), os.getppid(), os.sep)

    assert seen == (-1, -2, "/")
    assert os.getpid() > 0


def test_builtin_is_shadowed_in_one_module():
    """Only the module's own calls see the replacement."""
    with Replacements() as code:
        code.shadow_builtin(THIS_MODULE, max, min)
        assert _largest([1, 2]) == 1

    assert _largest([1, 2]) == 2


def test_replacing_what_is_not_there_fails():
    """A guard that the program no longer has is not removed in silence."""
    import ast

    code = Replacements()

    with pytest.raises(LookupError, match="does not hold"):
        code.replace(_Child, os.getpid, None)
    with pytest.raises(LookupError, match="does not import"):
        code.override(THIS_MODULE, ast, parse=None)
    with pytest.raises(AttributeError):
        code.override(THIS_MODULE, os, no_such_function=None)
    with pytest.raises(LookupError, match="does not call"):
        code.shadow_builtin(THIS_MODULE, vars(builtins)["pow"], min)
