"""messageIds: the same when the same rows are sent again, a new one for a row's next change.

An id is a hash of salt, stream, call type, the query's `x-last-sync-time` and the call's bytes. The
time distinguishes A → B → A from a repeat; the bytes distinguish rows without keys. Equal event
rows of one run are numbered.
"""

from __future__ import annotations

from binascii import hexlify
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DIGEST_BYTES = 16
_BUCKET_BYTES = 2
_REST_BYTES = 8


class MessageIds:
    """Creates the ids of one stream's calls.

    With `counts_repeats`, equal rows get different ids: for events without key columns, whose
    equal rows are different events. It costs about 10 bytes of memory for each row.
    """

    def __init__(
        self,
        *,
        salt: str,
        stream: str,
        call_type: str,
        last_sync_time: object,
        counts_repeats: bool,
    ) -> None:
        parts = (salt, stream, call_type, repr(last_sync_time))
        text = b"".join(part.encode("utf-8", "surrogatepass") + b"\0" for part in parts)
        self._seed = blake2b(text, digest_size=_DIGEST_BYTES)
        self._repeats = _Repeats() if counts_repeats else None

    def add_to(self, call: bytes) -> bytes:
        """The JSON of a call, with its id as its first member.

        The id has 32 hexadecimal digits, and a number if it is a repeat.
        """
        return self.add_to_all([call])[0]

    def add_to_all(self, calls: Sequence[bytes]) -> list[bytes]:
        """The same for several calls, in their order."""
        copy_seed = self._seed.copy
        digests = []
        for call in calls:
            digest = copy_seed()
            digest.update(call)
            digests.append(digest.digest())
        with_ids = [
            b'{"messageId":"%b",%b' % (hexlify(digest), call[1:])
            for digest, call in zip(digests, calls, strict=True)
        ]
        if self._repeats:
            for position, earlier in self._repeats.find(digests):
                name = b"%b-%d" % (hexlify(digests[position]), earlier)
                with_ids[position] = b'{"messageId":"%b",%b' % (name, calls[position][1:])
        return with_ids


class _Repeats:
    """Counts repeated digests, with about ten bytes of memory for each digest.

    Ten bytes of a digest are kept: two select a bucket, eight are stored in it. The probability
    that any two of 100 million different digests agree in them is one in 200 million.
    """

    def __init__(self) -> None:
        self._buckets: dict[bytes, bytearray] = {}
        self._repeated: dict[bytes, int] = {}

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


def _is_entry(bucket: bytearray, rest: bytes) -> bool:
    """Whether this is an entry of the bucket, rather than parts of two entries."""
    position = bucket.find(rest)
    while position % _REST_BYTES > 0:  # -1 % 8 is 7
        if position < 0:
            return False
        position = bucket.find(rest, position + 1)
    return True
