r"""Tells whether a query looks as if Meltano had put nothing in the place of a `$NAME`. Pure.

Meltano takes `$NAME`, in capitals, in a setting for an environment variable, and leaves nothing of
it if there is none: `$PARTITION.pf(a)` becomes `.pf(a)`, and `$IDENTITY AS userId` becomes
`AS userId`. Only what is no T-SQL is found: where the rest makes sense, nobody can tell.
"""

from __future__ import annotations

import re

from tap_mssql_query.sql.tokenizer import tokenize

REMEDY = (
    "Under Meltano, where $NAME stands for an environment variable, a name such as $IDENTITY, "
    "$ROWGUID or $PARTITION is lost so: write \\$IDENTITY in meltano.yml, or put the query into a "
    "`query_file`."
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
_EMPTIED = re.compile(
    rf"""(?<!\S)(?:
      (?:{_BEFORE}|,)\ (?:{_AFTER}|[,);=<>])    # no expression: SELECT AS a; WHERE > 1
    | \(\ ,                                     # no first argument: f(, 1)
    | [=<>.]\ (?:{_AFTER}|[,);])                # nothing to compare with; t. AS a
    | (?:{_BEFORE}|[,(=<>+*/%-])\ \.\ \w+\ \(   # a function of nothing: SELECT .pf(a)
    | (?!(?:FROM|JOIN|APPLY|\.)\ )\S+\ \S+\ \.\ \.\ \w+\ \((?!\ (?:{_HINTS})\ )  # db..pf(a)
    | (?:DENTITY|OWGUID)                        # of $Identity only the capital is taken
    | ARTITION\ \.
    )(?!\S)""",
    re.VERBOSE,
)


def find_emptied(sql: str) -> str | None:
    """Where something is missing, and the remedy; None if nothing looks emptied."""
    words = " ".join(token.text or _QUOTED for token in tokenize(sql))
    found = _EMPTIED.search(f"{words} ;")
    return found and f"Something is missing at `{found[0]}`. {REMEDY}"
