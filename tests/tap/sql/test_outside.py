"""Names that reach outside the database are refused, however they are written."""

from __future__ import annotations

import pytest

from tap_mssql_query.sql.select_only import check_query, find_violations

FUNCTIONS = [
    *("fn_trace_gettable", "fn_trace_getinfo", "fn_xe_file_target_read_file"),
    *("fn_xe_telemetry_blob_target_read_file", "fn_get_audit_file", "fn_get_audit_file_v2"),
    *("fn_dump_dblog", "fn_dump_dblog_xtp", "fn_dblog", "fn_MSxe_read_event_stream"),
    *("dm_os_enumerate_filesystem", "dm_os_enumerate_fixed_drives", "dm_os_file_exists"),
    *("dm_os_volume_stats", "dm_server_registry", "dm_server_services", "fn_available_backups"),
    *("dm_exec_describe_first_result_set", "OPENROWSET", "OPENQUERY", "OPENDATASOURCE"),
    *("xp_cmdshell", "xp_dirtree", "xp_fileexist", "xp_regread", "xp_instance_regread"),
    *("sp_OACreate", "sp_OAMethod", "sp_invoke_external_rest_endpoint", "sp_executesql"),
]
WRITINGS = {
    "plain": "SELECT * FROM {}('x', 1) AS r",
    "schema": "SELECT * FROM sys.{}('x', 1) AS r",
    "brackets": "SELECT * FROM [sys].[{}] ('x', 1) AS r",
    "quotes": 'SELECT * FROM "master"."sys"."{}"(\'x\', 1) AS r',
    "database": "SELECT * FROM master..{}('x', 1) AS r",
    "colons": "SELECT * FROM ::{}('x', 1) AS r",
    "comments": "SELECT * FROM sys /**/ . -- x\n {}/* */('x', 1) AS r",
    "apply": "WITH a AS (SELECT 1 AS b) SELECT * FROM a CROSS APPLY[{}](b, 1)r",
    "view": "SELECT a.b FROM t JOIN sys.{} AS a ON 1=1",
    "scalar": "SELECT 1AS a,(SELECT TOP 1 x FROM {}(N'x'))FROM t",
}
DISGUISES = {
    "capitals": str.upper,
    "width": lambda name: name.replace("f", "\uff46").replace("n", "\uff4e"),
    "accent": lambda name: name.replace("e", "é"),
    "ignored": lambda name: f"[{name[:4]}\u200d\u00ad{name[4:]} ]",
}
REMOTE = [
    "SELECT * FROM srv.db.dbo.t",
    "SELECT * FROM [srv].[db].[dbo].[t] AS x",
    'SELECT * FROM "srv"."db"."dbo"."t"',
    "SELECT * FROM srv...t",
    "SELECT * FROM srv.db..t",
    "SELECT * FROM srv..dbo.t",
    "SELECT * FROM [10.0.0.1\\x,1433] . db /* */ . -- x\n dbo . t",
    "SELECT * FROM srv.db.dbo.t (NOLOCK)",
    "SELECT * FROM srv.db.dbo.value(NOLOCK)",
    "SELECT a FROM t WHERE 1=1AND EXISTS(SELECT 1 FROM[srv].db.dbo.t)",
    "SELECT * FROM t,srv.db.dbo.u",
    "SELECT * FROM CONTAINSTABLE(srv.db.dbo.t, *, 'x') AS r",
    "WITH c AS (SELECT 1 AS a FROM t JOIN srv.db.dbo.u ON 1 = 1) SELECT a FROM c",
]
LOCAL = [
    "SELECT a FROM db.dbo.t JOIN db..u ON t.a = u.a",
    "SELECT dbo.t.a, t.x.value('(/a)[1]', 'int') AS v FROM dbo.t",
    "SELECT dbo.t.x.value(N'(/a)[1]', 'int') AS v, dbo.t.place.ToString() AS p FROM dbo.t",
    "SELECT 'srv.db.dbo.t' AS a, [srv.db.dbo.t] FROM t -- FROM srv.db.dbo.t",
    "SELECT 'fn_trace_gettable' AS a FROM t /* OPENROWSET */",
    "SELECT xp_total, sp_rank, ai_score, audit_file, fn_trace FROM registry",
    "SELECT a FROM t CROSS APPLY OPENJSON(j) AS x",
    "SELECT ai_generate_chunks AS a, dbo.ai_score(b) AS c FROM t",
]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_name_that_reaches_outside_is_refused(name: str) -> None:
    """In every place and writing, and not the same text without it."""
    for writing in WRITINGS.values():
        assert name.lower() in " ".join(find_violations(writing.format(name)))
        assert find_violations(writing.format("harmless")) == []


@pytest.mark.parametrize("disguise", list(DISGUISES))
def test_collations_do_not_hide_a_name(disguise: str) -> None:
    """Some compare without regard to width, accents, and characters without weight."""
    name = DISGUISES[disguise]("fn_trace_gettable")
    assert find_violations(f"SELECT * FROM sys.{name}('x', 1) AS r")


@pytest.mark.parametrize("sql", REMOTE)
def test_name_with_four_parts_is_refused(sql: str) -> None:
    """It is a table of a linked server."""
    assert "four parts" in " ".join(find_violations(sql))


def test_service_is_refused() -> None:
    """SQL Server 2025 calls models at an address of their own."""
    violations = find_violations("SELECT AI_GENERATE_EMBEDDINGS(a USE MODEL m) AS v FROM t")
    assert "calls a service" in violations[-1]


@pytest.mark.parametrize("sql", LOCAL)
def test_local_name_is_allowed(sql: str) -> None:
    """Other databases of the server, methods, strings and comments reach nothing."""
    assert [finding for finding in check_query(sql) if "parsed" not in finding.message] == []
