from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from acme_bulk import PROFILE, classify, reshape

from target_pipelines import Fatal, PartlyRejected, Rejected, Retry
from target_pipelines.testing import check_plugin, get_destination_test_class

OPTIONS = {"acme_project": "shop", "api_secret": None}

TestAcmeBulk = get_destination_test_class(PROFILE.as_destination(), destination_options=OPTIONS)


def test_plugin_can_be_loaded():
    """Its hooks and names are right."""
    check_plugin("acme_bulk")


def test_call_is_reshaped():
    """What is not about the envelope goes to `data`."""
    call = {"messageId": "m", "type": "track", "userId": "7", "event": "e"}

    assert reshape(call) == {"id": "m", "op": "track", "who": "7", "data": {"event": "e"}}


def _classify(*statuses: int):
    body = json.dumps({"items": [{"status": status} for status in statuses]})
    return classify(207, {"Retry-After": "3"}, body.encode(), now=datetime.now(UTC))


def test_refused_items_become_dead_letters():
    """The other items are delivered."""
    refused = Rejected("HTTP 422 for this item", 422)

    assert _classify(201, 422, 200) == PartlyRejected({1: refused}, count=3)
    assert _classify(201) == PartlyRejected({}, count=1)


@pytest.mark.parametrize("status", [429, 503])
def test_busy_item_repeats_the_request(status):
    """The API recognises the ids of the items that it has."""
    assert _classify(201, status) == Retry("HTTP 207", 3.0)


def test_other_body_stops_the_run():
    """Nothing counts as delivered without a status for each item."""
    assert isinstance(classify(207, {}, b"<html>", now=datetime.now(UTC)), Fatal)
