from __future__ import annotations

import pytest

from sandbox.sql_server.transport.packet_writer import PacketWriter
from sandbox.sql_server.transport.packets import (
    Message,
    MessageAssembler,
    PacketStatus,
    PacketType,
    ProtocolError,
    frame_message,
)


def assembled(data: bytes, *, step: int) -> list[Message]:
    """The messages in these bytes if they arrive `step` at a time."""
    assembler, messages = MessageAssembler(), []
    for start in range(0, len(data), step):
        assembler.feed(data[start : start + step])
        while (message := assembler.next_message()) is not None:
            messages.append(message)
    return messages


@pytest.mark.parametrize("step", [1, 7, 512, 100_000])
def test_messages_are_assembled_from_any_split(step: int) -> None:
    """Messages are assembled wherever the network splits them."""
    payloads = [b"", b"a", bytes(1000), bytes(range(256)) * 20]
    data = b"".join(frame_message(PacketType.RPC, payload, 512) for payload in payloads)
    assert [message.payload for message in assembled(data, step=step)] == payloads


def test_flags_of_all_packets_are_kept() -> None:
    """The first packet's reset flag is kept when later packets complete the message."""
    first, second = bytes.fromhex("0108000a00000100"), bytes.fromhex("0101000a00000200")
    (message,) = assembled(first + b"ab" + second + b"cd", step=100)
    assert message.payload == b"abcd"
    assert message.status & PacketStatus.RESET_CONNECTION


def test_impossible_length_is_rejected() -> None:
    """A header that is longer than its packet is a protocol error."""
    assembler = MessageAssembler()
    assembler.feed(bytes.fromhex("0101000700000100"))
    with pytest.raises(ProtocolError, match="7 bytes"):
        assembler.next_message()


@pytest.mark.parametrize("packet_size", [512, 4096, 32767])
@pytest.mark.parametrize("size", [1, 504, 505, 4088, 4089, 200_000, 300_001])
def test_responses_use_the_negotiated_packet_size(packet_size: int, size: int) -> None:
    """Every packet but the last is full, ids count up, and only the last ends the message."""
    sent: list[bytes] = []
    writer = PacketWriter(sent.append, packet_size)
    response = bytes(value % 251 for value in range(size))
    for start in range(0, size, 9999):
        writer.write(response[start : start + 9999])
    writer.end()
    data = b"".join(sent)
    lengths, ids, ends, position = [], [], [], 0
    while position < len(data):
        lengths.append(int.from_bytes(data[position + 2 : position + 4]))
        ids.append(data[position + 6])
        ends.append(data[position + 1])
        position += lengths[-1]
    assert set(lengths[:-1]) <= {packet_size}
    assert ids == [number & 0xFF for number in range(1, len(ids) + 1)]
    assert ends == [0] * (len(ends) - 1) + [1]
    assert assembled(data, step=1 << 20)[0].payload == response
