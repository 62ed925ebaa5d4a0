"""Whatever the graph, whatever the platforms do and whenever the process is killed: a run ends, and its journal holds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator_app.domain.definition import ERROR_HANDLE, Definition, Node
from orchestrator_app.domain.remote import RemoteAnswer, RemoteLook
from orchestrator_app.errors import OutcomeUnknown, ProviderBusy, ProviderRefused, ProviderUnavailable
from orchestrator_app.services.views import RunDetail
from orchestrator_app.storage import callbacks
from orchestrator_app.storage.database import Database
from tests.builders import definitions
from tests.running import World, driven, open_world, states_of

pytestmark = pytest.mark.usefixtures("shortest_pauses")


@dataclass(frozen=True)
class Fate:
    """What becomes of a node's calls and looks."""

    completion: str = "response"
    calls: Sequence[Any] = ()
    looks: Sequence[Any] = ()


STARTED = RemoteAnswer("running", remote_id="7")
DOWN = ProviderUnavailable("It is down.")
FATES = (
    Fate(),
    Fate(calls=["a text"]),
    Fate(calls=[{"yes": True, "n": [1, {"deep": None}]}]),
    Fate(calls=[ProviderRefused("It refuses.")]),
    Fate(calls=[DOWN, ProviderBusy("Busy.", retry_after_seconds=90), {"no": 0}]),
    Fate(calls=[DOWN]),
    Fate(calls=[OutcomeUnknown("No answer came.")]),
    Fate(calls=[RemoteAnswer("failed", message="It failed.")]),
    Fate(calls=[RuntimeError("a mistake of ours")]),
    Fate("poll", [STARTED], [RemoteLook("running"), DOWN, {"yes": 1}]),
    Fate("poll", [STARTED], [RemoteLook("failed")]),
    Fate("callback", [STARTED]),
    Fate("callback", [OutcomeUnknown("No answer came.")]),
)


def with_fate(node: Node, fate: Fate) -> Node:
    if node.kind == "LocalFlow":
        return replace(node, config={"flowId": node.id, "baseURL": "http://x", "question": "Hi"})
    if node.kind != "RemoteWebhook":
        return node
    config: dict[str, Any] = {"provider": "simulated", "workflowId": node.id, "completion": fate.completion}
    return replace(node, config={**config, "retryDelay": 1, "retryAttempts": 2, "pollingInterval": 100_000})


@st.composite
def fated(draw: st.DrawFn) -> tuple[Definition, dict[str, Fate]]:
    """A graph, and what becomes of each of its nodes."""
    definition = draw(definitions(max_nodes=8))
    fates = {node.id: draw(st.sampled_from(FATES)) for node in definition.nodes}
    nodes = tuple(with_fate(node, fates[node.id]) for node in definition.nodes)
    return replace(definition, nodes=nodes), fates


@given(
    given_graph=fated(),
    data=st.sampled_from([None, {}, {"yes": True}, {"no": 1, "n": 2}, [1], "text"]),
    answered=st.sets(st.sampled_from([f"n{number}" for number in range(8)])),
    killed_at=st.none() | st.tuples(st.integers(0, 15), st.sampled_from(["before", "after"])),
)
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_every_run_ends_and_its_journal_holds(
    sqlite_database: Database,
    given_graph: tuple[Definition, dict[str, Fate]],
    data: Any,
    answered: set[str],
    killed_at: tuple[int, str] | None,
):
    definition, fates = given_graph
    async with open_world(sqlite_database) as world:
        for node_id, fate in fates.items():
            if fate.calls:
                world.platform.on_call(node_id, *fate.calls)
            if fate.looks:
                world.platform.on_look(node_id, *fate.looks)
        if killed_at:
            world.store.die_at(*killed_at)
        run_id = await world.start(definition, data)
        run = await driven(world, run_id, answered=answered)
        if run is None:
            await world.restart()
            run = await driven(world, run_id, answered=answered)
        assert run is not None
        check_ends(definition, run)
        check_calls(world, definition, run)
        waits = await sqlite_database.read(lambda connection: callbacks.waits(connection, run_id))
        assert all(wait.received_date is not None or wait.closed_date is not None for wait in waits)


def check_ends(definition: Definition, run: RunDetail) -> None:
    """Each node has the end that follows from the ends of those before it, and the run that of its nodes."""
    states = states_of(run)
    handled = {edge.source for edge in definition.edges if edge.source_handle == ERROR_HANDLE}
    unhandled = {node_id for node_id, state in states.items() if state == "FAILED"} - handled
    assert run.summary.state == ("FAILED" if unhandled else "COMPLETED")
    if run.summary.failure is not None:
        assert unhandled
        detail = run.summary.failure["detail"]
        assert isinstance(detail, dict)
        assert detail["nodeId"] in unhandled
    for view in run.nodes:
        ways_in = [run.edges[edge.id] for edge in definition.edges if edge.target == view.node_id]
        is_reached = not ways_in or "taken" in ways_in
        match view.state:
            case "COMPLETED" | "FAILED":
                assert is_reached, f"{view.node_id} worked, although no taken edge leads to it"
                assert view.started_date is not None
            case "SKIPPED":
                assert unhandled or not is_reached, (
                    f"{view.node_id} was skipped, although an edge leads to it"
                )
            case "CANCELLED":
                assert unhandled
            case state:
                raise AssertionError(f"{view.node_id} has not ended: {state}")
        assert view.ended_date is not None
    assert "open" not in run.edges.values()


def check_calls(world: World, definition: Definition, run: RunDetail) -> None:
    """Nothing was sent that is not in the journal, and nothing was repeated that must not be."""
    calls = Counter(call.workflow_id for call in world.platform.calls)
    for view in run.nodes:
        numbers = [attempt.number for attempt in view.attempts]
        assert numbers == list(range(1, view.attempt + 1))
        assert all(attempt.ended_date is not None for attempt in view.attempts)
        assert calls[view.node_id] <= len(numbers)
        unclear = [one for one in view.attempts if one.failure and one.failure["code"] == "outcome_unknown"]
        assert [one.number for one in unclear] in ([], [view.attempt])
    keys = Counter((call.workflow_id, call.idempotency_key) for call in world.platform.calls)
    assert len(keys) == len(calls)
    assert set(calls) <= {node.id for node in definition.nodes if not node.disabled}
