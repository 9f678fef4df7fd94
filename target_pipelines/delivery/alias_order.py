"""Keeps calls about one person in order where a call names two: an alias has a `previousId`.

It goes through the lane of its ordering key. Before it is queued, the calls that are under way
about both ids are settled, and so is the alias before a later call about its `previousId`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from program_kit.exact_json import decode_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from target_pipelines.api.calls import EncodedCall
    from target_pipelines.delivery.lane import Lane


class AliasOrder:
    """Finds what calls must wait for; used by the thread that fills the lanes.

    Attributes:
        streams: whose calls are aliases; other runs cost nothing.
    """

    def __init__(self, lanes: Sequence[Lane], lane_of: Callable[[EncodedCall], Lane]) -> None:
        self.streams: set[str] = set()
        self._lanes = lanes
        self._lane_of = lane_of
        self._may_be_under_way = False

    def split(self, calls: Sequence[EncodedCall]) -> Iterator[Sequence[EncodedCall]]:
        """Parts of these calls in which no call must wait for another."""
        if not self._has_aliases(calls):
            yield calls
            return
        part: list[EncodedCall] = []
        lane_by_id: dict[str, Lane] = {}
        for call in calls:
            lane = self._lane_of(call)
            ids = self._ids_of(call)
            if any(lane_by_id.get(each, lane) is not lane for each in ids):
                yield part
                part, lane_by_id = [], {}
            part.append(call)
            lane_by_id |= dict.fromkeys(ids, lane)
        yield part

    def find_blocking(self, part: Sequence[EncodedCall]) -> set[Lane]:
        """The lanes with a call that one of these must wait for."""
        has_aliases = self._has_aliases(part)
        if not has_aliases and not self._may_be_under_way:
            return set()
        lanes_by_id: defaultdict[str, set[Lane]] = defaultdict(set)
        self._may_be_under_way = has_aliases
        for lane in self._lanes:
            for call in lane.calls():
                self._may_be_under_way |= call.stream in self.streams
                for each in self._ids_of(call):
                    lanes_by_id[each].add(lane)
        return {
            lane
            for call in part
            for each in self._ids_of(call)
            for lane in lanes_by_id.get(each, ())
            if lane is not self._lane_of(call)
        }

    def _has_aliases(self, calls: Sequence[EncodedCall]) -> bool:
        return bool(self.streams) and any(call.stream in self.streams for call in calls)

    def _ids_of(self, call: EncodedCall) -> tuple[str, ...]:
        if call.stream in self.streams:
            previous = decode_json(call.body).get("previousId")
            if previous is not None:
                return call.ordering_key, str(previous)
        return (call.ordering_key,)
