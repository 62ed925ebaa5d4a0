import asyncio
from dataclasses import replace
from typing import Any

import pytest

from orchestrator_app.domain.definition import Definition, Node
from orchestrator_app.errors import InvalidInput, NotFound, ProviderUnavailable
from orchestrator_app.services.workflow_sync import FRESH_MS
from orchestrator_app.services.workflow_views import WorkflowMark, WorkflowQuery
from tests.services.platforms import FLOW, WS, Office, graph
from tests.steered import PATIENCE_SECONDS

ALL = WorkflowQuery()


def node(connection_id: str, workflow_id: str = "w1", **config: Any) -> Node:
    given = {"provider": "memory", "connectionId": connection_id, "workflowId": workflow_id}
    return Node("n", "RemoteWebhook", "Call", given | {"workflowHash": "h1"} | config)


async def mark(office: Office, *nodes: Node) -> WorkflowMark | None:
    return (await office.catalog.marks(WS, Definition(nodes))).get("n")


async def relist(office: Office) -> None:
    await office.catalog.browse_fully(WS, "memory", ALL, refresh=True)


async def test_a_workflow_that_is_as_it_was_has_no_mark(office: Office):
    connection_id = await office.connect()
    await relist(office)
    assert await mark(office, node(connection_id)) is None


async def test_a_workflow_that_is_gone_is_marked(office: Office):
    connection_id = await office.connect()
    await relist(office)
    await office.catalog.look(WS, "memory", "w1")
    office.memory.flows = []
    await relist(office)
    found = await mark(office, node(connection_id))
    assert found is not None
    assert found.state == "deleted"
    assert found.message == (
        "The workflow “Nightly orders” is not on Memory any more: it was deleted or put away there. "
        "Choose another one."
    )
    unknown = await mark(office, node(connection_id, "w9"))
    assert unknown is not None
    assert "“w9”" in unknown.message


async def test_a_workflow_is_not_called_gone_before_the_list_was_read_once(office: Office):
    connection_id = await office.connect()
    office.memory.down = ProviderUnavailable("Down.")
    assert await mark(office, node(connection_id)) is None
    with pytest.raises(ProviderUnavailable):
        await office.catalog.browse_fully(WS, "memory", ALL)
    assert await mark(office, node(connection_id)) is None


async def test_a_workflow_made_after_the_list_was_read_is_not_called_gone(office: Office):
    connection_id = await office.connect()
    await relist(office)
    office.memory.flows = [*office.memory.flows, replace(FLOW, id="w2", name="Newer")]
    made = await office.catalog.node_for(WS, "memory", "w2")
    assert await mark(office, node(connection_id, "w2", workflowHash=made.config["workflowHash"])) is None


async def test_a_workflow_that_is_switched_off_is_marked_with_the_platforms_reason(office: Office):
    connection_id = await office.connect()
    for note, reason in (("", "Switch it on in Memory"), ("It is locked.", "It is locked.")):
        office.memory.flows = [replace(FLOW, is_active=False, note=note)]
        await relist(office)
        found = await mark(office, node(connection_id))
        assert found is not None
        assert (found.state, found.node_id) == ("inactive", "n")
        assert reason in found.message


async def test_a_workflow_that_was_changed_is_marked_until_the_node_takes_it_over(office: Office):
    connection_id = await office.connect()
    office.memory.flows = [replace(FLOW, content_hash="h2")]
    await relist(office)
    found = await mark(office, node(connection_id))
    assert found is not None
    assert found.state == "changed"
    assert "Nightly orders" in found.message
    for known in ("h2", "", None):
        assert await mark(office, node(connection_id, workflowHash=known)) is None


async def test_only_nodes_with_a_workflow_of_a_connection_are_marked(office: Office):
    connection_id = await office.connect()
    office.memory.flows = []
    await relist(office)
    for other in (
        Node("n", "Condition", "If", {"connectionId": connection_id, "workflowId": "w1"}),
        node(""),
        node("another"),
        node(connection_id, ""),
        node(connection_id, provider="modal"),
    ):
        assert await mark(office, other) is None
    assert await office.catalog.marks(WS, Definition()) == {}
    assert await office.catalog.marks("another", Definition((node(connection_id),))) == {}


async def test_marks_begin_to_read_an_old_list(office: Office):
    connection_id = await office.connect()
    await relist(office)
    office.memory.flows = []
    office.clock.ms += FRESH_MS
    async with office.hub.subscribe(WS) as changes:
        assert await mark(office, node(connection_id)) is None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while office.connections.syncing:
                await changes.take(1)
    found = await mark(office, node(connection_id))
    assert found is not None
    assert found.state == "deleted"


async def test_where_the_list_tells_no_content_a_workflow_is_looked_at_when_it_was_changed(office: Office):
    connection_id = await office.connect()
    office.memory.flows = [replace(FLOW, content_hash="")]
    office.memory.graphs["w1"] = graph(replace(FLOW, content_hash="h1"))
    await relist(office)
    await office.catalog.look(WS, "memory", "w1")
    assert await mark(office, node(connection_id)) is None
    assert office.memory.previewed == ["w1"]
    office.memory.flows = [replace(FLOW, content_hash="", updated_at=2_000)]
    office.memory.graphs["w1"] = graph(replace(FLOW, content_hash="h2", updated_at=2_000))
    office.clock.ms += 1
    await relist(office)
    async with office.hub.subscribe(WS) as changes:
        assert await mark(office, node(connection_id)) is None
        assert [change.kind for change in await changes.take(PATIENCE_SECONDS)] == ["workflows"]
    found = await mark(office, node(connection_id))
    assert found is not None
    assert found.state == "changed"
    assert office.memory.previewed == ["w1", "w1"]


