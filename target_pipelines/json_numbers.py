"""JSON in which numbers keep their digits: `Decimal` for what is no integer, both ways."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

INVALID_JSON = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What decoding raises."""

encode_json = msgspec.json.Encoder(decimal_format="number").encode
decode_json = msgspec.json.Decoder(float_hook=Decimal).decode
decode_object = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
