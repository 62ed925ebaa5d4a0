"""What the run engine needs from the world, as protocols; storage, services and wiring implement them."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestrator_app.domain.definition import Definition
from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.looks import Seen, Watch
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook
from orchestrator_app.domain.runs import Fact, Failure, Logged, NodeState, RunState, WaitReason
from orchestrator_app.errors import ProviderError


@dataclass(slots=True)
class NodeRecord:
    """What is on disk about one node of a run; ``attempt_began_at`` is there while the attempt is open."""

    node_id: str
    state: NodeState
    attempt: int = 0
    attempt_is_open: bool = False
    attempt_began_at: int = 0
    input: JsonValue = None
    output: JsonValue = None
    handles: tuple[str, ...] = ()
    failure: Failure | None = None
    wait_reason: WaitReason | None = None
    wake_at: int | None = None
    memo: JsonObject = field(default_factory=dict[str, Any])
    started_at: int | None = None
    ended_at: int | None = None


@dataclass(slots=True)
class WaitRecord:
    """A minted callback token and what arrived on it. ``number`` as in ``WaitOpened``."""

    wait_id: str
    node_id: str
    number: int
    token: str
    has_arrived: bool = False
    body: JsonValue = None
    received_at: int | None = None


@dataclass(slots=True)
class ClaimedRun:
    """A run that this process owns at this epoch, with all that is on disk about it.

    At ``deadline_at`` it is ended, whatever it does then.
    """

    run_id: str
    workspace_id: str
    orchestrator_id: str
    orchestrator_name: str
    epoch: int
    wake: int
    is_new: bool
    input: JsonValue
    definition: Definition
    variables: JsonObject
    created_at: int
    nodes: dict[str, NodeRecord]
    waits: list[WaitRecord]
    seq: int
    deadline_at: int | None = None


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that has not ended, as the dispatcher needs it at start-up."""

    run_id: str
    state: RunState
    wake_at: int | None


class CheckpointStore(Protocol):
    """The journal of runs. Every write is guarded by the epoch: a stale worker changes nothing."""

    async def claim(self, run_id: str, owner: str) -> ClaimedRun | None:
        """Take the run (epoch + 1, state RUNNING).

        Returns:
            None when it has ended or does not exist, or when it has to wait until others of its orchestrator end.
        """
        ...

    async def record(self, run: ClaimedRun, facts: Sequence[Fact]) -> None:
        """Write all facts in one committed transaction and publish it.

        Raises:
            LeaseLost: The run was cancelled or taken by another worker; nothing was written.
        """
        ...

    async def park(self, run: ClaimedRun, wake_at: int | None, at: int) -> bool:
        """RUNNING → WAITING, unless an event came since the claim (then False, and the run stays RUNNING).

        Raises:
            LeaseLost: As in ``record``.
        """
        ...

    async def arrivals(self, run: ClaimedRun) -> list[WaitRecord]:
        """All waits of the run with what has arrived by now.

        Also brings ``run.wake`` up to date, and in ``run.nodes`` what looks at executions outside have found.
        """
        ...

    async def note(self, run_id: str, line: Logged) -> None:
        """Add a line to the log of a run that may have ended."""
        ...

    async def open_runs(self) -> list[OpenRun]:
        """All runs that have not ended."""
        ...

    async def due_runs(self, now: int) -> list[str]:
        """WAITING runs whose ``wake_at`` has come."""
        ...


