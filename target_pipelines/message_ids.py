"""messageId: the same when the same rows are sent again, another for a row's next change.

A hash of salt, stream, call type, the query's `x-last-sync-time` and the call's own bytes. The
window keeps A → B → A from being taken for a repeat; the content tells rows apart without keys;
equal event rows of one run are counted.
"""

from __future__ import annotations

from hashlib import blake2b

_DIGEST_BYTES = 16


class MessageIds:
    """Makes the ids of one stream's calls."""

    def __init__(
        self, *, salt: str, stream: str, call_type: str, last_sync_time: object, is_event: bool
    ) -> None:
        self._seed = blake2b(digest_size=_DIGEST_BYTES)
        for part in (salt, stream, call_type, repr(last_sync_time)):
            self._seed.update(part.encode("utf-8", "surrogatepass") + b"\0")
        self._counts: dict[bytes, int] | None = {} if is_event else None

    def next_id(self, call: bytes) -> str:
        """The id of a call, given its JSON: 32 hexadecimal digits, and a number for repeats."""
        digest = self._seed.copy()
        digest.update(call)
        if self._counts is None:
            return digest.hexdigest()
        key = digest.digest()
        earlier = self._counts.get(key, 0)
        self._counts[key] = earlier + 1
        return f"{key.hex()}-{earlier}" if earlier else key.hex()
