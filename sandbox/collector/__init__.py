"""A vendor's API over HTTP, for a laptop: it remembers every call and fails on command.

Stands in for `https://cdp.customer.io/v1`: the six endpoints and `/batch`, Basic authentication,
size limits, strict mode; or, as another of `VENDORS`, for their APIs and for a webhook's receiver.
What it remembers is at `GET /calls` and `GET /requests`; `DELETE /calls` forgets it; `POST /script`
takes behaviours from another process.
"""

from __future__ import annotations

from sandbox.collector.behaviour import Behaviour
from sandbox.collector.call_log import Call, Request
from sandbox.collector.server import DEFAULT_WRITE_KEY, Collector
from sandbox.collector.vendors import VENDORS

__all__ = ["DEFAULT_WRITE_KEY", "VENDORS", "Behaviour", "Call", "Collector", "Request"]