class RunQueueStore(Protocol):
    """Which runs have to wait until others of their orchestrator end. The rows are the truth."""

    async def limited(self) -> frozenset[str]:
        """The orchestrators that limit how many of their runs are under way."""
        ...

    async def next_runs(self, orchestrator_ids: Collection[str]) -> list[str]:
        """The runs of these orchestrators that have their turn and have not begun, the oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class DueLook:
    """A waiting node whose execution outside is to be looked at now; ``lease`` tells whether it is still ours."""

    run_id: str
    node_id: str
    workspace_id: str
    lease: int
    watch: Watch


class LookStore(Protocol):
    """Which executions outside are to be looked at, and what was seen of them. The rows are the truth."""

    async def take(self, now: int, *, lease: int, limit: int) -> tuple[list[DueLook], int | None]:
        """Lease the looks that are due, the oldest first, until the time ``lease``: who dies with them loses nothing.

        Returns:
            Them, and the time of the next one after them, if there is one.
        """
        ...

    async def put_off(self, looks: Sequence[tuple[DueLook, int]]) -> None:
        """Give leased looks back, to be due at the given times."""
        ...

    async def keep(self, seen: Sequence[tuple[DueLook, Seen]], now: int) -> list[str]:
        """Write what looks have seen, all in one transaction, unless their nodes wait no more.

        Returns:
            The runs that have something to do now.
        """
        ...


class ProviderGateway(Protocol):
    """Finds the connection, opens its secret and calls the provider. Raises ``errors.ProviderError`` only."""

    async def execute(self, workspace_id: str, call: RemoteCall) -> RemoteAnswer:
        """Send the call and read its answer."""
        ...

    async def poll(self, workspace_id: str, call: RemoteCall, memo: JsonObject) -> RemoteLook:
        """Look how the remote execution of an earlier ``execute`` fares. ``call`` has no body here."""
        ...

    async def called_back(
        self, workspace_id: str, call: RemoteCall, memo: JsonObject, body: JsonValue
    ) -> RemoteLook:
        """What a callback says of the execution; ``call`` has no body here."""
        ...

    async def cancel(self, workspace_id: str, call: RemoteCall, memo: JsonObject) -> str:
        """Stop the execution; a sentence that says what happened. ``call`` has no body here."""
        ...

    async def redact(self, workspace_id: str, call: RemoteCall, value: JsonValue) -> JsonValue:
        """The value without secrets, fit for journal, log and screen."""
        ...

    def sealed_address(self, call: RemoteCall, url: str) -> str:
        """A status address of the call, fit to be kept; ``poll`` opens it."""
        ...

    async def capabilities(self, workspace_id: str, call: RemoteCall) -> frozenset[str]:
        """Names of what can be done with the call's connection (see ``providers.base.Capability``)."""
        ...

    async def refusal(self, workspace_id: str, call: RemoteCall, capability: str) -> ProviderError:
        """Why the call's connection does not allow something, in the platform's terms."""
        ...

    def looks_per_minute(self, provider: str) -> int:
        """How many looks one connection to this provider may make in a minute."""
        ...


class Clock(Protocol):
    """Wall time for due dates; sleeping is here too, so that tests can steer it."""

    def now(self) -> int:
        """UTC epoch milliseconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Pause this task."""
        ...


class Dispatcher(Protocol):
    """Hands runs to ``advance``, once at a time each. Local now; PostgreSQL with several workers fits in here."""

    def claim_name(self) -> str:
        """The owner under whom a new run may be stored as claimed already; empty when it has to wait for its turn."""
        ...

    def begin(self, run: ClaimedRun) -> None:
        """Advance a run that was stored as claimed."""
        ...

    def enqueue(self, run_id: str) -> None:
        """The run has something to do: advance it soon. A run being advanced notices it before it parks."""
        ...

    def wake_at(self, run_id: str, at: int) -> None:
        """Enqueue the run at that time (UTC epoch milliseconds)."""
        ...

    def cancel_hint(self, run_id: str) -> None:
        """The run was cancelled on disk: stop working on it if this process does."""
        ...

    async def start(self, advance: "Callable[[str, ClaimedRun | None], Awaitable[None]]") -> None:
        """Pick up all open runs and begin."""
        ...

    async def stop(self, grace_seconds: float) -> None:
        """Take no more, give running work the grace, then cancel it (it recovers at the next start)."""
        ...
