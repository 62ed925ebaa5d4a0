from typing import Any

import pytest

from orchestrator_app.storage import connections
from orchestrator_app.storage.connections import ConnectionRow
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import Connection, Violation, text
from orchestrator_app.storage.workspaces import DEFAULT_WORKSPACE

OTHER = "another-workspace"


async def insert(
    database: Database,
    connection_id: str,
    name: str,
    provider: str = "n8n",
    workspace: str = DEFAULT_WORKSPACE,
) -> bool:
    def work(connection: Connection) -> bool:
        return connections.insert(
            connection,
            workspace,
            connection_id=connection_id,
            provider=provider,
            name=name,
            settings='{"baseUrl":"http://n8n"}',
            secrets="v1.sealed",
            now=1_000,
        )

    return await database.write(work)


async def update(
    database: Database, connection_id: str, name: str, workspace: str = DEFAULT_WORKSPACE
) -> bool:
    def work(connection: Connection) -> bool:
        return connections.update(
            connection,
            workspace,
            connection_id=connection_id,
            name=name,
            settings="{}",
            secrets="v1.new",
            now=2_000,
        )

    return await database.write(work)


async def get(
    database: Database, connection_id: str, workspace: str = DEFAULT_WORKSPACE
) -> ConnectionRow | None:
    return await database.read(lambda connection: connections.get(connection, workspace, connection_id))


async def set_status(
    database: Database, connection_id: str, workspace: str = DEFAULT_WORKSPACE, **status: Any
) -> None:
    wishes = {"status": "connected", "detail": "It works.", "now": 3_000, "updated_date": 1_000} | status
    await database.write(
        lambda connection: connections.set_status(
            connection, workspace, connection_id=connection_id, **wishes
        )
    )


async def listed(database: Database, workspace: str = DEFAULT_WORKSPACE) -> list[tuple[str, str]]:
    rows = await database.read(lambda connection: connections.list_connections(connection, workspace))
    return [(row.provider, row.name) for row in rows]


async def test_a_new_connection_is_kept_untested(database: Database):
    assert await insert(database, "c1", "Main")
    assert await get(database, "c1") == ConnectionRow(
        "c1",
        "default",
        "n8n",
        "Main",
        '{"baseUrl":"http://n8n"}',
        "v1.sealed",
        "untested",
        "",
        None,
        1_000,
        1_000,
    )
    assert await get(database, "c2") is None


async def test_a_name_is_given_once_per_provider(database: Database):
    assert await insert(database, "c1", "Main")
    assert not await insert(database, "c2", "Main")
    assert await insert(database, "c3", "Main", provider="make")
    assert await insert(database, "c4", "Other")
    assert await get(database, "c2") is None
    assert not await update(database, "c4", "Main")
    kept = await get(database, "c4")
    assert kept is not None
    assert (kept.name, kept.secrets) == ("Other", "v1.sealed")


async def test_a_taken_name_does_not_undo_what_else_its_transaction_does(database: Database):
    await insert(database, "c1", "Main")

    def work(connection: Connection) -> bool:
        same = {"provider": "n8n", "settings": "{}", "secrets": "s", "now": 1}
        is_stored = connections.insert(connection, DEFAULT_WORKSPACE, connection_id="c2", name="Main", **same)
        connections.insert(connection, DEFAULT_WORKSPACE, connection_id="c3", name="Free", **same)
        return is_stored

    assert not await database.write(work)
    assert await get(database, "c3") is not None


async def test_other_mistakes_are_not_taken_for_a_taken_name(database: Database):
    await insert(database, "c1", "Main")
    with pytest.raises(Violation):
        await insert(database, "c1", "Other")
    with pytest.raises(Violation):
        await insert(database, "c2", "Other", workspace="nowhere")


async def test_a_changed_connection_has_to_be_tested_again(database: Database):
    await insert(database, "c1", "Main")
    await set_status(database, "c1")
    assert await update(database, "c1", "Renamed")
    assert await get(database, "c1") == ConnectionRow(
        "c1", "default", "n8n", "Renamed", "{}", "v1.new", "untested", "", None, 1_000, 2_000
    )
    assert await update(database, "c1", "Renamed")


async def test_a_connection_remembers_how_it_was_found_to_fare(database: Database):
    await insert(database, "c1", "Main")
    await set_status(database, "c1", detail="It said \0 and \ud83d.")
    row = await get(database, "c1")
    assert row is not None
    assert (row.status, row.status_detail, row.checked_date) == ("connected", "It said  and ?.", 3_000)
    assert row.updated_date == 1_000


async def test_a_connection_that_was_deleted_in_the_meantime_stays_deleted(database: Database):
    await insert(database, "c1", "Main")
    assert await database.write(lambda connection: connections.delete(connection, DEFAULT_WORKSPACE, "c1"))
    assert not await database.write(
        lambda connection: connections.delete(connection, DEFAULT_WORKSPACE, "c1")
    )
    assert await update(database, "c1", "Main")
    await set_status(database, "c1")
    assert await get(database, "c1") is None


async def test_connections_are_listed_by_provider_and_name_whatever_the_case(database: Database):
    for number, (provider, name) in enumerate([("n8n", "beta"), ("n8n", "Alpha"), ("make", "Zulu")]):
        await insert(database, f"c{number}", name, provider)
    assert await listed(database) == [("make", "Zulu"), ("n8n", "Alpha"), ("n8n", "beta")]


async def test_nobody_reaches_into_another_workspace(database: Database):
    def make_workspace(connection: Connection) -> None:
        connection.execute(
            text("INSERT INTO workspace (id, name, created_date) VALUES (:id, 'Other', 1)"), {"id": OTHER}
        )

    await database.write(make_workspace)
    await insert(database, "c1", "Main")
    assert await insert(database, "c2", "Main", workspace=OTHER)
    assert await get(database, "c1", OTHER) is None
    assert await listed(database, OTHER) == [("n8n", "Main")]
    await update(database, "c1", "Stolen", OTHER)
    await set_status(database, "c1", OTHER)
    assert not await database.write(lambda connection: connections.delete(connection, OTHER, "c1"))
    row = await get(database, "c1")
    assert row is not None
    assert (row.name, row.status) == ("Main", "untested")


async def test_an_outcome_counts_only_for_the_connection_it_was_found_with(database: Database):
    await insert(database, "c1", "Main")

    async def found(status: str, updated_date: int) -> str:
        await database.write(
            lambda connection: connections.set_status(
                connection,
                DEFAULT_WORKSPACE,
                connection_id="c1",
                status=status,
                detail="",
                now=3_000,
                updated_date=updated_date,
            )
        )
        row = await get(database, "c1")
        assert row is not None
        return row.status

    assert await found("refused", 999) == "untested"
    assert await found("refused", 1_000) == "refused"
    assert await found("connected", 999) == "refused"


async def test_the_watch_sees_the_connections_of_every_workspace(database: Database):
    def make_workspace(connection: Connection) -> None:
        connection.execute(
            text("INSERT INTO workspace (id, name, created_date) VALUES (:id, 'Other', 1)"), {"id": OTHER}
        )

    await database.write(make_workspace)
    await insert(database, "c1", "Main")
    await insert(database, "c2", "Main", workspace=OTHER)
    states = await database.read(connections.all_states)
    assert [(state.id, state.workspace_id, state.status, state.checked_date) for state in states] == [
        ("c1", DEFAULT_WORKSPACE, "untested", None),
        ("c2", OTHER, "untested", None),
    ]
