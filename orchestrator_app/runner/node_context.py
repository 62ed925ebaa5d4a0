"""What a handler may use while it works on one node: its input, its templates, its journal and the world outside."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from orchestrator_app.domain.definition import Node
from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.node_kinds import setting
from orchestrator_app.domain.open_calls import correlation_id, idempotency_key, traceparent
from orchestrator_app.domain.planning import Graph
from orchestrator_app.domain.ports import ClaimedRun, Clock, ProviderGateway, WaitRecord
from orchestrator_app.domain.runs import LogLevel, WaitReason
from orchestrator_app.domain.scope import Scope
from orchestrator_app.runner.rendering import Renderer


@dataclass(frozen=True, slots=True)
class Done:
    """The node completed. ``handles`` names the outputs to take."""

    output: JsonValue
    handles: tuple[str, ...] = ("out",)


@dataclass(frozen=True, slots=True)
class Parked:
    """The node waits until an event comes or ``wake_at`` (UTC epoch milliseconds) is reached.

    ``look_at`` is when the poller is to look at its execution outside, if it is to.
    """

    reason: WaitReason
    wake_at: int | None
    memo: JsonObject = field(default_factory=dict[str, Any])
    log: str = ""
    look_at: int | None = None


Outcome = Done | Parked


@dataclass(slots=True)
class NodeContext:
    """One node of one run, while a handler works on it.

    Attributes:
        attempt: Number of the attempt under way or about to start, from 1.
        is_resumed: Whether the node was parked, and its time has come or something arrived for it.
        memo: What the handler left when it parked the node, else empty.
        waits: Callback waits of this node, with what has arrived.
        begin_attempt: Commits that a call is about to leave, given its redacted summary.
        make_sure: Returns when the run is certainly still this process's to carry out.
        note_answer: Completes the attempt's record with status and summary of an answer, whatever becomes of it.
        open_wait: Mints a callback token for this attempt and commits it.
        reopen_wait: Lets a token be used again, with the next commit; what arrived on it is forgotten.
        say: Adds a line to the run's log with the next commit.
    """

    run: ClaimedRun
    graph: Graph
    node: Node
    input: JsonValue
    scope: Scope
    renderer: Renderer
    gateway: ProviderGateway
    clock: Clock
    callback_url: Callable[[str], str]
    attempt: int
    is_resumed: bool
    memo: JsonObject
    waits: list[WaitRecord]
    begin_attempt: Callable[[JsonObject], Awaitable[None]]
    make_sure: Callable[[], Awaitable[None]]
    note_answer: Callable[[int, JsonObject], None]
    open_wait: Callable[[], Awaitable[WaitRecord]]
    reopen_wait: Callable[[WaitRecord], None]
    say: Callable[[str, LogLevel], None]

    @property
    def correlation_id(self) -> str:
        """Names run and node in one header-safe word."""
        return correlation_id(self.run.run_id, self.node.id)

    @property
    def idempotency_key(self) -> str:
        """The same for all attempts of this node in this run."""
        return idempotency_key(self.run.run_id, self.node.id)

    @property
    def traceparent(self) -> str:
        """Names run and node for whoever traces what happens outside."""
        return traceparent(self.run.run_id, self.node.id)

    def milliseconds(self, key: str) -> int:
        """A config value in milliseconds."""
        value = setting(self.node, key)
        return int(value) if isinstance(value, int | float) else 0

    def awaited_callback(self) -> WaitRecord | None:
        """The wait of the nearest WaitForCallback behind this node, if there is one."""
        waits = {wait.node_id: wait for wait in self.run.waits if wait.number == 0}
        if not waits:
            return None
        behind = self.graph.descendants(self.node.id)
        return next((waits[node_id] for node_id in behind if node_id in waits), None)