async def test_a_look_that_fails_is_tried_again_and_one_at_a_gone_workflow_takes_it_off_the_list(
    office: Office,
):
    connection_id = await office.connect()
    office.memory.flows = [replace(FLOW, content_hash="")]
    await relist(office)
    await office.catalog.look(WS, "memory", "w1")
    office.memory.flows = [replace(FLOW, content_hash="", updated_at=2_000)]
    await relist(office)
    office.memory.down = ProviderUnavailable("Down.")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(office.memory.previewed) < 3:
            assert await mark(office, node(connection_id, workflowHash="")) is None
            await mark(office, node(connection_id))
            await asyncio.sleep(0.01)
    office.memory.down = None
    office.memory.flows = []
    async with office.hub.subscribe(WS) as changes, asyncio.timeout(PATIENCE_SECONDS):
        while (found := await mark(office, node(connection_id))) is None or found.state != "deleted":
            await changes.take(0.05)


async def test_a_platform_that_does_not_date_its_graphs_is_not_asked_for_ever(office: Office):
    connection_id = await office.connect()
    office.memory.flows = [replace(FLOW, content_hash="")]
    office.memory.graphs["w1"] = graph(replace(FLOW, content_hash="h1", updated_at=None))
    await relist(office)
    for _ in range(3):
        async with office.hub.subscribe(WS) as changes:
            await mark(office, node(connection_id))
            await changes.take(0.05)
    assert office.memory.previewed == ["w1"]


async def test_what_changed_since_a_node_was_made_is_told(office: Office):
    connection_id = await office.connect()
    await office.catalog.node_for(WS, "memory", "w1")
    office.clock.ms += 60_000
    office.memory.graphs["w1"] = graph(replace(FLOW, content_hash="h2"), "Start", "Job")
    definition = Definition((node(connection_id),))
    change = await office.catalog.change(WS, definition, "n")
    assert change.sentences == ("The step “Job” was added.", "The step “Work” was removed.")
    assert change.content_hash == "h2"
    del office.memory.graphs["w1"]
    office.memory.flows = []
    office.clock.ms += 60_000
    gone = await office.catalog.change(WS, definition, "n")
    assert gone.after is None
    assert gone.before == change.before


async def test_a_change_can_only_be_told_of_a_node_with_a_workflow(office: Office):
    connection_id = await office.connect()
    definition = Definition((Node("n", "Condition", "If"),))
    with pytest.raises(NotFound, match="no such node"):
        await office.catalog.change(WS, definition, "other")
    with pytest.raises(InvalidInput, match="“If” runs no workflow"):
        await office.catalog.change(WS, definition, "n")
    with pytest.raises(NotFound):
        await office.catalog.change_since(WS, "memory", "never", "", connection_id=connection_id)


async def test_a_connection_that_is_gone_is_not_taken_for_a_workflow_that_is(office: Office):
    connection_id = await office.connect()
    made = await office.catalog.node_for(WS, "memory", "w1")
    await office.connections.delete(WS, connection_id)
    of_it = Definition((node(connection_id, workflowHash=made.config["workflowHash"]),))
    with pytest.raises(NotFound, match="no such connection"):
        await office.catalog.change(WS, of_it, "n")


async def test_a_flow_of_flowise_is_found_by_its_own_keys(office: Office):
    flow = Node("n", "LocalFlow", "Ask", {"connectionId": "c", "flowId": "f", "workflowHash": "h"})
    with pytest.raises(NotFound, match="no provider “flowise”"):
        await office.catalog.change(WS, Definition((flow,)), "n")


async def test_what_changed_in_a_workflow_that_has_just_left_the_list_is_that_it_is_gone(office: Office):
    connection_id = await office.connect()
    await relist(office)
    made = await office.catalog.node_for(WS, "memory", "w1")
    office.memory.flows = []
    await relist(office)
    graph_of_node = Definition((node(connection_id, workflowHash=made.config["workflowHash"]),))
    change = await office.catalog.change(WS, graph_of_node, "n")
    assert (change.after, change.content_hash) == (None, "")


async def test_a_content_that_a_node_takes_over_is_kept_for_the_next_comparison(office: Office):
    connection_id = await office.connect()
    await relist(office)
    office.memory.graphs["w1"] = graph(FLOW, "Start", "Seen")
    seen = (await office.catalog.look(WS, "memory", "w1")).preview.workflow.content_hash
    await office.catalog.keep(WS, connection_id, "w1", seen)
    office.memory.graphs["w1"] = graph(replace(FLOW, content_hash="h2"), "Start", "Next")
    await office.catalog.look(WS, "memory", "w1", fresh=True)
    change = await office.catalog.change(WS, Definition((node(connection_id, workflowHash=seen),)), "n")
    assert change.before is not None
    assert "The step “Seen” was removed." in change.sentences
    with pytest.raises(NotFound):
        await office.catalog.keep(WS, "gone", "w1", seen)
