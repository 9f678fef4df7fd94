"""The invariants: what must hold after each action, whatever the order of the actions."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Any

from target_pipelines import Delivered, Fatal, Rejected, Retry
from target_pipelines.api.errors import DeliveryStopped, Interrupted
from tests.reliability.state_machine.model import Row, RunModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_pipelines import EncodedCall, Limits
    from target_pipelines.acknowledgements.report import RunReport
    from tests.reliability.state_machine.responses import StubResponse
    from tests.reliability.state_machine.stub_destination import Request
    from tests.reliability.state_machine.target_process import DeadLetterFile


_OTHERS = ("filtered", "discarded")


class InvariantChecker:
    """Checks every request, response, dead letter and STATE against the model.

    Attributes:
        rows: all rows, in order.
        run: what the current process was sent.
        printed: the bookmarks of the newest STATE that was printed.
        violations: the promises that were broken.
    """

    def __init__(self, dead_letters: DeadLetterFile, limits: Limits, lanes: int) -> None:
        self._dead_letters = dead_letters
        self._limits = limits
        self._lanes = lanes
        self._of_id: dict[str, Row] = {}
        self._of_number: defaultdict[int, list[Row]] = defaultdict(list)
        self._newest: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.rows: list[Row] = []
        self.printed: dict[str, int] = {}
        self.run = RunModel({})
        self.violations: list[str] = []

    def add_row(self, row: Row) -> None:
        """Note a new row."""
        self.rows.append(row)
        self._of_number[row.number].append(row)

    # Actions of the process

    def check_request(self, request: Request, waiting: Sequence[Request], now: float) -> None:
        """Check an attempt when it begins."""
        run, rows = self.run, [self._row_of(call) for call in request.calls]
        self._violated_if(len(waiting) >= self._lanes, "too many in flight")
        self._violated_if(any(r.sender is request.sender for r in waiting), "a lane sends twice")
        self._violated_if(run.is_stopped, "sent after 401")
        self._violated_if(run.is_quiet, "sent after a signal")
        self._violated_if(now < request.sender.not_before, "sent before Retry-After")
        size = sum(len(call.body) + 1 for call in request.calls) - 1
        is_too_large = len(rows) > 1 and size > self._limits.batch_max_bytes
        is_too_large |= len(rows) > (self._limits.batch_max_calls or len(rows))
        self._violated_if(is_too_large, "batch too large")
        in_flight = {id(row) for other in waiting for row in self.rows_of(other)}
        self._violated_if(any(id(row) in in_flight for row in rows), "sent twice at once")
        for key in {row.key for row in rows if row}:
            own = [row for row in rows if row and row.key == key]
            first = list(islice(run.unsettled[key], len(own)))
            self._violated_if(own != first, "out of order")

    def rows_of(self, request: Request) -> list[Row]:
        """The rows of a request that was checked."""
        rows = (self._row_of(call) for call in request.calls)
        return [row for row in rows if row]

    def note_response(self, request: Request, response: StubResponse) -> None:
        """Note the response that a request is about to get."""
        rows, outcome = self.rows_of(request), response.outcome
        if isinstance(outcome, Delivered) or response.has_arrived:
            self.note_delivered(rows)
        if isinstance(outcome, Delivered):
            self._settle(rows, "delivered")
        elif isinstance(outcome, Rejected) and len(rows) == 1:
            rows[0].was_rejected = True
            self._settle(rows, "rejected")
        self.run.is_stopped |= isinstance(outcome, Fatal)
        self.run.has_failures |= isinstance(outcome, Retry)

    def note_delivered(self, rows: Sequence[Row]) -> None:
        """The destination has these calls, whatever its response is."""
        for row in rows:
            queue = (row.window.stream, row.key)
            is_late = row.place < self._newest[queue]
            self._violated_if(is_late and not (row.is_delivered or row.was_rejected), "overtaken")
            self._newest[queue] = max(self._newest[queue], row.place)
            row.is_delivered = True

    def check_state(self, value: dict[str, Any]) -> None:
        """Check a STATE that is printed."""
        mark, run = value["mark"], self.run
        self._violated_if(mark < run.printed, "states out of order")
        sent, before = run.states[mark]
        self._violated_if(value != sent, "state changed")
        self.check_dead_letters()
        run.printed = mark + 1
        self.printed = {name: b["last_sync_time"] for name, b in value["bookmarks"].items()}
        is_early = not all(self._may_be_before_state(row) for row in run.rows[:before])
        self._violated_if(is_early, "premature state")

    def _may_be_before_state(self, row: Row) -> bool:
        """Whether it is settled; a dead letter waits while the bookmark of its query stays.

        If that has not moved when the input ends, the next run reads the row again.
        """
        is_covered = row.window.number < self.printed.get(row.window.stream, 0)
        is_rejected = row.was_rejected or row.note == "invalid"
        return row.is_settled or (is_rejected and not is_covered)

    def check_end(self, error: BaseException | None, report: RunReport) -> None:
        """Check how the process ended by itself."""
        run = self.run
        self.check_dead_letters()
        expected = {
            DeliveryStopped: run.is_stopped or run.has_failures,
            Interrupted: run.is_interrupted,
            type(None): run.has_ended and not run.is_stopped,
        }
        self._violated_if(not expected.get(type(error), False), f"ended with {error!r}")
        counts: Counter[str] = Counter()
        for stream in report.to_json()["streams"].values():
            counts.update({key: stream[key] for key in ("read", "delivered", "rejected", *_OTHERS)})
        settled = counts.total() - counts["read"]
        self._violated_if(counts["delivered"] != run.counts["delivered"], "uncounted: delivered")
        self._violated_if(settled > counts["read"], "uncounted: more than was read")
        if error is None:
            self._violated_if(settled != counts["read"], "uncounted: settled")
            self._violated_if(counts["read"] != len(run.rows), "uncounted: read")
            self._violated_if(not all(map(self._may_be_before_state, run.rows)), "missing")
            self._violated_if(run.printed < len(run.states), "the last state is missing")

    def note_kill(self) -> None:
        """The process is gone: what was not synced is lost."""
        self._dead_letters.cut_power()

    # Attribution

    def _violated_if(self, is_broken: bool, promise: str) -> None:
        if is_broken and promise not in self.violations:
            self.violations.append(promise)

    def _row_of(self, call: EncodedCall) -> Row | None:
        """The row of a call: by its messageId, else the first equal row that has none yet."""
        content = json.loads(call.body)
        message_id = content.pop("messageId")
        inner = content.get("properties") or content["traits"]
        equal = self._of_number[inner["n"]]
        row = self._of_id.get(message_id)
        if row is None:
            row = next((row for row in equal if row.is_call and row.message_id is None), None)
            if row is None:
                self._violated_if(True, "repeat with another id")
                return None
            self._of_id[message_id] = row
            row.message_id, row.body = message_id, call.body
            self._violated_if(content != row.call(), "corrupt")
        self._violated_if(row not in equal or row.body != call.body, "repeat with other bytes")
        return row

    def _settle(self, rows: Sequence[Row], how: str) -> None:
        self.run.counts[how] += len(rows)
        for row in rows:
            own = self.run.unsettled[row.key]
            if row in own:
                own.remove(row)

    def check_dead_letters(self) -> None:
        """Check the dead letters that were written since the last call."""
        for dead_letter in self._dead_letters.read_new():
            if dead_letter["attempts"]:
                row = self._of_id.get(dead_letter["call"]["messageId"])
            else:
                row = self._of_number[dead_letter["record"]["n"]][0]
            is_call = dead_letter["attempts"] > 0
            is_right = row is not None and is_call == row.is_call == row.was_rejected
            self._violated_if(not is_right, "spurious dead letter")
            if row is not None:
                row.is_dead_letter = True
