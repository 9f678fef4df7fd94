"""The state machine: the actions that Hypothesis combines, and the invariants after each of them.

`docs/state-machine.md` explains it.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from target_pipelines import Limits
from tests.reliability.state_machine.model import Row, to_line
from tests.reliability.state_machine.responses import RESPONSES, UNAUTHORIZED
from tests.reliability.state_machine.simulation import Simulation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.reliability.replacements import Replacements

STREAMS = st.sampled_from(["users", "orders", "visits"])
CALL_TYPES = st.sampled_from(["identify", "track", "sighting"])
KEYS, NOTES = "12345", ("fine",) * 4 + ("rejected", "invalid", "hidden")
ROWS = st.lists(st.sampled_from(list(product(KEYS, NOTES))), min_size=1, max_size=6)
SHARES = st.sampled_from([1.0, 1.0, 1.0, 0.7, 0.0])
ENDS = st.sampled_from(["end of input", "SIGTERM", "SIGKILL", "401"])
ACTIONS_OF_A_RUN = st.sampled_from([0, 10, 30, 60])
SECONDS = st.sampled_from([0.05, 0.3, 1.0, 1.0, 4.0, 20.0, 100.0, 400.0])
CHOSEN_RESPONSES = st.sampled_from(list(product(range(4), ["delivered"] * 8 + list(RESPONSES))))


class TargetMachine(RuleBasedStateMachine):
    """The target, its input, its destination, and whatever stops and restarts it."""

    removed: ClassVar[Sequence[Callable[[Replacements], None]]] = ()
    """Guards that its processes run without."""

    @initialize(
        concurrency=st.sampled_from([4, 4, 3, 2, 1]),
        max_lanes=st.sampled_from([None, None, None, 2]),
        batch_max_calls=st.sampled_from([None, 1, 2, 3, 5]),
        batch_max_bytes=st.sampled_from([200, 500, 100_000]),
        max_retry_seconds=st.sampled_from([30, 600]),
        scheduling_seed=st.integers(0, 9),
    )
    def set_up(self, max_lanes, batch_max_calls, batch_max_bytes, scheduling_seed, **settings):
        """Choose settings and a destination; no process runs yet."""
        limits = Limits(
            call_max_bytes=500, batch_max_bytes=batch_max_bytes, batch_max_calls=batch_max_calls
        )
        self.world = Simulation(
            limits, max_lanes, scheduling_seed=scheduling_seed, removed=self.removed, **settings
        )
        self.actions_left = 20

    # Actions

    @rule(stream=STREAMS, call_type=CALL_TYPES, rows=ROWS, share=SHARES)
    def send_rows(self, stream, call_type, rows, share):
        """RECORDs; before the first one of a query its SCHEMA, perhaps with another call type."""
        for window in self.world.open_window(stream, call_type):
            for key, note in rows:
                number = len(self.world.checker.rows) + 1
                self.world.send(Row(window, number, number, key, note))
            self.world.give(share)

    @rule(stream=STREAMS, columns=st.sampled_from([[], ["userId"], ["userId", "note"]]))
    def repeat_schema(self, stream, columns):
        """The SCHEMA of an open query again, with other columns."""
        for window in self.world.open_window(stream):
            self.world.unread += to_line(window.schema(columns))

    @rule(stream=STREAMS, back=st.integers(1, 8), share=SHARES)
    def send_equal_row(self, stream, back, share):
        """A row with the values of an earlier one: a further event, or a fact that changed back."""
        for window in self.world.open_window(stream):
            rows = [row for each in self.world.windows[stream] for row in each.rows]
            candidates = [row for row in rows if row.note != "invalid"]
            for like in candidates[-back:][:1]:
                place = len(self.world.checker.rows) + 1
                self.world.send(Row(window, like.number, place, like.key, like.note))
            self.world.give(share)

    @rule(stream=STREAMS, is_complete=st.booleans(), share=SHARES)
    def send_state(self, stream, is_complete, share):
        """A STATE, perhaps at the end of a query."""
        if not self.world.has_input():
            self.world.deliver_one()
            return
        if is_complete and stream in self.world.checker.run.open:
            self.world.end_window(stream)
        self.world.unread += self.world.checker.run.add_state()
        self.world.give(share)

    @rule(responses=st.lists(CHOSEN_RESPONSES, min_size=1, max_size=4))
    def respond(self, responses):
        """Responses to waiting requests, one after the other."""
        for which, how in responses:
            if waiting := self.world.waiting_requests():
                self.world.respond(waiting[which % len(waiting)], RESPONSES[how])

    @rule(seconds=SECONDS)
    def pass_time(self, seconds):
        """The clock advances; nothing else happens."""
        self.world.running_process()
        self.world.scheduler.pass_time(seconds)
        self.world.checker.run.is_quiet = self.world.checker.run.is_interrupted and seconds > 0.1

    @rule(
        how=ENDS, has_arrived=st.booleans(), backwards=st.booleans(), next_actions=ACTIONS_OF_A_RUN
    )
    def end_run(self, how, has_arrived, backwards, next_actions):
        """The run ends, unless it has actions left; the next one may read streams backwards."""
        process = self.world.running_process()
        if self.actions_left > 0:
            self.world.deliver_one()
            return
        self.actions_left, self.world.is_backwards = next_actions, backwards
        if how == "SIGKILL":
            self.world.leave(has_arrived=has_arrived)
        elif how == "SIGTERM":
            self.world.checker.run.is_interrupted = True
            process.terminate(15)
        elif how == "401" and self.world.destination.waiting:
            self.world.respond(self.world.destination.waiting[0], UNAUTHORIZED)
        elif not self.world.checker.run.has_ended:
            self.world.end_input()

    @invariant()
    def invariants_hold(self):
        """No promise is broken; a process that has ended is gone."""
        self.actions_left -= 1
        self.world.check()

    def teardown(self):
        """Let the destination recover: everything must be settled, and a STATE must cover it."""
        if hasattr(self, "world"):
            with self.world:
                self.world.recover()
