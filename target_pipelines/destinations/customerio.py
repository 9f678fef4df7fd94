"""Customer.io Data Pipelines. Source: its OpenAPI description and SDKs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_pipelines.destinations.http import HttpProfile
from target_pipelines.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_pipelines.settings import TargetSettings


def _headers(settings: TargetSettings) -> Mapping[str, str]:
    # Without it a faulty call is answered 200 and thrown away.
    return {"X-Strict-Mode": "1"} if settings.strict else {}


PROFILE = HttpProfile(
    name="customerio",
    base_urls={"us": "https://cdp.customer.io/v1", "eu": "https://cdp-eu.customer.io/v1"},
    call_max_bytes=32 * 1024,
    batch_max_bytes=500 * 1024,
    requests_per_second=1000,  # 3,000 in 3 s
    headers=_headers,
)


@hookimpl
def register_destinations(register: Any) -> None:
    """Offer `customerio`."""
    register(PROFILE.as_destination())
