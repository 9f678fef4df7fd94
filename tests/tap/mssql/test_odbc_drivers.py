from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tap_mssql_query import mssql
from tap_mssql_query.errors import ConfigurationError
from tap_mssql_query.mssql import odbc_drivers
from tap_mssql_query.mssql.connect import choose_driver
from tap_mssql_query.mssql.odbc_drivers import INSTALL_COMMAND, find_odbc_driver, is_freetds
from tap_mssql_query.settings.model import parse_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

MICROSOFT = ["ODBC Driver 17 for SQL Server", "ODBC Driver 18 for SQL Server"]


def _settings(reader: str):
    sync = {"name": "s", "type": "identify", "query": "SELECT 1"}
    settings = parse_settings({"host": "h", "reader": reader, "syncs": [sync]})
    return settings.syncs[0].database, settings


def test_newest_registered_driver_comes_first():
    """The newest registered driver of Microsoft is preferred."""
    assert find_odbc_driver(["SQLite3", "FreeTDS", *MICROSOFT]) == MICROSOFT[1]


def test_bundled_driver_comes_next():
    """The driver bundled with mssql-python is preferred to FreeTDS."""
    assert "libmsodbcsql" in find_odbc_driver(["FreeTDS"])


def test_freetds_is_the_last_resort(monkeypatch):
    """Without Microsoft's driver FreeTDS is used, with its own keywords."""
    monkeypatch.setattr(odbc_drivers, "_bundled_drivers", list)

    assert is_freetds(find_odbc_driver(["SQLite3", "FreeTDS"]))


def test_no_driver_is_a_configuration_error(monkeypatch):
    """The message says how to install one."""
    monkeypatch.setattr(odbc_drivers, "_bundled_drivers", list)
    monkeypatch.setattr(odbc_drivers, "_FREETDS", ())

    with pytest.raises(ConfigurationError, match="pip install mssql-python-odbc"):
        find_odbc_driver([])


def _remove(monkeypatch, libraries: Sequence[str]) -> None:
    """Let the import of libraries fail, also if the drivers were loaded before."""
    for name in libraries:
        monkeypatch.setitem(sys.modules, name, None)
    for driver in ("driver_mssql_python", "driver_pyodbc"):
        monkeypatch.delitem(sys.modules, f"{mssql.__name__}.{driver}", raising=False)
        monkeypatch.delattr(mssql, driver, raising=False)


@pytest.mark.parametrize(
    ("reader", "missing"),
    [("arrow", ["mssql_python"]), ("odbc", ["pyodbc"]), ("auto", ["mssql_python", "pyodbc"])],
)
def test_missing_library_names_the_command_that_installs_it(monkeypatch, reader, missing):
    """The error for a missing native library says how to install it."""
    _remove(monkeypatch, missing)

    with pytest.raises(ConfigurationError) as caught:
        choose_driver(*_settings(reader))

    assert INSTALL_COMMAND in str(caught.value)


def test_auto_falls_back_to_odbc(monkeypatch):
    """If the fast reader cannot be loaded, the compatible one is used."""
    _remove(monkeypatch, ["mssql_python"])

    _, keywords = choose_driver(*_settings("auto"))

    assert "Driver" in keywords
