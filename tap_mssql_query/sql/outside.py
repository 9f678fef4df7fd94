"""Names in a query that reach outside the database: files, other servers, the registry. Pure.

Names are compared as a server might: without regard to case, accents, width, and characters that
a collation ignores. What views, synonyms, external tables and functions of the database reach is
not seen: that is a matter of permissions.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from tap_mssql_query.sql.tokenizer import Token, TokenKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class _Reach(NamedTuple):
    """Names, as a pattern, and what they do."""

    names: re.Pattern[str]
    does: str


def _names(text: str) -> re.Pattern[str]:
    return re.compile("|".join(text.split()))


_REACHES = (
    _Reach(
        _names(
            r"""FN_TRACE_GET\w+ FN_\w*TARGET_READ_FILE\w* FN_GET_AUDIT_FILE\w* FN_MSXE_READ\w+
            FN_(DUMP|FULL)_DBLOG\w* FN_DBLOG\w* DM_OS_ENUMERATE_\w+ DM_OS_FILE_EXISTS
            DM_OS_VOLUME_STATS DM_SERVER_MEMORY_DUMPS DM_IO_BACKUP_TAPES
            DM_IO_CLUSTER_SHARED_DRIVES DM_IO_CLUSTER_VALID_PATH_NAMES FN_SERVERSHAREDDRIVES"""
        ),
        "reads files and drives",
    ),
    _Reach(_names("DM_SERVER_REGISTRY DM_SERVER_SERVICES"), "reads the registry"),
    _Reach(
        _names("OPENROWSET OPENQUERY OPENDATASOURCE FN_AVAILABLE_BACKUPS"),
        "reads other servers and files",
    ),
    _Reach(_names(r"DM_EXEC_DESCRIBE_FIRST_\w+"), "takes the text of another query"),
    _Reach(
        _names(
            r"""XP_CMDSHELL XP_DIRTREE XP_SUBDIRS XP_FILEEXIST XP_FIXEDDRIVES XP_AVAILABLEMEDIA
            XP_(COPY|DELETE)_FILES? XP_CREATE_SUBDIR XP_GETFILEDETAILS XP_(INSTANCE_)?REG\w+
            XP_LOGEVENT XP_READERRORLOG XP_ENUM\w+ XP_LOGINCONFIG XP_LOGININFO XP_MSVER
            XP_NTSEC_ENUMDOMAINS XP_SENDMAIL XP_SERVICECONTROL
            XP_DSNINFO XP_MAKECAB XP_UNPACKCAB XP_MAKEWEBTASK XP_RUNWEBTASK XP_GRANTLOGIN
            SP_OA(CREATE|METHOD|DESTROY|GETPROPERTY|SETPROPERTY|GETERRORINFO|STOP)
            SP_EXECUTESQL SP_EXECUTE_EXTERNAL_SCRIPT SP_INVOKE_EXTERNAL_REST_ENDPOINT
            SP_SEND_DBMAIL SP_ADDLINKEDSERVER SP_ADDEXTENDEDPROC SP_CONFIGURE SP_START_JOB
            SP_READERRORLOG SP_MAKEWEBTASK"""
        ),
        "is a procedure that reaches outside the database",
    ),
)
"""Source: "System Functions", "Dynamic Management Views", "Rowset Functions" and "General Extended
Stored Procedures" of SQL Server 2014 to 2025. FN_DUMP_DBLOG, FN_MSXE_… and some of XP_… are not
documented; FN_AVAILABLE_BACKUPS, of managed backups, reads a storage account."""

_AI = re.compile(r"AI_(?!GENERATE_CHUNKS)\w+")
"""Functions that call a model at an address, such as AI_GENERATE_EMBEDDINGS of SQL Server 2025."""
_METHODS = frozenset({"VALUE", "QUERY", "NODES", "EXIST"})
"""The methods of the xml type, which take a string."""
_PARTS_OF_A_TABLE = 3
_IGNORED = re.compile(r"\W|[^\x00-\x7f]")
_END = Token(TokenKind.SYMBOL, ";")


def find_reaches(tokens: Sequence[Token]) -> Iterator[str]:
    """A sentence for each name that reaches outside the database."""
    for token in tokens:
        folded = _fold(token.name)
        for reach in _REACHES:
            if folded and reach.names.fullmatch(folded):
                yield f"{folded.lower()} {reach.does}: a sync only reads tables of its server."
    for before, token, after in zip([_END, *tokens], tokens, [*tokens[1:], _END], strict=False):
        is_built_in = before.text != "." and after.text == "("
        if is_built_in and _AI.fullmatch(token.text):
            yield f"{token.text} calls a service: a sync only reads tables of its server."
    if any(_is_remote(tokens, index) for index, token in enumerate(tokens) if token.name):
        yield (
            "A name has four parts, as tables of linked servers have: a sync only reads tables of "
            "its server. Add the other server to `databases`; give a table an alias to shorten the "
            "name of a column."
        )


def _fold(name: str) -> str:
    """A name in capitals, without what some collation does not tell apart."""
    return _IGNORED.sub("", unicodedata.normalize("NFKD", name.upper()))


def _is_remote(tokens: Sequence[Token], start: int) -> bool:
    """Whether a name that begins here has four parts, some perhaps empty, and is no method."""
    if start and tokens[start - 1].text == ".":
        return False
    dots, index = 0, start + 1
    while index < len(tokens) and tokens[index].text == ".":
        dots += 1
        index += 1
        if index < len(tokens) and tokens[index].name:
            index += 1
    if dots < _PARTS_OF_A_TABLE:
        return False
    return not _is_method(tokens, index)


def _is_method(tokens: Sequence[Token], end: int) -> bool:
    """Whether the name before `end` is a method: of xml with a string, or another without any."""
    opening, *arguments = [*tokens[end : end + 3], _END, _END, _END][:3]
    if opening.text != "(":
        return False
    if arguments[0].text == "N":
        arguments.pop(0)
    takes_string = arguments[0].kind is TokenKind.STRING
    return arguments[0].text == ")" or (tokens[end - 1].text in _METHODS and takes_string)
