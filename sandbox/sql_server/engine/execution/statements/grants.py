"""GRANT, DENY and REVOKE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.sql_server.engine.catalog.object_names import parse_object_name
from sandbox.sql_server.engine.parsing.token_lists import keyword, split_at_commas
from sandbox.sql_server.results import RowCount, SqlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlglot.tokenizer_core import Token

    from sandbox.sql_server.engine.execution.batch import Batch, Handler
    from sandbox.sql_server.engine.parsing.statements import SimpleStatement
    from sandbox.sql_server.results import Result


def _permit(batch: Batch, statement: SimpleStatement) -> Iterator[Result]:
    """GRANT, DENY or REVOKE permissions on tables and views."""
    permissions = batch.state.login.permissions
    if not permissions.is_administrator:
        raise SqlError(4613, "Grantor does not have GRANT permission.")
    tokens = list(statement.tokens[1:])
    texts = [keyword(token) for token in tokens]
    end = next((i for i, text in enumerate(texts) if text in ("TO", "FROM")), len(tokens))
    if "ON" in texts:
        on = texts.index("ON")
        target = _key(batch, tokens[on + 1 : end])
        for login in _logins(batch, tokens[end + 1 :]):
            for permission in split_at_commas(tokens[:on]):
                getattr(login, statement.kind.lower())(permission[0].text, target)
    yield RowCount()


def _key(batch: Batch, tokens: Sequence[Token]) -> tuple[str, str, str]:
    text = "".join(token.text for token in tokens).removeprefix("OBJECT::")
    name = parse_object_name(text)
    found = batch.translator().context.table(name)
    database = (name.database or batch.state.database.name).lower()
    return database, found.schema.lower(), found.name.lower()


def _logins(batch: Batch, tokens: Sequence[Token]) -> Iterator[object]:
    for part in split_at_commas(tokens):
        login = batch.state.instance.logins.get(part[0].text.lower())
        if login is None:
            message = (
                f"Cannot find the user '{part[0].text}', because it does not exist or you do not "
                "have permission."
            )
            raise SqlError(15151, message)
        yield login.permissions


HANDLERS: Mapping[str, Handler] = dict.fromkeys(("GRANT", "DENY", "REVOKE"), _permit)
