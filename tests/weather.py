"""Platforms with weather: fair, down, or such that nobody learns what became of a call. They keep a journal."""

import asyncio
from collections import Counter, defaultdict
from typing import Any

from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook
from orchestrator_app.errors import OutcomeUnknown, ProviderUnavailable
from tests.running import WORKSPACE, World

# So many looks at a job see its end.
LOOKS_AT_A_JOB = 3
Key = tuple[str, str]


class Outside:
    """The world outside, by run and node: the node ``job`` begins a job, ``own`` calls back, others answer at once.

    Attributes:
        weather: ``fair``, ``down`` (nothing arrives) or ``unclear`` (it arrives, and no answer comes).
        cancels_next_call: Whether the run of the next call is cancelled while it is under way.
        calls: How often each node called, whether or not it arrived.
        called_at: When it did so last.
        arrived: How many of its calls arrived.
        keys: The idempotency keys that it sent.
        looked: When its execution was looked at.
        unclear: Nodes of which a call arrived, and no answer came.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._cancels: list[asyncio.Task[Any]] = []
        self.weather = "fair"
        self.cancels_next_call = False
        self.calls: Counter[Key] = Counter()
        self.called_at: dict[Key, int] = {}
        self.arrived: Counter[Key] = Counter()
        self.keys: defaultdict[Key, set[str]] = defaultdict(set)
        self.looked: defaultdict[Key, list[int]] = defaultdict(list)
        self.unclear: set[Key] = set()
        for node_id in ("ask", "pay", "job", "own", "last"):
            world.platform.on_call(node_id, self._called)
            world.platform.on_look(node_id, self._looked_at)

    async def _called(self, call: RemoteCall) -> Any:
        run_id, _, node_id = call.correlation_id.partition(".")
        key = run_id, node_id
        self.calls[key] += 1
        self.called_at[key] = self._world.clock.ms
        self.keys[key].add(call.idempotency_key)
        if self.weather == "down":
            raise ProviderUnavailable("It is down.")
        self.arrived[key] += 1
        if self.cancels_next_call:
            self.cancels_next_call = False
            self._cancels.append(asyncio.create_task(self._world.runs.cancel(WORKSPACE, run_id)))
            await asyncio.Event().wait()
        if self.weather == "unclear":
            self.unclear.add(key)
            raise OutcomeUnknown("No answer came in time.")
        return RemoteAnswer("running", remote_id="7") if node_id in {"job", "own"} else {"by": node_id}

    async def _looked_at(self, call: RemoteCall) -> RemoteLook:
        run_id, _, node_id = call.correlation_id.partition(".")
        self.looked[run_id, node_id].append(self._world.clock.ms)
        if self.weather != "fair":
            raise ProviderUnavailable("It is down.")
        if not self.arrived[run_id, node_id]:
            return RemoteLook("unknown", message="There is no such execution.", is_certain=False)
        if node_id not in {"job", "own"}:
            return RemoteLook("completed", {"by": node_id})
        is_done = node_id == "job" and len(self.looked[run_id, node_id]) >= LOOKS_AT_A_JOB
        return RemoteLook("completed", {"job": "done"}) if is_done else RemoteLook("running")

    def check_cancels(self) -> None:
        """Whoever cancelled under way was understood, or died over it."""
        for task in self._cancels:
            assert task.cancelled() or task.exception() is None
