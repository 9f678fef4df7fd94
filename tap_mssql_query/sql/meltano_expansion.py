r"""Finds queries in which Meltano seems to have replaced a `$NAME` by nothing. Pure.

Meltano treats `$NAME`, in capitals, as an environment variable, and removes it if that is not set:
`$PARTITION.pf(a)` becomes `.pf(a)`, and `$IDENTITY AS userId` becomes `AS userId`. Only queries
that are no longer valid T-SQL can be found.
"""

from __future__ import annotations

import re

from tap_mssql_query.sql.tokenizer import tokenize

REMEDY = (
    "Meltano replaces $NAME by an environment variable, and removes it if that is not set; names "
    "such as $IDENTITY, $ROWGUID and $PARTITION are lost. Write \\$IDENTITY in meltano.yml, or "
    "move the query to a `query_file`."
)

_QUOTED = "''"
_BEFORE = "SELECT|WHERE|AND|OR|ON|BY|HAVING|WHEN|THEN|ELSE|BETWEEN"
_AFTER = (
    "AS|FROM|WHERE|AND|OR|GROUP|ORDER|HAVING|ASC|DESC|THEN|ELSE|END|IN|LIKE|BETWEEN|IS|UNION|EXCEPT"
    "|INTERSECT|JOIN|INNER|ON|WHEN"
)
_HINTS = (
    "HOLDLOCK|INDEX|NOLOCK|NOWAIT|PAGLOCK|READCOMMITTED|READPAST|READUNCOMMITTED|REPEATABLEREAD"
    "|ROWLOCK|SERIALIZABLE|SNAPSHOT|TABLOCK|TABLOCKX|UPDLOCK|XLOCK"
)
_GAP = re.compile(
    rf"""(?<!\S)(?:
      (?:{_BEFORE}|,)\ (?:{_AFTER}|[,);=<>])    # no expression: SELECT AS a; WHERE > 1
    | \(\ ,                                     # no first argument: f(, 1)
    | [=<>.]\ (?:{_AFTER}|[,);])                # no right-hand side; t. AS a
    | (?:{_BEFORE}|[,(=<>+*/%-])\ \.\ \w+\ \(   # a function without an owner: SELECT .pf(a)
    | (?!(?:FROM|JOIN|APPLY|\.)\ )\S+\ \S+\ \.\ \.\ \w+\ \((?!\ (?:{_HINTS})\ )  # db..pf(a)
    | (?:DENTITY|OWGUID)                        # only the capital of $Identity is removed
    | ARTITION\ \.
    )(?!\S)""",
    re.VERBOSE,
)

_OPTION = re.compile(r"(?<!\S)SET [^;=]*? (?:ON|OFF)(?!\S)")
"""SET NOCOUNT ON, in which nothing is missing behind ON."""


def find_lost_variable(sql: str) -> str | None:
    """A sentence with the place of the gap and the remedy; None if there is no gap."""
    text = " ".join(token.text or _QUOTED for token in tokenize(sql))
    text = _OPTION.sub("", text)
    found = _GAP.search(f"{text} ;")
    return found and f"Something is missing at `{found[0]}`. {REMEDY}"
