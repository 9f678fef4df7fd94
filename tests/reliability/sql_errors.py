"""SQL Server errors by number and phase: retried or not, and never a premature STATE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.sql_server.faults import AnswerError, Fault, RefuseLogin
from sandbox.sql_server.results import SqlError
from tests.reliability.registry import Outcome, Soak, SoakRow, run_cases
from tests.reliability.shop_servers import (
    ShopServers,
    bookmarks,
    ids,
    judge_run,
    tap_config,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sandbox.sql_server.server import SqlServer
    from tests.reliability.single_runs import ProgramResult, Programs

_THREADS = 3
ROWS = 3000
# Texts of sys.messages, shortened.
TRANSIENT = {
    64: "A connection was established with the server, but then an error occurred.",
    121: "The semaphore timeout period has expired.",
    233: "The client was unable to establish a connection.",
    1204: "The SQL Server Database Engine cannot obtain a LOCK resource at this time.",
    1205: "Transaction (Process ID 52) was deadlocked on lock resources with another process.",
    1222: "Lock request time out period exceeded.",
    4221: "Login to read-secondary failed due to long wait on 'HADR_DATABASE_WAIT'.",
    10053: "A transport-level error has occurred when receiving results from the server.",
    10054: "A transport-level error has occurred when sending the request to the server.",
    10060: "A network-related or instance-specific error occurred.",
    10928: "Resource ID: 1. The request limit for the database is 90 and has been reached.",
    10929: "Resource ID: 1. The request minimum guarantee is 0, maximum limit is 90.",
    40197: "The service has encountered an error processing your request. Please try again.",
    40501: "The service is currently busy. Retry the request after 10 seconds.",
    40613: "Database 'shop' on server 'db' is not currently available.",
    41301: "A previous transaction that the current transaction took a dependency on has aborted.",
    41302: "The current transaction attempted to update a record that has been updated since.",
    41305: "The current transaction failed to commit due to a repeatable read validation failure.",
    41325: "The current transaction failed to commit due to a serializable validation failure.",
    41839: "Transaction exceeded the maximum number of commit dependencies.",
    49918: "Cannot process request. Not enough resources to process request.",
    49919: "Cannot process create or update request. Too many create or update operations.",
    49920: "Cannot process request. Too many operations in progress for subscription.",
}
PERMANENT = {
    102: "Incorrect syntax near 'x'.",
    207: "Invalid column name 'canary-4711'.",
    208: "Invalid object name 'x'.",
    229: "The SELECT permission was denied on the object 'x', database 'shop', schema 'dbo'.",
    245: "Conversion failed when converting the nvarchar value 'canary-4711' to data type int.",
    547: "The statement conflicted with the constraint 'x'.",
    701: "There is insufficient system memory in resource pool 'default' to run this query.",
    823: "The operating system returned error 23 to SQL Server during a read.",
    8115: "Arithmetic overflow error converting expression to data type int.",
    8134: "Divide by zero error encountered.",
    4060: "Cannot open database 'shop' requested by the login. The login failed.",
    18456: "Login failed for user 'reader'.",
    916: "The server principal 'x' is not able to access the database under this context.",
    50000: "Raised by a trigger for 'canary-4711'.",
}
REFUSED = (916, 4060, 18456)
PHASES = {"before rows": 0, "between rows": 1500, "after rows": ROWS}

# Numbers of network errors, in a driver's words; mssql-python reports only the words, which
# test_network_sql.py covers.
OF_THE_NETWORK = {64, 121, 233, 10053, 10054, 10060}
READERS = ("arrow", "odbc")
ALL = {**TRANSIENT, **PERMANENT}
CELLS = [
    (number, phase, reader)
    for turn, reader in enumerate(READERS)
    for place, number in enumerate(ALL)
    for phase in [list(PHASES)[(place + turn + turns) % 3] for turns in range(3)]
    if reader == "odbc" or number not in OF_THE_NETWORK
]
"""In an order in which evenly spaced ones cover all numbers, phases and readers."""

LOGINS = [
    (number, reader)
    for number in ALL
    for reader in READERS
    if reader == "odbc" or number not in OF_THE_NETWORK
]


def _run(programs: Programs, server: SqlServer, reader: str, *faults: Fault) -> ProgramResult:
    server.faults.clear()
    server.faults.add(*faults)
    return programs.run_tap(tap_config(server.port, reader, "id"))


def _assert_read(run: ProgramResult) -> None:
    """All rows were read once, after one retry, and the bookmark moved."""
    assert run.exit_code == 0, run.log
    assert run.log.count("Trying again") == 1
    assert ids(run, "a_users") == list(range(ROWS))
    assert bookmarks(run) == {"a_users", "b_others"}


def _assert_failed(run: ProgramResult, moved: set[str]) -> None:
    """It was tried once; only the bookmarks of `moved` syncs moved; no row value was logged."""
    assert run.exit_code == 3, run.log
    assert "Trying again" not in run.log
    assert bookmarks(run) == moved
    assert "canary-4711" not in run.log or "Invalid column name" in run.log


def fail_query(
    programs: Programs, server: SqlServer, number: int, phase: str, reader: str
) -> Outcome:
    """A transient error before the rows is retried; any other fails this sync and no other."""
    error = SqlError(number, ALL[number], severity=16)
    fault = AnswerError(error=error, matching="FROM users", after_rows=PHASES[phase])

    run = _run(programs, server, reader, fault)

    if not server.faults.fired:
        return Outcome(was_injected=False, verdict=judge_run(run, ROWS))
    if phase == "before rows" and number not in PERMANENT:
        _assert_read(run)
    else:
        _assert_failed(run, {"b_others"})
    return Outcome(verdict=judge_run(run, ROWS))


def fail_login(programs: Programs, server: SqlServer, number: int, reader: str) -> Outcome:
    """A transient login error is retried; a permanent one fails all syncs of the database."""
    fault = RefuseLogin(error=SqlError(number, ALL[number]))

    run = _run(programs, server, reader, fault)

    if not server.faults.fired:
        return Outcome(was_injected=False, verdict=judge_run(run, ROWS))
    if number in PERMANENT:
        _assert_failed(run, set())
        return Outcome()
    _assert_read(run)
    return Outcome(verdict=judge_run(run, ROWS))


def refuse_logins(programs: Programs, server: SqlServer, number: int, reader: str) -> Outcome:
    """A refused login is tried once in a run, whatever the number of syncs: it locks accounts."""
    fault = RefuseLogin(error=SqlError(number, ALL[number]), times=2)

    run = _run(programs, server, reader, fault)

    _assert_failed(run, set())
    assert len(server.faults.fired) == 1
    return Outcome()


def soak(soak: Soak) -> Iterable[SoakRow]:
    """Each error number in each phase and at the login, for both readers."""
    cases: list[tuple[Callable[..., Outcome], tuple[object, ...]]] = [
        *((fail_query, cell) for cell in CELLS),
        *((fail_login, cell) for cell in LOGINS),
        *((refuse_logins, (number, reader)) for number in REFUSED for reader in READERS),
    ]
    with ShopServers(_THREADS, ROWS) as servers:

        def try_case(case: tuple[Callable[..., Outcome], tuple[object, ...]]) -> Outcome:
            fail, cell = case
            with servers.borrow() as server:
                return fail(soak.make_programs(), server, *cell)

        yield run_cases(soak, "errors of SQL Server", cases, try_case, threads=_THREADS)
