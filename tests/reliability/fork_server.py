"""A process that has loaded both programs and forks them on request: a start costs milliseconds.

As `tests.program_server` does for one program and its console script; these forks can be made to
fail, or to lack a guard.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import TYPE_CHECKING

# What the programs import only when they need it is loaded here, before the first fork.
import jsonschema_rs  # noqa: F401
import mssql_python  # noqa: F401
import pyodbc  # noqa: F401

from tap_mssql_query import tap
from tap_mssql_query.encoding import arrow_columns  # noqa: F401
from tap_mssql_query.sync import row_writer  # noqa: F401
from target_pipelines import command_line
from tests.program_server import serve
from tests.reliability.guards import remove
from tests.reliability.injection import Injection, inject
from tests.reliability.replacements import Replacements

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROGRAMS: Mapping[str, Callable[[], object]] = {"tap": tap.main, "target": command_line.main}


def _main() -> None:
    gc.freeze()
    request = serve(sys.argv[1])
    # A shell starts background jobs with SIGINT ignored, nohup with SIGHUP ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    program, injection = request["program"], Injection(**request["injection"])
    os.chdir(request["folder"])
    sys.argv = [program, *request["arguments"]]
    remove(Replacements(), injection.removed)
    inject(program, injection)
    PROGRAMS[program]()


if __name__ == "__main__":
    _main()
