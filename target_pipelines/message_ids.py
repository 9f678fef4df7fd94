"""messageId: the same when the same rows are sent again, another for a row's next change.

A hash of salt, stream, call type, the query's `x-last-sync-time` and the call's own bytes. The
window keeps A → B → A from being taken for a repeat; the content tells rows apart without keys;
equal event rows of one run are counted.
"""

from __future__ import annotations

from binascii import hexlify
from hashlib import blake2b

_DIGEST_BYTES = 16
_BUCKET_BYTES = 2
_REST_BYTES = 8


class MessageIds:
    """Makes the ids of one stream's calls.

    `counts_repeats` tells equal rows apart: for events without key columns, whose equal rows are
    two events. It costs about 10 bytes of memory for each row.
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
        about = (salt, stream, call_type, repr(last_sync_time))
        text = b"".join(part.encode("utf-8", "surrogatepass") + b"\0" for part in about)
        self._seed = blake2b(text, digest_size=_DIGEST_BYTES).digest()
        self._repeats = _Repeats() if counts_repeats else None

    def add_to(self, call: bytes) -> bytes:
        """The JSON of a call, with its id as its first member.

        The id is 32 hexadecimal digits, and a number for repeats.
        """
        digest = blake2b(self._seed + call, digest_size=_DIGEST_BYTES).digest()
        if self._repeats and (earlier := self._repeats.count(digest)):
            return b'{"messageId":"%b-%d",%b' % (hexlify(digest), earlier, call[1:])
        return b'{"messageId":"%b",%b' % (hexlify(digest), call[1:])


class _Repeats:
    """How often digests have come, in a few bytes for each.

    Ten bytes of a digest are kept: two choose a bucket, eight stand in it. That two different ones
    of 100 million rows agree in them has a chance of one in 200 million.
    """

    def __init__(self) -> None:
        self._buckets: dict[bytes, bytearray] = {}
        self._repeated: dict[bytes, int] = {}

    def count(self, digest: bytes) -> int:
        """How often it came before; this time is remembered."""
        rest = digest[_BUCKET_BYTES : _BUCKET_BYTES + _REST_BYTES]
        bucket = self._buckets.get(digest[:_BUCKET_BYTES])
        if bucket is None:
            self._buckets[digest[:_BUCKET_BYTES]] = bytearray(rest)
            return 0
        position = bucket.find(rest)
        while position % _REST_BYTES > 0:  # a match across two entries; -1 % 8 is 7
            if position < 0:
                bucket += rest
                return 0
            position = bucket.find(rest, position + 1)
        earlier = self._repeated.get(digest, 0) + 1
        self._repeated[digest] = earlier
        return earlier
