from __future__ import annotations

import importlib

import pytest

from target_pipelines import Delivered, HttpProfile

OLD_NAMES = [
    ("target_pipelines", "Refused", "Rejected"),
    ("target_pipelines", "Stop", "Fatal"),
    ("target_pipelines", "judge_answer", "classify_response"),
    ("target_pipelines.testing", "MARK", "CANARY"),
    ("target_pipelines.testing", "ODD_VALUES", "EDGE_VALUES"),
    ("target_pipelines.testing", "Received", "ReceivedRequest"),
    ("target_pipelines.testing", "Receiver", "RecordingServer"),
]


@pytest.mark.parametrize(("module", "old", "new"), OLD_NAMES)
def test_old_name_still_works_and_warns(module, old, new):
    """A plugin that uses an old name keeps working, and its author learns the new one."""
    package = importlib.import_module(module)

    with pytest.warns(DeprecationWarning, match=rf"`{module}\.{old}` .*; use `{module}\.{new}`"):
        value = getattr(package, old)

    assert value is getattr(package, new)


@pytest.mark.parametrize("module", ["target_pipelines", "target_pipelines.testing"])
def test_unknown_name_is_an_attribute_error(module):
    """A name that never existed fails as in any module."""
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = importlib.import_module(module).no_such_name


def test_profile_takes_the_old_name_of_classify():
    """A profile that says `judge` still classifies its responses."""

    def judge(status, headers, body, *, now):
        return Delivered()

    with pytest.warns(DeprecationWarning, match="use `classify`"):
        profile = HttpProfile(name="a", call_max_bytes=1, batch_max_bytes=1, judge=judge)

    assert profile.classify is judge
