"""States of runs and nodes, and the facts that are written down about them while a run proceeds."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from orchestrator_app.domain.json_values import JsonObject, JsonValue


class RunState(StrEnum):
    """PENDING → RUNNING ⇄ WAITING → COMPLETED | FAILED | CANCELLED.

    The last three are write-once for whoever works on the run. A person may let a FAILED one go on: → PENDING.
    """

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_end(self) -> bool:
        """Whether nothing follows."""
        return self in _RUN_ENDS


class NodeState(StrEnum):
    """State of one node in one run."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"

    @property
    def is_end(self) -> bool:
        """Whether nothing follows."""
        return self in _NODE_ENDS


# Built once: planning asks for every node of a run at every step.
_RUN_ENDS = frozenset({RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED})
_NODE_ENDS = frozenset({NodeState.COMPLETED, NodeState.FAILED, NodeState.SKIPPED, NodeState.CANCELLED})

WaitReason = Literal["callback", "poll", "retry"]
LogLevel = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something failed, in the user's words.

    Attributes:
        code: Stable name, see ``docs/errors.md``.
        message: What happened.
        hint: What to do.
        detail: Further facts (remote status, the answer's beginning), redacted.
    """

    code: str
    message: str
    hint: str = ""
    detail: JsonObject = field(default_factory=dict[str, Any])

    def as_json(self) -> JsonObject:
        """The failure as it travels in the API and to an error branch."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "detail": self.detail}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> "Failure":
        """Read back what ``as_json`` made."""
        return cls(raw["code"], raw["message"], raw.get("hint", ""), raw.get("detail") or {})


# --- facts: what ``CheckpointStore.record`` writes in one transaction; all times are UTC epoch milliseconds ---


@dataclass(frozen=True, slots=True)
class NodeStarted:
    """The node begins its work on this input."""

    node_id: str
    input: JsonValue
    at: int


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """A call is about to leave; committed before it does. ``request`` is its redacted summary."""

    node_id: str
    number: int
    request: JsonObject
    at: int


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """The call has an outcome: an answer (``response`` is its redacted summary) or a failure."""

    node_id: str
    number: int
    at: int
    status_code: int | None = None
    response: JsonObject | None = None
    failure: Failure | None = None
    next_try_at: int | None = None


@dataclass(frozen=True, slots=True)
class NodeParked:
    """The node waits.

    Attributes:
        wake_at: When the run must go on with it (None: only an event wakes it).
        memo: The handler's own.
        look_at: When the poller is to look at its execution outside (None: never).
    """

    node_id: str
    reason: WaitReason
    wake_at: int | None
    memo: JsonObject
    at: int
    look_at: int | None = None


@dataclass(frozen=True, slots=True)
class WaitOpened:
    """A callback token is minted. ``number`` is 0 for a WaitForCallback, else the attempt it belongs to."""

    wait_id: str
    node_id: str
    number: int
    token: str
    at: int


@dataclass(frozen=True, slots=True)
class WaitReopened:
    """What arrived on a token at that time was only news of the way; the end is still to come on it."""

    wait_id: str
    received_at: int | None
    at: int


@dataclass(frozen=True, slots=True)
class NodeEnded:
    """The node is done, write-once. ``handles`` names the outputs that were taken.

    Callback waits of the node that are open are closed, unless it is known that there are none (``has_waits``).
    """

    node_id: str
    state: NodeState
    at: int
    output: JsonValue = None
    handles: tuple[str, ...] = ()
    failure: Failure | None = None
    input: JsonValue = None
    has_input: bool = False
    has_waits: bool = True


@dataclass(frozen=True, slots=True)
class Logged:
    """A line of the run's log."""

    message: str
    at: int
    node_id: str = ""
    level: LogLevel = "info"


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The run is done, write-once; ``has_waits`` as for the end of a node."""

    state: RunState
    at: int
    output: JsonValue = None
    failure: Failure | None = None
    has_waits: bool = True


Fact = (
    NodeStarted
    | AttemptStarted
    | AttemptEnded
    | NodeParked
    | WaitOpened
    | WaitReopened
    | NodeEnded
    | Logged
    | RunEnded
)
