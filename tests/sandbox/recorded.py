"""Recorded TDS conversations from the fixtures, one packet per line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "fixtures" / "tds"
NAMES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))


@dataclass(frozen=True)
class Recorded:
    """A message: its sender, its type's name, its payload without packet headers."""

    sender: str
    kind: str
    payload: bytes


def conversation(name: str) -> list[Recorded]:
    """The messages of a recording."""
    messages, payload = [], b""
    for line in (FOLDER / f"{name}.jsonl").read_text().splitlines():
        packet = json.loads(line)
        payload += bytes.fromhex(packet["payload"])
        if packet["eom"]:
            messages.append(Recorded(packet["dir"], packet["type"], payload))
            payload = b""
    return messages


def requests(name: str, kind: str) -> list[bytes]:
    """The client's messages of one type."""
    return [
        message.payload
        for message in conversation(name)
        if message.sender == "client" and message.kind == kind
    ]


def response_to(name: str, kind: str) -> bytes:
    """The server's response to the client's last message of one type."""
    messages = conversation(name)
    index = max(i for i, m in enumerate(messages) if m.sender == "client" and m.kind == kind)
    return messages[index + 1].payload
