import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from orchestrator_app.storage import connections, workflows
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import Connection, text
from orchestrator_app.storage.workflows import CachedWorkflow, Found, WorkflowFilter
from orchestrator_app.storage.workspaces import DEFAULT_WORKSPACE

MADE = 1_000
EVERYTHING = WorkflowFilter()
ROW = CachedWorkflow(
    connection_id="c1",
    workflow_id="w1",
    name="Nightly orders",
    is_active=True,
    updated_at=5,
    tags=("Sales", "daily"),
    folder="Shop",
    team="Ops",
    kind="",
    note="",
    link="",
    content_hash="h",
)


async def connect(database: Database, connection_id: str, provider: str = "n8n") -> None:
    await database.write(
        lambda connection: connections.insert(
            connection,
            DEFAULT_WORKSPACE,
            connection_id=connection_id,
            provider=provider,
            name=connection_id,
            settings="{}",
            secrets="sealed",
            now=MADE,
        )
    )


async def listed(database: Database, *rows: CachedWorkflow, connection_id: str = "c1", now: int = 7) -> None:
    """One whole sync of a connection that finds these workflows."""

    def work(connection: Connection) -> None:
        number = workflows.begin_sync(connection, connection_id, updated_date=MADE, now=now)
        assert number is not None
        assert workflows.put_page(connection, rows, updated_date=MADE, number=number)
        assert workflows.finish_sync(connection, connection_id, updated_date=MADE, now=now)

    await database.write(work)


async def browse(
    database: Database,
    wanted: WorkflowFilter = EVERYTHING,
    *,
    ids: Sequence[str] = ("c1",),
    offset: int = 0,
    limit: int = 100,
) -> Found:
    return await database.read(
        lambda connection: workflows.browse(connection, ids, wanted, offset=offset, limit=limit)
    )


async def test_a_listed_workflow_comes_back_as_it_was(database: Database):
    await connect(database, "c1")
    await listed(database, ROW)
    found = await browse(database)
    assert found == Found((ROW,), 1, ("daily", "Sales"), ("Shop",), ("Ops",))
    syncs = await database.read(lambda connection: workflows.syncs(connection, DEFAULT_WORKSPACE))
    assert syncs == {"c1": workflows.SyncRow("c1", 1, 1, 7, 7, None, None)}


async def test_what_a_later_list_does_not_have_is_forgotten(database: Database):
    await connect(database, "c1")
    await listed(database, ROW, replace(ROW, workflow_id="w2"))
    changed = replace(ROW, name="New", is_active=False, tags=(), folder="", team="", content_hash="h2")
    await listed(database, changed, now=9)
    assert (await browse(database)).workflows == (changed,)
    counts = await database.read(lambda connection: workflows.counts(connection, DEFAULT_WORKSPACE))
    assert counts == {"n8n": 1}


async def test_a_list_that_breaks_off_keeps_what_is_known_and_says_why(database: Database):
    await connect(database, "c1")
    await listed(database, ROW)

    def work(connection: Connection) -> None:
        number = workflows.begin_sync(connection, "c1", updated_date=MADE, now=8)
        assert number == 2
        workflows.put_page(connection, [replace(ROW, workflow_id="w2")], updated_date=MADE, number=number)
        workflows.fail_sync(connection, "c1", failure="It is\0 down.", now=9)

    await database.write(work)
    assert (await browse(database)).total == 2
    syncs = await database.read(lambda connection: workflows.syncs(connection, DEFAULT_WORKSPACE))
    assert syncs["c1"] == workflows.SyncRow("c1", 2, 2, 8, 7, 9, "It is down.")
    await listed(database, ROW, now=10)
    syncs = await database.read(lambda connection: workflows.syncs(connection, DEFAULT_WORKSPACE))
    assert syncs["c1"] == workflows.SyncRow("c1", 3, 1, 10, 10, None, None)


