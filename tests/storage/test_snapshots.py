from orchestrator_app.storage import snapshots
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.snapshots import Snapshot
from orchestrator_app.storage.sql import Connection
from tests.storage.test_workflows import connect


async def put(database: Database, content_hash: str, now: int, workflow_id: str = "w1") -> None:
    await database.write(
        lambda connection: snapshots.put(
            connection, "c1", workflow_id, content_hash=content_hash, preview=f'"{content_hash}"', now=now
        )
    )


async def known(database: Database) -> dict[str, bool]:
    """The graphs of ``w1``, and whether they are kept."""

    def work(connection: Connection) -> dict[str, bool]:
        found = (snapshots.get(connection, "c1", "w1", digest) for digest in ("h1", "h2", "h3"))
        return {snapshot.content_hash: snapshot.is_kept for snapshot in found if snapshot}

    return await database.read(work)


async def newest(database: Database) -> Snapshot | None:
    found = await database.read(lambda connection: snapshots.newest(connection, ["c1"], ["w1", "w9"]))
    return found.get(("c1", "w1"))


async def keep(database: Database, content_hash: str) -> None:
    await database.write(lambda connection: snapshots.keep(connection, "c1", "w1", content_hash))


async def test_the_newest_graph_takes_the_place_of_the_one_before(database: Database):
    await connect(database, "c1")
    await put(database, "h1", 1)
    await put(database, "h1", 2, workflow_id="w2")
    await put(database, "h2", 3)
    assert await known(database) == {"h2": False}
    assert await newest(database) == Snapshot("c1", "w1", "h2", is_kept=False, preview='"h2"', fetched_date=3)
    await put(database, "h2", 4)
    found = await newest(database)
    assert found is not None
    assert found.fetched_date == 4


async def test_a_graph_from_which_a_node_was_made_stays(database: Database):
    await connect(database, "c1")
    await put(database, "h1", 1)
    await keep(database, "h1")
    await put(database, "h2", 2)
    await put(database, "h3", 3)
    assert await known(database) == {"h1": True, "h3": False}
    await put(database, "h1", 4)
    assert await known(database) == {"h1": True}, "what was kept once stays kept when it is seen again"


async def test_a_connection_that_leads_elsewhere_keeps_only_what_nodes_need(database: Database):
    await connect(database, "c1")
    await put(database, "h1", 1)
    await keep(database, "h1")
    await put(database, "h2", 2)
    await database.write(lambda connection: snapshots.forget(connection, "c1"))
    assert await known(database) == {"h1": True}


async def test_nothing_is_kept_for_a_connection_that_is_gone(database: Database):
    await put(database, "h1", 1)
    assert await newest(database) is None
