"""Collations of text columns: five bytes on the wire, and the code page of char, varchar, text.

Sources: [MS-TDS] 2.2.5.1.2; sys.fn_helpcollations and COLLATIONPROPERTY for locales and code pages.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_COLLATION = "SQL_Latin1_General_CP1_CI_AS"
_CASE_INSENSITIVE = 0x0D << 20
"""Ignores case, kana type and width."""
_UTF8 = 0x04 << 24


@dataclass(frozen=True, slots=True)
class Collation:
    """A collation: its bytes in TYPE_INFO, and Python's name of its code page."""

    wire: bytes
    code_page: str

    @property
    def number(self) -> int:
        """The first four bytes: locale, flags and version."""
        return int.from_bytes(self.wire[:4], "little")

    @property
    def encode(self) -> Callable[[str], bytes]:
        """Encodes text; what the code page lacks becomes a question mark."""
        return lambda text: text.encode(self.code_page, "replace")


def _windows(locale: int, code_page: str, flags: int = _CASE_INSENSITIVE) -> Collation:
    return Collation(struct.pack("<IB", locale | flags, 0), code_page)


COLLATIONS = {
    DEFAULT_COLLATION: Collation(bytes.fromhex("0904d00034"), "cp1252"),
    "SQL_Latin1_General_CP437_CI_AS": Collation(bytes.fromhex("0904d00020"), "cp437"),
    "SQL_Latin1_General_CP850_CI_AS": Collation(bytes.fromhex("0904d0002a"), "cp850"),
    "Thai_CI_AS": _windows(0x041E, "cp874"),
    "Japanese_CI_AS": _windows(0x0411, "cp932"),
    "Chinese_PRC_CI_AS": _windows(0x0804, "gbk"),
    "Korean_Wansung_CI_AS": _windows(0x0412, "cp949"),
    "Chinese_Taiwan_Stroke_CI_AS": _windows(0x0404, "cp950"),
    "Czech_CI_AS": _windows(0x0405, "cp1250"),
    "Cyrillic_General_CI_AS": _windows(0x0419, "cp1251"),
    "Latin1_General_CI_AS": _windows(0x0409, "cp1252"),
    "Greek_CI_AS": _windows(0x0408, "cp1253"),
    "Turkish_CI_AS": _windows(0x041F, "cp1254"),
    "Hebrew_CI_AS": _windows(0x040D, "cp1255"),
    "Arabic_CI_AS": _windows(0x0401, "cp1256"),
    "Estonian_CI_AS": _windows(0x0425, "cp1257"),
    "Vietnamese_CI_AS": _windows(0x042A, "cp1258"),
    "Latin1_General_100_CI_AS_SC_UTF8": _windows(
        0x0409, "utf-8", _CASE_INSENSITIVE | _UTF8 | 2 << 28
    ),
}
