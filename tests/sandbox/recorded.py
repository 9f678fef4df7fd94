"""Recorded TDS conversations, as the fixtures hold them: one packet a line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "fixtures" / "tds"
NAMES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))


@dataclass(frozen=True)
class Recorded:
    """One message: who sent it, its type's name, its payload without packet headers."""

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
    """What the client sent of one kind."""
    return [
        message.payload
        for message in conversation(name)
        if message.sender == "client" and message.kind == kind
    ]


def answer_to(name: str, kind: str) -> bytes:
    """What the server answered to the client's last message of one kind."""
    messages = conversation(name)
    index = max(i for i, m in enumerate(messages) if m.sender == "client" and m.kind == kind)
    return messages[index + 1].payload
