"""How a run is stored: checked, and claimed in the same transaction when this process can begin with it at once."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from orchestrator_app.domain.definition import Definition, from_stored
from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.ports import ClaimedRun
from orchestrator_app.domain.validation import Validation, validate
from orchestrator_app.errors import Conflict, InvalidDefinition, NotFound
from orchestrator_app.storage import orchestrator_settings as setting_rows
from orchestrator_app.storage import orchestrators as orchestrator_rows
from orchestrator_app.storage import payloads
from orchestrator_app.storage import runs as rows
from orchestrator_app.storage.orchestrators import OrchestratorWithGraph
from orchestrator_app.storage.sql import Connection

# Of which version of its orchestrator a run is repeated.
WhichDefinition = Literal["same", "newest"]
_KNOWN_DEFINITIONS = 64


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that somebody asks for; the fields are those of ``Runs.start``.

    With a ``version_id`` it is a run of that version of the orchestrator, otherwise of the newest.
    """

    run_id: str
    orchestrator_id: str
    data: JsonValue
    trigger: str
    idempotency_key: str = ""
    parent_run_id: str | None = None
    version_id: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class StoredStart:
    """What became of it: its row, or that of the run which an earlier start with the same key began.

    ``claimed`` is there when the run was stored as claimed by this process.
    """

    row: rows.RunRow
    is_new: bool
    claimed: ClaimedRun | None = None


def store_start(
    connection: Connection,
    workspace_id: str,
    new: NewRun,
    *,
    owner: str,
    now: int,
    deadline_ms: int | None = None,
) -> StoredStart:
    """Store a run of the newest version, or of the one that is asked for.

    It is claimed for ``owner``, unless its orchestrator limits its runs: then it may have to wait for its turn.
    ``deadline_ms`` is how long it may take if the orchestrator does not say it.

    Raises:
        NotFound: There is no such orchestrator here.
        InvalidDefinition: The graph has problems that block a run.
        Conflict: The key was used with other input.
    """
    orchestrator = orchestrator_rows.get(connection, workspace_id, new.orchestrator_id)
    if orchestrator is None:
        raise NotFound("There is no such orchestrator.", hint="It may have been deleted.")
    if new.version_id:
        definition = rows.definition_of(connection, new.version_id)
        orchestrator = replace(
            orchestrator, version_id=new.version_id, version=new.version, definition=definition
        )
    limits = setting_rows.run_limits(connection, orchestrator.id)
    if limits.concurrency is not None:
        owner = ""
    deadline_ms = deadline_ms if limits.deadline_ms is None else limits.deadline_ms
    deadline_at = None if deadline_ms is None else now + deadline_ms
    digest = _digest(new.data)
    stored = rows.insert_run(
        connection,
        workspace_id,
        run_id=new.run_id,
        orchestrator_id=new.orchestrator_id,
        orchestrator_name=orchestrator.name,
        version_id=orchestrator.version_id,
        version=orchestrator.version,
        trigger=new.trigger,
        data=new.data,
        input_digest=digest,
        idempotency_key=new.idempotency_key or None,
        parent_run_id=new.parent_run_id,
        owner=owner,
        now=now,
        deadline_at=deadline_at,
    )
    if not stored.is_new and stored.input_digest != digest:
        raise Conflict(
            "This Idempotency-Key was used before with other input.",
            hint="Use a new key for new input, or send the same input again.",
        )
    if stored.is_new:
        _check_runnable(orchestrator.name, orchestrator.definition)
    row = rows.get(connection, workspace_id, stored.run_id)
    if row is None:  # pragma: no cover - it was inserted above
        raise NotFound("There is no such run.")
    claimed = _claimed(new, orchestrator, now, deadline_at) if owner and stored.is_new else None
    return StoredStart(row, stored.is_new, claimed)


def _claimed(
    new: NewRun, orchestrator: OrchestratorWithGraph, now: int, deadline_at: int | None
) -> ClaimedRun:
    """The run as a claim would give it back."""
    return ClaimedRun(
        run_id=new.run_id,
        workspace_id=orchestrator.workspace_id,
        orchestrator_id=orchestrator.id,
        orchestrator_name=orchestrator.name,
        epoch=1,
        wake=0,
        is_new=True,
        input=new.data,
        definition=_definition(orchestrator.definition),
        variables={},
        created_at=now,
        nodes={},
        waits=[],
        seq=0,
        deadline_at=deadline_at,
    )


def _digest(data: JsonValue) -> str:
    """Tells inputs apart; the order of keys says nothing."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=_KNOWN_DEFINITIONS)
def _validated(definition: str) -> Validation:
    """What validation says of a stored definition, which never changes."""
    return validate(payloads.loads(definition))


@lru_cache(maxsize=_KNOWN_DEFINITIONS)
def _definition(definition: str) -> Definition:
    return from_stored(payloads.loads(definition))


def _check_runnable(name: str, definition: str) -> None:
    result = _validated(definition)
    if not result.can_run:
        blocking = [problem for problem in result.problems if problem.blocks != "nothing"]
        raise InvalidDefinition(
            f"“{name}” cannot run yet: {blocking[0].message}",
            hint="Open it in the editor; every problem is marked on its node.",
            errors=[problem.as_json() for problem in result.problems],
        )
