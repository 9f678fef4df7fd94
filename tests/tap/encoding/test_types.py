"""Every SQL Server type through both readers: the same bytes, which follow the contract."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from sandbox.sql_server.canned import CannedResult
from sandbox.sql_server.results import Column, SqlType
from tests.tap.conftest import TAP

TYPES: dict[str, tuple[str, str, str]] = {
    "bit": ("bit", "1", "true"),
    "tinyint": ("tinyint", "255", "255"),
    "smallint": ("smallint", "-32768", "-32768"),
    "int": ("int", "2147483647", "2147483647"),
    "bigint": ("bigint", "-9223372036854775808", "-9223372036854775808"),
    "decimal": ("decimal(12,2)", "31.50", "31.50"),
    "decimal_38": (
        "decimal(38,10)",
        "CAST('1234567890123456789012345678.0123456789' AS decimal(38,10))",
        "1234567890123456789012345678.0123456789",
    ),
    "decimal_small": ("decimal(38,10)", "0.0000000001", "0.0000000001"),
    "numeric_0": (
        "numeric(38,0)",
        "CAST('99999999999999999999999999999999999999' AS numeric(38,0))",
        "9" * 38,
    ),
    "money": ("money", "-922337203685477.5808", "-922337203685477.5808"),
    "smallmoney": ("smallmoney", "214748.3647", "214748.3647"),
    "float": ("float", "1.5e300", "1.5e+300"),
    "float_third": ("float", "CAST(1 AS float) / 3", "0.3333333333333333"),
    "real": ("real", "0.1", "0.1"),
    "date": ("date", "'2026-01-02'", '"2026-01-02"'),
    "date_first": ("date", "'0001-01-01'", '"0001-01-01"'),
    "time": ("time(6)", "'03:04:05.123456'", '"03:04:05.123456"'),
    "datetime": ("datetime", "'2026-01-02T03:04:05.007'", '"2026-01-02T03:04:05.007000Z"'),
    "smalldatetime": ("smalldatetime", "'2026-01-02T03:04:00'", '"2026-01-02T03:04:00Z"'),
    "datetime2": ("datetime2(6)", "'2026-01-02T03:04:05.123456'", '"2026-01-02T03:04:05.123456Z"'),
    "datetime2_last": ("datetime2(0)", "'9999-12-31T23:59:59'", '"9999-12-31T23:59:59Z"'),
    "datetimeoffset": (
        "datetimeoffset(3)",
        "'2026-01-02T03:04:05.123+02:00'",
        '"2026-01-02T01:04:05.123000Z"',
    ),
    "char": ("char(5)", "'ab'", '"ab   "'),
    "varchar": ("varchar(20)", "'café'", '"café"'),
    "varchar_max": (
        "varchar(max)",
        "REPLICATE(CAST('x' AS varchar(max)), 20000)",
        f'"{"x" * 20000}"',
    ),
    "nchar": ("nchar(3)", "N'設'", '"設  "'),
    "nvarchar": ("nvarchar(20)", "N'Zoë 🚀'", '"Zoë 🚀"'),
    "nvarchar_empty": ("nvarchar(20)", "N''", '""'),
    "nvarchar_quotes": ("nvarchar(20)", "N'a\"b\\c''d'", '"a\\"b\\\\c\'d"'),
    "nvarchar_max": (
        "nvarchar(max)",
        "REPLICATE(CAST(N'設' AS nvarchar(max)), 9000)",
        f'"{"設" * 9000}"',
    ),
    "ntext": ("ntext", "N'long'", '"long"'),
    "text": ("text", "'long'", '"long"'),
    "binary": ("binary(4)", "0x00FF10", '"AP8QAA=="'),
    "varbinary": ("varbinary(10)", "0x00FF", '"AP8="'),
    "varbinary_max": ("varbinary(max)", "0x", '""'),
    "image": ("image", "0x01", '"AQ=="'),
    "uniqueidentifier": (
        "uniqueidentifier",
        "'a1b2c3d4-0000-1111-2222-333344445555'",
        '"A1B2C3D4-0000-1111-2222-333344445555"',
    ),
    "xml": ("xml", "N'<a>1</a>'", '"<a>1</a>"'),
}


@pytest.fixture(scope="module")
def lines(connection, run_sql, tmp_path_factory):
    """The RECORD lines of one row of values and one of NULLs, by reader."""
    columns = ", ".join(f"[{name}] {declared} NULL" for name, (declared, _, _) in TYPES.items())
    run_sql("DROP TABLE IF EXISTS retl_test_every_type")
    run_sql(f"CREATE TABLE retl_test_every_type ({columns})")
    values = ", ".join(value for _, value, _ in TYPES.values())
    run_sql(f"INSERT INTO retl_test_every_type VALUES ({values})")
    run_sql(f"INSERT INTO retl_test_every_type VALUES ({', '.join(['NULL'] * len(TYPES))})")
    return {reader: _run(connection, reader, tmp_path_factory) for reader in ("arrow", "odbc")}


def _run(connection, reader: str, tmp_path_factory, **settings: Any) -> list[bytes]:
    sync = {"name": "s", "type": "identify", "query": "SELECT * FROM retl_test_every_type"}
    config = {**connection, "reader": reader, "syncs": [sync], **settings}
    path = tmp_path_factory.mktemp("types") / "tap.json"
    path.write_text(json.dumps(config))
    done = subprocess.run([TAP, "--config", path], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return [line for line in done.stdout.splitlines() if b'"RECORD"' in line]


def test_both_readers_give_the_same_bytes(lines):
    """The output does not depend on the reader."""
    assert lines["arrow"] == lines["odbc"]
    assert len(lines["arrow"]) == 2


def test_stream_map_that_changes_nothing_gives_the_same_bytes(lines, connection, tmp_path_factory):
    """A stream map that changes nothing gives the same bytes, although records pass one by one."""
    stream_maps = {"s": {"__filter__": "bool(1)"}}

    mapped = _run(connection, "arrow", tmp_path_factory, stream_maps=stream_maps)

    assert mapped == lines["arrow"]


@pytest.mark.parametrize("name", TYPES)
def test_value_follows_the_contract(lines, name):
    """Each type has its one form."""
    text = lines["arrow"][0].decode()

    assert f'"{name}":{TYPES[name][2]}' in text


def test_null_is_null(lines):
    """NULL of every type is null."""
    record: dict[str, Any] = json.loads(lines["arrow"][1])["record"]

    assert record == dict.fromkeys(TYPES)


@pytest.mark.parametrize("reader", ["arrow", "odbc"])
def test_lone_surrogate_is_replaced(run_tap, config, reader):
    """Half an emoji of a truncated text becomes U+FFFD and stops nothing."""
    sync = {"name": "s", "type": "identify", "query": "SELECT N'a' + NCHAR(0xD83D) + N'b' AS x"}

    run = run_tap({**config, "reader": reader, "syncs": [sync]})

    assert run.records("s") == [{"x": "a\ufffdb"}]
    assert "1 texts contain U+FFFD" in run.log


@pytest.mark.parametrize("reader", ["arrow", "odbc"])
@pytest.mark.parametrize("value", ["1", "N'x'", "NULL"])
def test_type_that_no_driver_reads_is_refused(run_tap, config, reader, value):
    """sql_variant fails the sync with a remedy, rather than giving wrong values."""
    query = f"SELECT CAST(N'y' AS sql_variant) AS v UNION ALL SELECT CAST({value} AS sql_variant)"

    run = run_tap(
        {**config, "reader": reader, "syncs": [{"name": "s", "type": "identify", "query": query}]}
    )

    assert (run.exit_code, run.records("s")) == (3, [])
    assert "sql_variant; CAST it" in run.log


@pytest.mark.parametrize("reader", ["arrow", "odbc"])
def test_value_of_a_hundred_megabytes_passes(run_tap, config, server, reader):
    """A (max) column may have any length."""
    columns = [Column("big", SqlType("nvarchar", None)), Column("n", SqlType("int"))]
    server.canned["SELECT big"] = CannedResult.build(columns, [("\u00e9" * 50_000_000, 7)])

    sync = {"name": "s", "type": "identify", "query": "SELECT big"}
    run = run_tap({**config, "reader": reader, "syncs": [sync]})

    (record,) = run.records("s")
    assert (len(record["big"]), record["n"]) == (50_000_000, 7)


@pytest.mark.parametrize("reader", ["arrow", "odbc"])
def test_rows_of_many_blocks_arrive_whole_and_in_order(run_tap, config, server, reader):
    """Blocks of several lengths, encoded in slices, give each row once and in order."""
    columns = [Column("n", SqlType("int")), Column("text", SqlType("nvarchar", 20))]
    rows = [(number, f"Zoë {number}") for number in range(25_000)]
    server.canned["SELECT many"] = CannedResult.build(columns, rows)

    sync = {"name": "s", "type": "identify", "query": "SELECT many"}
    run = run_tap({**config, "reader": reader, "syncs": [sync]})

    assert [(record["n"], record["text"]) for record in run.records("s")] == rows


def test_first_run_of_a_query_names_texts_that_the_driver_gets_wrong(run_tap, config, server):
    """Simplified Chinese beside a long column; once, since the next run has the same query."""
    chinese = SqlType("varchar", 20, collation="Chinese_PRC_CI_AS")
    columns = [Column("userId", chinese), Column("d", SqlType("nvarchar", None))]
    server.canned["SELECT cities"] = CannedResult.build(columns, [("x", "y")])
    config["syncs"] = [{"name": "s", "type": "identify", "query": "SELECT cities"}]

    first = run_tap(config)
    second = run_tap(config, state=first.state)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "CAST(userId AS nvarchar(4000))" in first.log
    assert "CAST" not in second.log


@pytest.mark.parametrize("reader", ["arrow", "odbc"])
@pytest.mark.parametrize("rows", ["", " WHERE 1 = 0"])
def test_schema_of_a_date_time_without_a_value_says_so(run_tap, config, reader, rows):
    """The odbc driver does not tell a datetimeoffset(0) from a text of the same size."""
    query = (
        "SELECT CAST(NULL AS datetimeoffset(0)) AS at, CAST(NULL AS nvarchar(26)) AS text, "
        f"CAST(N'' AS nvarchar(26)) AS empty{rows}"
    )
    sync = {"name": "s", "type": "identify", "query": query}

    run = run_tap({**config, "reader": reader, "syncs": [sync]})

    (schema,) = run.of_type("SCHEMA")
    found = {name: s.get("format") for name, s in schema["schema"]["properties"].items()}
    assert found == {"at": "date-time", "text": None, "empty": None}
    assert run.exit_code == 0
