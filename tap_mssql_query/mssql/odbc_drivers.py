"""Finds the ODBC driver for the reader `odbc`, and says how to install what is missing."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from tap_mssql_query.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

INSTALL_COMMAND = "apt-get install unixodbc libltdl7 libgssapi-krb5-2"
"""Installs the system libraries of both readers on Debian and Ubuntu."""

_FREETDS = ("/usr/lib/x86_64-linux-gnu/odbc/libtdsodbc.so", "/usr/lib/odbc/libtdsodbc.so")


def find_odbc_driver(registered: Sequence[str]) -> str:
    """The registered Microsoft driver, else the one bundled with mssql-python, else FreeTDS.

    Args:
        registered: the names of the drivers that the driver manager lists.

    Raises:
        ConfigurationError: none was found; the message says how to install one.
    """
    microsoft = [name for name in registered if name.endswith("for SQL Server")]
    freetds = [name for name in registered if name == "FreeTDS"]
    found = [
        *sorted(microsoft, reverse=True),
        *map(str, _bundled_drivers()),
        *freetds,
        *(path for path in _FREETDS if Path(path).exists()),
    ]
    if not found:
        raise ConfigurationError(
            "No ODBC driver for SQL Server was found. Install one with `pip install "
            "mssql-python-odbc`, or set `odbc_driver`."
        )
    return found[0]


def is_freetds(driver: str) -> bool:
    """Whether a driver's name or path is that of FreeTDS, which has other keywords."""
    return "tdsodbc" in driver or driver == "FreeTDS"


def missing_library_error(reader: str, error: ImportError) -> ConfigurationError:
    """The error for a reader whose native library cannot be loaded."""
    return ConfigurationError(
        f"The reader `{reader}` cannot be loaded: {error}. Install its system libraries with "
        f"`{INSTALL_COMMAND}`."
    )


def _bundled_drivers() -> list[Path]:
    spec = importlib.util.find_spec("mssql_python_odbc")
    folders = spec.submodule_search_locations if spec else None
    return sorted(
        path
        for folder in folders or ()
        for path in Path(folder).glob("libs/linux/debian_ubuntu/*/lib/libmsodbcsql*.so*")
    )