@pytest.mark.parametrize(
    "statement", ["UPDATE provider_connection SET updated_date = 2000", "DELETE FROM provider_connection"]
)
async def test_nothing_is_kept_of_a_connection_that_was_changed_or_deleted(
    database: Database, statement: str
):
    await connect(database, "c1")
    await listed(database, ROW)

    def work(connection: Connection) -> None:
        connection.execute(text(statement))
        assert workflows.begin_sync(connection, "c1", updated_date=MADE, now=8) is None
        page = [replace(ROW, name="Elsewhere")]
        assert not workflows.put_page(connection, page, updated_date=MADE, number=2)
        assert not workflows.finish_sync(connection, "c1", updated_date=MADE, now=8)
        workflows.fail_sync(connection, "c1", failure="x", now=8)

    await database.write(work)
    expected = () if statement.startswith("DELETE") else ("Nightly orders",)
    assert tuple(row.name for row in (await browse(database)).workflows) == expected


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (WorkflowFilter(text="ORDERS"), {"1", "2"}),
        (WorkflowFilter(text=" ÉMILE "), {"1"}),
        (WorkflowFilter(text="strasse"), {"3"}),
        (WorkflowFilter(text="s_1"), {"2"}),
        (WorkflowFilter(text="%"), set()),
        (WorkflowFilter(is_active=True), {"1", "2"}),
        (WorkflowFilter(is_active=False), {"3"}),
        (WorkflowFilter(tag="a"), {"2"}),
        (WorkflowFilter(tag="A"), {"1"}),
        (WorkflowFilter(tag="a b"), {"3"}),
        (WorkflowFilter(folder="Shop"), {"2"}),
        (WorkflowFilter(team="Ops", is_active=False), {"3"}),
        (WorkflowFilter(), {"1", "2", "3"}),
    ],
)
async def test_workflows_are_found_by_name_and_filters(
    database: Database, wanted: WorkflowFilter, found: set[str]
):
    await connect(database, "c1")
    await listed(
        database,
        replace(ROW, workflow_id="1", name="Émile orders", tags=("A",), folder="", team=""),
        replace(ROW, workflow_id="2", name="orders_1", tags=("a", "c"), team=""),
        replace(ROW, workflow_id="3", name="Straße", tags=("a\nb",), folder="", is_active=False),
    )
    shown = await browse(database, wanted)
    assert {row.workflow_id for row in shown.workflows} == found
    assert shown.total == len(found)


@pytest.mark.parametrize(
    ("sort", "order"), [("name", "312"), ("-name", "213"), ("updated", "231"), ("-updated", "132")]
)
async def test_workflows_are_sorted(database: Database, sort: str, order: str):
    await connect(database, "c1")
    await listed(
        database,
        replace(ROW, workflow_id="1", name="bills", updated_at=9),
        replace(ROW, workflow_id="2", name="Copy", updated_at=None),
        replace(ROW, workflow_id="3", name="Accounts", updated_at=5),
    )
    found = await browse(database, WorkflowFilter(sort=sort))
    assert "".join(row.workflow_id for row in found.workflows) == order


async def test_a_stretch_of_the_list_of_several_connections(database: Database):
    for connection_id in ("c1", "c2", "c3"):
        await connect(database, connection_id)
        rows = [
            replace(ROW, connection_id=connection_id, workflow_id=f"w{number}", name=f"Flow {number}")
            for number in range(3)
        ]
        await listed(database, *rows, connection_id=connection_id)
    found = await browse(database, ids=("c1", "c3"), offset=1, limit=3)
    assert [(row.connection_id, row.name) for row in found.workflows] == [
        ("c3", "Flow 0"),
        ("c1", "Flow 1"),
        ("c3", "Flow 1"),
    ]
    assert found.total == 6
    assert await browse(database, ids=()) == Found((), 0, (), (), ())
    assert (await browse(database, offset=50)).workflows == ()


async def test_the_values_to_filter_by_do_not_depend_on_the_filter(database: Database):
    await connect(database, "c1")
    await listed(database, ROW, replace(ROW, workflow_id="w2", folder="Bills", team="", tags=("x",)))
    found = await browse(database, WorkflowFilter(folder="Bills"))
    assert (found.total, found.folders, found.teams) == (1, ("Bills", "Shop"), ("Ops",))
    assert found.tags == ("daily", "Sales", "x")


