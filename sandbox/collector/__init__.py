"""A vendor's HTTP API, run locally: it records every call and fails on demand.

Stands in for `https://cdp.customer.io/v1`: the six endpoints and `/batch`, Basic authentication,
size limits, strict mode; or for another API in `VENDORS`, a webhook receiver among them.
`GET /calls` and `GET /requests` return what was recorded, `DELETE /calls` clears it, and
`POST /script` sets behaviours from another process.
"""

from __future__ import annotations

from sandbox.collector.behaviour import Behaviour
from sandbox.collector.call_log import Call, Request
from sandbox.collector.server import DEFAULT_WRITE_KEY, Collector
from sandbox.collector.vendors import VENDORS

__all__ = ["DEFAULT_WRITE_KEY", "VENDORS", "Behaviour", "Call", "Collector", "Request"]
