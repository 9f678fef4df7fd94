"""Opens a pyodbc connection as the tap does."""

from __future__ import annotations

from typing import Any

import pyodbc

from benchmarks.baselines.settings import connection_string
from tap_mssql_query.mssql.odbc_drivers import find_odbc_driver


def connect_odbc(settings: dict[str, Any]) -> pyodbc.Connection:
    """A pyodbc connection with the ODBC driver that the tap would choose."""
    pyodbc.pooling = False
    driver = find_odbc_driver(list(pyodbc.drivers()))
    text = f"DRIVER={{{driver}}};{connection_string(settings)}"
    return pyodbc.connect(text, autocommit=True)
