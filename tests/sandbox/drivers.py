"""The three drivers, each as a function that connects to a server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import mssql_python
import mssql_python_odbc
import pyodbc

from tests.sandbox.fake_engine import PASSWORD

pyodbc.pooling = False
mssql_python.pooling(enabled=False)

Connect = Callable[..., Any]


class Listening(Protocol):
    """A server in this process or another."""

    @property
    def port(self) -> int:
        """Its port on the loopback interface."""


_FREETDS_PLACES = (
    "/usr/lib/x86_64-linux-gnu/odbc/libtdsodbc.so",
    "/usr/lib/aarch64-linux-gnu/odbc/libtdsodbc.so",
    "/usr/lib64/libtdsodbc.so",
)


def _first(paths: list[str]) -> str:
    return next((path for path in paths if Path(path).exists()), "")


ODBC_DRIVER = _first(
    [
        str(path)
        for path in Path(mssql_python_odbc.__file__).parent.glob("libs/linux/*/*/lib/libmsodbcsql*")
    ]
)
FREETDS_DRIVER = _first(list(_FREETDS_PLACES))


def _options(server: Listening, options: dict[str, Any]) -> str:
    chosen = {
        "SERVER": f"127.0.0.1,{server.port}",
        "DATABASE": "shop",
        "UID": "sa",
        "PWD": PASSWORD,
        "Encrypt": "no",
        "TrustServerCertificate": "yes",
        **options,
    }
    return ";".join(f"{key}={value}" for key, value in chosen.items())


def odbc18(
    server: Listening,
    *,
    autocommit: bool = True,
    attributes: dict[int, Any] | None = None,
    **options: Any,
) -> pyodbc.Connection:
    """ODBC Driver 18 through pyodbc; `attributes` are ODBC's, set before connecting."""
    text = f"DRIVER={ODBC_DRIVER};{_options(server, options)}"
    return pyodbc.connect(text, timeout=5, autocommit=autocommit, attrs_before=attributes or {})


def mssql(
    server: Listening,
    *,
    autocommit: bool = True,
    attributes: dict[int, Any] | None = None,
    **options: Any,
) -> Any:
    """ODBC Driver 18 through mssql-python; every query has a timeout of five seconds."""
    text = _options(server, options)
    return mssql_python.connect(text, timeout=5, autocommit=autocommit, attrs_before=attributes)


def freetds(server: Listening, *, autocommit: bool = True, **options: Any) -> pyodbc.Connection:
    """FreeTDS through pyodbc."""
    chosen = {
        "SERVER": "127.0.0.1",
        "PORT": server.port,
        "DATABASE": "shop",
        "UID": "sa",
        "PWD": PASSWORD,
        "TDS_Version": "7.4",
        "ClientCharset": "UTF-8",
        **options,
    }
    text = ";".join(f"{key}={value}" for key, value in chosen.items())
    return pyodbc.connect(f"DRIVER={FREETDS_DRIVER};{text}", timeout=5, autocommit=autocommit)


DRIVERS: dict[str, Connect] = {"odbc18": odbc18, "mssql_python": mssql, "freetds": freetds}
