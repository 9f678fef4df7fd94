"""The settings of the baselines: the tap's configuration file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_settings(path: str) -> tuple[dict[str, Any], str]:
    """A tap's settings and the query of its only sync."""
    settings = json.loads(Path(path).read_text(encoding="utf-8"))
    return settings, settings["syncs"][0]["query"]


def connection_string(settings: dict[str, Any]) -> str:
    """The ODBC connection string of these settings, without a driver."""
    trusts = "yes" if settings.get("trust_server_certificate") else "no"
    keywords = {
        "SERVER": f"{settings['host']},{settings['port']}",
        "DATABASE": settings["database"],
        "UID": settings["username"],
        "PWD": "{" + settings["password"].replace("}", "}}") + "}",
        "Encrypt": settings.get("encrypt", "yes"),
        "TrustServerCertificate": trusts,
    }
    return ";".join(f"{key}={value}" for key, value in keywords.items())
