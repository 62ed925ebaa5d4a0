"""What the contract of a checkpoint store needs besides the store itself: runs to write about, and eyes to look."""

import hashlib
import itertools
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestrator_app.domain.definition import Definition, Node
from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.ports import CheckpointStore, ClaimedRun
from orchestrator_app.storage import callbacks, orchestrators, payloads, run_parts, runs
from orchestrator_app.storage.checkpoints import SqlCheckpointStore
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import text
from orchestrator_app.storage.workspaces import DEFAULT_WORKSPACE

GRAPH = Definition(
    (Node("a", "DataMapper", "First", {"mappings": []}), Node("b", "WaitForCallback", "Second"))
)


class Journal(Protocol):
    """One implementation of the store, and the use of it that others make."""

    store: CheckpointStore
    now: int
    changes: list[tuple[str, str, str, int]]

    async def new_run(self, data: JsonValue = None) -> str:
        """A run that nobody has claimed yet."""
        ...

    async def arrive(self, run_id: str, token: str, body: JsonValue = None) -> str:
        """A callback from outside; gives what became of it."""
        ...

    async def cancel(self, run_id: str) -> bool:
        """Somebody cancels the run."""
        ...

    async def run(self, run_id: str) -> runs.RunRow:
        """The run as everybody sees it."""
        ...

    async def output(self, run_id: str) -> JsonValue:
        """The run's output as everybody sees it."""
        ...

    async def node(self, run_id: str, node_id: str) -> run_parts.NodeRow | None:
        """A node as everybody sees it."""
        ...

    async def attempts(self, run_id: str) -> list[run_parts.AttemptRow]:
        """The calls of a run as everybody sees them."""
        ...

    async def log(self, run_id: str) -> list[str]:
        """The messages of a run's log."""
        ...

    async def everything(self, run_id: str) -> Any:
        """All that is stored about a run, to compare before and after."""
        ...


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def seal(token: str, wait_id: str) -> str:
    return f"sealed for {wait_id}: {token[::-1]}"


def unseal(sealed: str, wait_id: str) -> str:
    owner, _, rest = sealed.removeprefix("sealed for ").partition(": ")
    assert owner == wait_id
    return rest[::-1]


@dataclass
class SqlJournal:
    """The store on SQL."""

    database: Database
    now: int = 1_000
    changes: list[tuple[str, str, str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._orchestrator_id = ""
        self.store = SqlCheckpointStore(
            self.database,
            seal=seal,
            unseal=unseal,
            token_hash=token_hash,
            changed=self.note,
            now=lambda: self.now,
        )

    def note(
        self, workspace_id: str, orchestrator_id: str, run_id: str, seq: int, *, is_end: bool = False
    ) -> None:
        self.changes.append((workspace_id, orchestrator_id, run_id, seq))

    async def new_orchestrator(
        self, name: str = "Nightly", *, now: int | None = None, description: str = ""
    ) -> str:
        number = next(self._numbers)
        orchestrator_id = f"orchestrator-{number:04}"
        await self.database.write(
            lambda connection: orchestrators.insert(
                connection,
                DEFAULT_WORKSPACE,
                orchestrator_id=orchestrator_id,
                version_id=f"version-{number:04}",
                name=name,
                description=description,
                definition=payloads.dumps(GRAPH.as_json()),
                node_count=len(GRAPH.nodes),
                now=self.now if now is None else now,
            )
        )
        return orchestrator_id

    async def new_run(
        self,
        data: JsonValue = None,
        *,
        orchestrator_id: str = "",
        name: str = "Nightly",
        now: int | None = None,
        key: str | None = None,
        digest: str = "",
    ) -> str:
        if not orchestrator_id:
            self._orchestrator_id = self._orchestrator_id or await self.new_orchestrator()
            orchestrator_id = self._orchestrator_id
        run_id = f"run-{next(self._numbers):04}"
        inserted = await self.database.write(
            lambda connection: runs.insert_run(
                connection,
                DEFAULT_WORKSPACE,
                run_id=run_id,
                orchestrator_id=orchestrator_id,
                orchestrator_name=name,
                version_id=orchestrator_id.replace("orchestrator", "version"),
                version=1,
                trigger="api",
                data=data,
                input_digest=digest,
                idempotency_key=key,
                parent_run_id=None,
                owner="",
                now=self.now if now is None else now,
            )
        )
        return inserted.run_id

    async def claimed(self, data: JsonValue = None) -> ClaimedRun:
        run = await self.store.claim(await self.new_run(data), "me")
        assert run is not None
        return run

    async def arrive(self, run_id: str, token: str, body: JsonValue = None) -> str:
        received = await self.database.write(
            lambda connection: callbacks.receive(connection, run_id, token_hash(token), body, self.now)
        )
        return received.outcome

    async def cancel(self, run_id: str) -> bool:
        calls = await self.database.write(
            lambda connection: runs.cancel(connection, DEFAULT_WORKSPACE, run_id, self.now)
        )
        return calls is not None

    async def run(self, run_id: str) -> runs.RunRow:
        row = await self.database.read(lambda connection: runs.get(connection, DEFAULT_WORKSPACE, run_id))
        assert row is not None
        return row

    async def whole(self, run_id: str) -> run_parts.WholeRun:
        whole = await self.database.read(
            lambda connection: run_parts.whole(connection, DEFAULT_WORKSPACE, run_id)
        )
        assert whole is not None
        return whole

    async def output(self, run_id: str) -> JsonValue:
        return (await self.whole(run_id)).output

    async def node(self, run_id: str, node_id: str) -> run_parts.NodeRow | None:
        return next((row for row in (await self.whole(run_id)).nodes if row.node_id == node_id), None)

    async def attempts(self, run_id: str) -> list[run_parts.AttemptRow]:
        return (await self.whole(run_id)).attempts

    async def log(self, run_id: str) -> list[str]:
        return [row.message for row in (await self.whole(run_id)).logs]

    async def everything(self, run_id: str) -> dict[str, list[tuple[Any, ...]]]:
        tables = {"orchestrator_run": "id"} | dict.fromkeys(
            ("node_run", "attempt", "run_log", "callback_wait", "payload"), "run_id"
        )
        return {table: await self.rows(table, f"{column} = '{run_id}'") for table, column in tables.items()}

    async def rows(self, table: str, condition: str = "1 = 1") -> list[tuple[Any, ...]]:
        statement = text(f"SELECT * FROM {table} WHERE {condition} ORDER BY 1, 2")  # noqa: S608 - of tests
        return await self.database.read(
            lambda connection: [tuple(row) for row in connection.execute(statement)]
        )