async def test_texts_that_a_database_does_not_take_are_cut_to_what_it_does(database: Database):
    await connect(database, "c1")
    odd = replace(
        ROW,
        name="a\0\ud83d" + "x" * 3_000,
        kind="k" * 99,
        content_hash="h" * 99,
        folder="\0f",
        note="n\0",
        link="\0",
        team="\0",
    )
    await listed(database, odd)
    (row,) = (await browse(database)).workflows
    assert (row.name[:3], len(row.name)) == ("a?x", workflows.LONGEST_NAME)
    assert (len(row.kind), len(row.content_hash)) == (40, 64)
    assert (row.folder, row.note, row.link, row.team) == ("f", "n", "", "")


async def test_a_look_at_one_workflow_brings_its_row_up_to_date(database: Database):
    await connect(database, "c1")
    seen = replace(ROW, name="New", is_active=False, updated_at=None, tags=(), folder="", content_hash="h2")
    await database.write(lambda connection: workflows.put_seen(connection, seen))
    assert (await browse(database)).total == 0, "without a list there is nothing to bring up to date"
    await listed(database, ROW, replace(ROW, workflow_id="w2", content_hash=""))

    def work(connection: Connection) -> None:
        for workflow_id in ("w1", "w2", "w3"):
            workflows.put_seen(connection, replace(seen, workflow_id=workflow_id))

    await database.write(work)
    first, second, third = (await browse(database)).workflows
    assert first == replace(ROW, name="New", is_active=False, content_hash="h2")
    assert second.content_hash == "", "a list that tells no digest goes on telling none"
    assert third == replace(seen, workflow_id="w3")
    counts = await database.read(lambda connection: workflows.counts(connection, DEFAULT_WORKSPACE))
    assert counts == {"n8n": 3}


async def test_single_workflows_are_found_and_forgotten(database: Database):
    await connect(database, "c1")
    await listed(database, ROW)

    def find(connection: Connection) -> list[CachedWorkflow]:
        return workflows.find(connection, ["c1", "c2"], ["w1", "w2"])

    assert await database.read(find) == [ROW]
    assert await database.read(lambda connection: workflows.find(connection, [], [])) == []
    assert await database.write(lambda connection: workflows.delete(connection, "c1", "w1"))
    assert not await database.write(lambda connection: workflows.delete(connection, "c1", "w1"))
    assert await database.read(find) == []


async def test_a_connection_that_leads_elsewhere_begins_anew(database: Database):
    await connect(database, "c1")
    await listed(database, ROW)
    await database.write(lambda connection: workflows.forget(connection, "c1"))
    assert (await browse(database)).total == 0
    assert await database.read(lambda connection: workflows.syncs(connection, DEFAULT_WORKSPACE)) == {}


async def test_nobody_sees_how_lists_of_another_workspace_fare(database: Database):
    await connect(database, "c1")
    await listed(database, ROW)
    assert await database.read(lambda connection: workflows.syncs(connection, "another")) == {}
    assert await database.read(lambda connection: workflows.counts(connection, "another")) == {}


async def test_five_thousand_workflows_are_browsed_at_once(database: Database):
    await connect(database, "c1")
    rows = [
        replace(ROW, workflow_id=f"w{number}", name=f"Flow {number:04}", tags=(f"tag {number % 20}",))
        for number in range(5_000)
    ]
    await listed(database, *rows)
    matching = sum("99" in row.name and row.tags == ("tag 19",) for row in rows)
    took: list[float] = []
    for wanted, total in (
        (EVERYTHING, 5_000),
        (WorkflowFilter(text="99", tag="tag 19", sort="-updated"), matching),
    ):
        began = time.perf_counter()
        found = await browse(database, wanted, offset=10, limit=100)
        took.append(time.perf_counter() - began)
        assert found.total == total
    # Either takes a tenth of the bound; what a busy machine adds is no fault of the query.
    assert min(took) < 0.15
