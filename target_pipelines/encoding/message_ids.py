"""messageIds: the same when the same rows are sent again, a new one for a row's next change.

All ids are hashes of salt, stream and call type, and of what identifies the call:

- a fact: the start of the run, the partition, the position in its stream and the call. A → B → A
  are three calls, in one result and across runs.
- an event with key columns: their values alone. It is the same event in every run.
- an event without a key but with a `timestamp`: the call. Equal ones of one run are numbered.
- any other event: the call and the query's `x-last-sync-time`, numbered as well.
"""

from __future__ import annotations

from binascii import hexlify
from hashlib import blake2b
from struct import Struct
from typing import TYPE_CHECKING, Any

from program_kit.exact_json import encode_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_pipelines.singer.streams import Stream

    EventSource = bytes | bool

_pack = Struct(">Q").pack
_DIGEST_BYTES = 16
_BUCKET_BYTES = 2
_REST_BYTES = 8


class FactIds:
    """Creates the ids of one stream's facts; the source of each id is the record's position."""

    def __init__(self, stream: Stream, salt: str) -> None:
        self._seed = _seed(stream, salt, "fact", stream.sync_time, stream.partition)

    def add_to(self, call: bytes, source: int) -> bytes:
        """The JSON of a call, with its id of 32 hexadecimal digits as its first member."""
        return self.add_to_all([call], [source])[0]

    def add_to_all(self, calls: Sequence[bytes], sources: Sequence[int]) -> list[bytes]:
        """The same for several calls; there may be more sources than calls."""
        copy_seed, digests = self._seed.copy, []
        for call, position in zip(calls, sources, strict=False):
            digest = copy_seed()
            digest.update(call)
            digest.update(_pack(position))
            digests.append(digest.digest())
        return _with_digests(calls, digests)


class EventIds:
    """Creates the ids of one stream's events.

    The source of an id is the event's key as JSON, or else whether the call has a `timestamp`.
    """

    def __init__(self, stream: Stream, salt: str, repeats: Repeats) -> None:
        self._keyed = _seed(stream, salt, "key")
        self._timed = _seed(stream, salt, "time")
        self._windowed = _seed(stream, salt, "window", stream.last_sync_time)
        self._repeats = repeats

    def add_to(self, call: bytes, source: EventSource, repeat: int | None = None) -> bytes:
        """The JSON of a call, with its id as its first member.

        The id has 32 hexadecimal digits, and a number if it is a repeat of an event without key;
        `repeat` is that number, where it is known.
        """
        if repeat is None or isinstance(source, bytes):
            return self.add_to_all([call], [source])[0]
        (digest,) = self._digests([call], [source])
        return _with_id(call, _numbered(digest, repeat) if repeat else hexlify(digest))

    def add_to_all(self, calls: Sequence[bytes], sources: Sequence[EventSource]) -> list[bytes]:
        """The same for several calls, in their order."""
        kinds = set(map(type, sources))
        if len(kinds) > 1:
            return [self.add_to(call, source) for call, source in zip(calls, sources, strict=True)]
        digests = self._digests(calls, sources)
        with_ids = _with_digests(calls, digests)
        if bytes not in kinds:
            for position, earlier in self._repeats.find(digests):
                name = _numbered(digests[position], earlier)
                with_ids[position] = _with_id(calls[position], name)
        return with_ids

    def _digests(self, calls: Sequence[bytes], sources: Sequence[EventSource]) -> list[bytes]:
        copy_keyed, copy_timed = self._keyed.copy, self._timed.copy
        copy_windowed, digests = self._windowed.copy, []
        for call, source in zip(calls, sources, strict=True):
            if source is False:
                digest = copy_windowed()
                digest.update(call)
            elif source is True:
                digest = copy_timed()
                digest.update(call)
            else:
                digest = copy_keyed()
                digest.update(source)
            digests.append(digest.digest())
        return digests


def encode_key(record: Mapping[str, Any], columns: Sequence[str]) -> bytes | None:
    """The key of a record as JSON; None if it has none: no columns, or one of them is null.

    Rows with a NULL in their key are not one event.
    """
    values = [record.get(column) for column in columns]
    return encode_json(values) if values and None not in values else None


class Repeats:
    """Counts repeated digests, with about ten bytes of memory for each digest.

    Ten bytes of a digest are kept: two select a bucket, eight are stored in it. The probability
    that any two of 100 million different digests agree in them is one in 200 million.
    """

    def __init__(self) -> None:
        self._buckets: dict[bytes, bytearray] = {}
        self._repeated: dict[bytes, int] = {}

    def count(self, content: bytes) -> int:
        """How often this content was counted before."""
        digest = blake2b(content, digest_size=_DIGEST_BYTES).digest()
        return next((earlier for _, earlier in self.find([digest])), 0)

    def find(self, digests: Sequence[bytes]) -> Iterator[tuple[int, int]]:
        """Add digests; yield the positions of repeats, with how often each came before."""
        get_bucket = self._buckets.get
        for position, digest in enumerate(digests):
            rest = digest[_BUCKET_BYTES : _BUCKET_BYTES + _REST_BYTES]
            bucket = get_bucket(digest[:_BUCKET_BYTES])
            if bucket is None:
                self._buckets[digest[:_BUCKET_BYTES]] = bytearray(rest)
            elif rest not in bucket or not _is_entry(bucket, rest):
                bucket += rest
            else:
                earlier = self._repeated.get(digest, 0) + 1
                self._repeated[digest] = earlier
                yield position, earlier


def _seed(stream: Stream, salt: str, *further: object) -> Any:
    """The beginning of all hashes of one kind; its parts cannot run into each other."""
    parts = [salt, stream.id_name, stream.call_type.name, *further]
    text = b"".join(
        part.encode("utf-8", "surrogatepass") + b"\0"
        if isinstance(part, str)
        else encode_json(part) + b"\0"
        for part in parts
    )
    return blake2b(text, digest_size=_DIGEST_BYTES)


def _numbered(digest: bytes, repeat: int) -> bytes:
    return b"%b-%d" % (hexlify(digest), repeat)


def _with_digests(calls: Sequence[bytes], digests: Sequence[bytes]) -> list[bytes]:
    join, begin, end = b"".join, b'{"messageId":"', b'",'
    return [
        join((begin, hexlify(digest), end, call[1:]))
        for call, digest in zip(calls, digests, strict=True)
    ]


def _with_id(call: bytes, message_id: bytes) -> bytes:
    return b'{"messageId":"%b",%b' % (message_id, call[1:])


def _is_entry(bucket: bytearray, rest: bytes) -> bool:
    """Whether this is an entry of the bucket, rather than parts of two entries."""
    position = bucket.find(rest)
    while position % _REST_BYTES > 0:  # -1 % 8 is 7
        if position < 0:
            return False
        position = bucket.find(rest, position + 1)
    return True
