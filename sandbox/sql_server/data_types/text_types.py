"""Text, XML, bytes and user-defined types on the wire: [MS-TDS] 2.2.5.4.3 and 2.2.5.5.

Variable-length types have a two-byte length; (max) types, xml and CLR types are chunked (PLP);
text, ntext and image are the legacy large objects with a text pointer.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sandbox.sql_server.data_types.collations import COLLATIONS, DEFAULT_COLLATION
from sandbox.sql_server.data_types.wire_type import (
    PLP_NULL,
    WireType,
    in_chunks,
    long_text,
    short_text,
)
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from sandbox.sql_server.data_types.wire_type import WireTypeFactory
    from sandbox.sql_server.results import SqlType

BIGVARBINARY, BIGVARCHAR, BIGBINARY, BIGCHAR = 0xA5, 0xA7, 0xAD, 0xAF
NVARCHAR, NCHAR, XML, UDT, IMAGE, TEXT, NTEXT = 0xE7, 0xEF, 0xF1, 0xF0, 0x22, 0x23, 0x63
_SHORT_NULL = b"\xff\xff"
_MAX_LENGTH = 0x7FFFFFFF
_ROWVERSION_USER_TYPE = 80
_length = struct.Struct("<H").pack
# A text pointer of 16 bytes and a timestamp of 8; clients only send them back.
_TEXT_POINTER = b"\x10" + b"textptr".ljust(16, b"\0") + b"textts".ljust(8, b"\0")


def encode_unicode(text: str) -> bytes:
    """Encode as UTF-16, lone surrogates included: nvarchar may hold them."""
    return text.encode("utf-16-le", "surrogatepass")


def _short(encode: Callable[[Any], bytes], limit: int) -> Callable[[Any], bytes]:
    def pack(value: Any) -> bytes:
        data = encode(value)
        if len(data) > limit:
            raise SqlError(8152, "String or binary data would be truncated.")
        return _length(len(data)) + data

    return pack


def _varying(
    form: int, encode: Callable[[Any], bytes], *, unit: int = 1, suffix: bytes = b""
) -> WireTypeFactory:
    def build(sql_type: SqlType, _: bool) -> WireType:
        if sql_type.length is None:
            return WireType(
                bytes([form]) + _SHORT_NULL + suffix,
                PLP_NULL,
                lambda value: in_chunks(encode(value)),
            )
        limit = sql_type.length * unit
        type_info = bytes([form]) + _length(limit) + suffix
        return WireType(type_info, _SHORT_NULL, _short(encode, limit))

    return build


def _large(form: int, encode: Callable[[Any], bytes], *, suffix: bytes = b"") -> WireTypeFactory:
    """text, ntext and image: NULL is an absent text pointer."""
    type_info = bytes([form]) + struct.pack("<I", _MAX_LENGTH) + suffix

    def pack(value: Any) -> bytes:
        data = encode(value)
        return _TEXT_POINTER + struct.pack("<I", len(data)) + data

    return lambda _, __: WireType(type_info, b"\x00", pack, is_large_object=True)


def _collated(
    form: int, build: Callable[..., WireTypeFactory], encode: Callable[[Any], bytes] | None = None
) -> WireTypeFactory:
    """A type whose TYPE_INFO has its collation; without `encode`, in the collation's code page."""

    def build_collated(sql_type: SqlType, nullable: bool) -> WireType:
        collation = COLLATIONS[sql_type.collation or DEFAULT_COLLATION]
        factory = build(form, encode or collation.encode, suffix=collation.wire)
        return factory(sql_type, nullable)

    return build_collated


def _clr(database: str, assembly: str) -> WireTypeFactory:
    """A CLR type: UDT_INFO in COLMETADATA ([MS-TDS] 2.2.5.5.2), the value in chunks."""

    def build(sql_type: SqlType, _: bool) -> WireType:
        type_info = (
            bytes([UDT])
            + _SHORT_NULL
            + short_text(database)
            + short_text("sys")
            + short_text(sql_type.name.lower())
            + long_text(assembly)
        )
        return WireType(type_info, PLP_NULL, lambda value: in_chunks(bytes(value)))

    return build


def _rowversion(sql_type: SqlType, nullable: bool) -> WireType:
    del sql_type, nullable
    type_info = bytes([BIGBINARY]) + _length(8)
    return WireType(type_info, _SHORT_NULL, _short(bytes, 8), user_type=_ROWVERSION_USER_TYPE)


def _sysname(sql_type: SqlType, nullable: bool) -> WireType:
    """The type of object names: nvarchar(128)."""
    return FACTORIES["nvarchar"](replace(sql_type, length=128), nullable)


_ASSEMBLY = (
    "Microsoft.SqlServer.Types.{}, Microsoft.SqlServer.Types, Version=11.0.0.0, "
    "Culture=neutral, PublicKeyToken=89845dcd8080cc91"
)
_XML_FORM = WireType(bytes([XML, 0]), PLP_NULL, lambda value: in_chunks(encode_unicode(value)))

FACTORIES: Mapping[str, WireTypeFactory] = {
    "char": _collated(BIGCHAR, _varying),
    "varchar": _collated(BIGVARCHAR, _varying),
    "nchar": _collated(NCHAR, partial(_varying, unit=2), encode_unicode),
    "nvarchar": _collated(NVARCHAR, partial(_varying, unit=2), encode_unicode),
    "binary": _varying(BIGBINARY, bytes),
    "varbinary": _varying(BIGVARBINARY, bytes),
    "sysname": _sysname,
    "text": _collated(TEXT, _large),
    "ntext": _collated(NTEXT, _large, encode_unicode),
    "image": _large(IMAGE, bytes),
    "xml": lambda _, __: _XML_FORM,
    "timestamp": _rowversion,
    "rowversion": _rowversion,
    "hierarchyid": _clr("master", _ASSEMBLY.format("SqlHierarchyId")),
    "geography": _clr("master", _ASSEMBLY.format("SqlGeography")),
    "geometry": _clr("master", _ASSEMBLY.format("SqlGeometry")),
}
