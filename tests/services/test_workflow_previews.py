from dataclasses import replace

import pytest

from orchestrator_app.errors import (
    CredentialRefused,
    NotFound,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
)
from orchestrator_app.providers.connection import ConnectionCheck
from orchestrator_app.providers.remote_workflow import (
    CompletionChoice,
    FormField,
    PreviewEdge,
    PreviewNode,
    WorkflowPreview,
)
from orchestrator_app.runner.hub import Change
from orchestrator_app.services.workflow_previews import FRESH_MS
from orchestrator_app.services.workflow_rows import preview_of, preview_text
from orchestrator_app.services.workflow_views import WorkflowQuery
from orchestrator_app.storage.payloads import dumps, loads
from tests.services.platforms import FLOW, KEY, WS, Office, graph

RICH = WorkflowPreview(
    workflow=replace(FLOW, tags=("a", "b"), folder="F", team="T", kind="k", note="n", link="https://x"),
    nodes=(PreviewNode("1", "Start", "hook", 1.5, 2, is_trigger=True, notes="Hi", app="Web", digest="d"),),
    edges=(PreviewEdge("1", "1", "again", "error"),),
    url="https://x/hook",
    method="PUT",
    completion="poll",
    completions=(CompletionChoice("poll", "It fits."), CompletionChoice("response", "No.", works=False)),
    entry="By a call.",
    form=(FormField("a.b", "B", "choice", required=True, default={"x": [1, None]}, options=("1", "2")),),
    snippet="{{callbackUrl}}",
    snippet_help="There.",
    is_opaque=True,
    facts={"x": [1, {"y": None}]},
)


def test_a_graph_comes_back_from_its_text_as_it_was():
    assert preview_of(preview_text(RICH)) == RICH


def test_a_graph_that_another_release_wrote_is_not_known():
    for change in ({"novelty": 1}, {"nodes": [{"id": "1"}]}):
        assert preview_of(dumps(loads(preview_text(RICH)) | change)) is None
    raw = loads(preview_text(RICH))
    del raw["form"]
    assert preview_of(dumps(raw)) is None


async def test_a_graph_is_fetched_once_in_a_while(office: Office):
    connection_id = await office.connect()
    first = await office.catalog.look(WS, "memory", "w1")
    assert (first.connection_id, first.fetched_date, first.failure) == (connection_id, office.clock.ms, "")
    assert first.preview == graph(FLOW)
    office.clock.ms += FRESH_MS - 1
    assert await office.catalog.look(WS, "memory", "w1") == first
    assert office.memory.previewed == ["w1"]
    assert (await office.catalog.look(WS, "memory", "w1", fresh=True)).fetched_date == office.clock.ms
    office.clock.ms += FRESH_MS
    await office.catalog.look(WS, "memory", "w1")
    assert office.memory.previewed == ["w1"] * 3


async def test_a_graph_is_fetched_again_when_the_list_says_that_it_is_another(office: Office):
    await office.connect()
    await office.catalog.look(WS, "memory", "w1")
    office.memory.flows = [replace(FLOW, content_hash="h2")]
    await office.catalog.browse_fully(WS, "memory", WorkflowQuery())
    assert (await office.catalog.look(WS, "memory", "w1")).preview.workflow.content_hash == "h2"
    assert office.memory.previewed == ["w1", "w1"]


async def test_a_graph_without_a_digest_gets_one_from_its_steps(office: Office):
    await office.connect()
    digests: list[str] = []
    for steps in (("A", "B"), ("A", "B"), ("A", "C")):
        office.memory.graphs["w1"] = graph(replace(FLOW, content_hash=""), *steps)
        view = await office.catalog.look(WS, "memory", "w1", fresh=True)
        digests.append(view.preview.workflow.content_hash)
    assert digests[0] == digests[1] != digests[2]
    assert all(digests)


@pytest.mark.parametrize(
    "error", [ProviderUnavailable(f"Down: {KEY}.", hint="Wait."), CredentialRefused("No.")]
)
async def test_what_is_known_is_shown_when_the_platform_does_not_answer(office: Office, error: ProviderError):
    connection_id = await office.connect()
    office.memory.down = error
    with pytest.raises(type(error)):
        await office.catalog.look(WS, "memory", "w1")
    office.memory.down = None
    first = await office.catalog.look(WS, "memory", "w1")
    await office.connections.mark(WS, await office.connections.open(WS, connection_id), "connected", "")
    office.clock.ms += FRESH_MS
    office.memory.down = error
    is_refused = isinstance(error, CredentialRefused)
    reason = "No." if is_refused else "Down: ***. Wait."
    assert await office.catalog.look(WS, "memory", "w1") == replace(first, failure=reason)
    status = (await office.connections.get(WS, connection_id)).status
    assert status == ("refused" if is_refused else "connected")


