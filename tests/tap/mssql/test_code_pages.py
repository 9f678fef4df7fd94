"""Texts of Simplified Chinese are found where the driver gets them wrong."""

from __future__ import annotations

import pytest

from tap_mssql_query.mssql.code_pages import check_code_pages
from tap_mssql_query.mssql.describe import DescribedColumn

PRC = "Chinese_PRC_CI_AS"
LONG = DescribedColumn("doc", "nvarchar(max)", "Latin1_General_CI_AS")


@pytest.mark.parametrize(
    ("sql_type", "collation", "others", "count"),
    [
        ("varchar(20)", PRC, [LONG], 1),
        ("char(20)", "Chinese_Simplified_Pinyin_100_CI_AS", [DescribedColumn("x", "xml")], 1),
        ("varchar(max)", PRC, [], 1),
        ("text", "chinese_prc_bin", [], 1),
        ("varchar(20)", PRC, [], 0),
        ("nvarchar(20)", PRC, [LONG], 0),
        ("varchar(20)", "Chinese_PRC_CI_AS_UTF8", [LONG], 0),
        ("varchar(20)", "Chinese_Taiwan_Stroke_CI_AS", [LONG], 0),
        ("varchar(20)", "", [LONG], 0),
        ("int", "", [LONG], 0),
    ],
)
def test_column_is_named_with_its_remedy(sql_type, collation, others, count):
    """Its type, its collation, and the CAST that is right."""
    findings = [*check_code_pages([DescribedColumn("city", sql_type, collation), *others])]

    assert len(findings) == count
    assert all("CAST(city AS nvarchar(" in finding.message for finding in findings)
