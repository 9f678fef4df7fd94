"""Finds the ODBC driver for the reader `odbc`, and the command that installs what is missing."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from tap_mssql_query.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

INSTALL_COMMAND = "apt-get install unixodbc libltdl7 libgssapi-krb5-2"
"""Installs, on Debian and Ubuntu, the system libraries that both readers need."""

_FREETDS = ("/usr/lib/x86_64-linux-gnu/odbc/libtdsodbc.so", "/usr/lib/odbc/libtdsodbc.so")


def find_odbc_driver(registered: Sequence[str]) -> str:
    """A registered Microsoft driver, else the one inside mssql-python's wheels, else FreeTDS.

    Args:
        registered: the names that the driver manager knows.

    Raises:
        ConfigurationError: there is none; the message says how to install one.
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
            "mssql-python-odbc`, or name yours in `odbc_driver`."
        )
    return found[0]


def is_freetds(driver: str) -> bool:
    """Whether a driver's name or path is that of FreeTDS, whose keywords differ."""
    return "tdsodbc" in driver or driver == "FreeTDS"


def missing_library(reader: str, error: ImportError) -> ConfigurationError:
    """What to say when a reader's native part cannot be loaded."""
    return ConfigurationError(
        f"The reader `{reader}` cannot be loaded: {error}. Its system libraries are installed with "
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