async def test_a_workflow_that_is_gone_leaves_the_list(office: Office):
    connection_id = await office.connect()
    await office.catalog.browse_fully(WS, "memory", WorkflowQuery())
    await office.catalog.look(WS, "memory", "w1")
    office.memory.flows = []
    async with office.hub.subscribe(WS) as changes:
        with pytest.raises(NotFound, match="no workflow w1 on Memory") as caught:
            await office.catalog.look(WS, "memory", "w1", fresh=True)
        assert Change("workflows", WS, connection_id, office.clock.ms) in await changes.take(1)
    assert "deleted" in caught.value.hint
    assert (await office.catalog.browse(WS, "memory", WorkflowQuery())).total == 0
    for unknown in ("never-there", "x" * 400):
        with pytest.raises(NotFound):
            await office.catalog.look(WS, "memory", unknown)


async def test_a_platform_that_knows_nothing_any_more_has_not_deleted_the_workflow(office: Office):
    connection_id = await office.connect()
    await office.catalog.browse_fully(WS, "memory", WorkflowQuery())
    first = await office.catalog.look(WS, "memory", "w1")
    office.memory.flows = []
    office.memory.check = ConnectionCheck("refused", f"Its API is switched off for {KEY}.")
    office.clock.ms += FRESH_MS
    reason = "Its API is switched off for ***."
    assert await office.catalog.look(WS, "memory", "w1") == replace(first, failure=reason)
    with pytest.raises(ProviderRefused, match="switched off"):
        await office.catalog.look(WS, "memory", "w2")
    assert (await office.catalog.browse(WS, "memory", WorkflowQuery())).total == 1
    view = await office.connections.get(WS, connection_id)
    assert (view.status, view.status_detail) == ("refused", reason)


async def test_a_workflow_that_is_gone_stays_gone_also_when_no_list_was_read(office: Office):
    await office.connect()
    await office.catalog.look(WS, "memory", "w1")
    office.memory.flows = []
    with pytest.raises(NotFound):
        await office.catalog.look(WS, "memory", "w1", fresh=True)
    with pytest.raises(NotFound):
        await office.catalog.look(WS, "memory", "w1")
    office.memory.flows = [FLOW]
    await office.catalog.look(WS, "memory", "w1")
    await office.catalog.look(WS, "memory", "w1")
    assert office.memory.previewed == ["w1"] * 4


async def test_a_look_brings_the_list_up_to_date(office: Office):
    connection_id = await office.connect()
    await office.catalog.browse_fully(WS, "memory", WorkflowQuery())
    office.memory.flows = [replace(FLOW, name="Renamed", is_active=False), replace(FLOW, id="w2", name="New")]
    async with office.hub.subscribe(WS) as changes:
        for workflow_id in ("w1", "w2"):
            await office.catalog.look(WS, "memory", workflow_id)
        assert await changes.take(1) == [Change("workflows", WS, connection_id, office.clock.ms)]
        for workflow_id in ("w1", "w2"):
            await office.catalog.look(WS, "memory", workflow_id, fresh=True)
        assert await changes.take(0) == [], "who asks again for what is known tells nobody"
    found = await office.catalog.browse(WS, "memory", WorkflowQuery())
    assert [(row.workflow.name, row.workflow.is_active) for row in found.rows] == [
        ("New", True),
        ("Renamed", False),
    ]


async def test_a_graph_that_another_release_kept_is_fetched_anew(office: Office):
    await office.connect()
    await office.catalog.look(WS, "memory", "w1")

    await office.database.write(
        lambda connection: connection.command(
            "UPDATE workflow_snapshot SET preview = replace(preview, '\"is_opaque\"', '\"was_opaque\"')"
        )
    )
    assert (await office.catalog.look(WS, "memory", "w1")).preview == graph(FLOW)
    assert office.memory.previewed == ["w1", "w1"]
