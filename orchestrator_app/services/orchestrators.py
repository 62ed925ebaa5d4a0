"""Orchestrators: listed, created, saved with a version check, duplicated, imported, exported and deleted."""

from collections.abc import Callable
from typing import Any, cast

from orchestrator_app.domain.definition import Definition
from orchestrator_app.domain.validation import Validation, validate
from orchestrator_app.errors import InvalidDefinition, InvalidInput, NotFound, OutdatedVersion
from orchestrator_app.runner.hub import Change, Hub
from orchestrator_app.services.names import MAX_NAME_LENGTH, checked_name
from orchestrator_app.services.views import OrchestratorDetail, OrchestratorSummary, Page
from orchestrator_app.storage import orchestrators as rows
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.payloads import dumps, loads
from orchestrator_app.storage.sql import Connection

MAX_DESCRIPTION_LENGTH = 5_000
MAX_PAGE = 200
EXPORT_KIND = "orchestrator"


class Orchestrators:
    """Use cases around definitions. Every call takes the workspace; an id of another one is not found."""

    def __init__(
        self, database: Database, hub: Hub, *, now: Callable[[], int], new_id: Callable[[], str]
    ) -> None:
        self._database = database
        self._hub = hub
        self._now = now
        self._new_id = new_id

    def validate(self, definition: object) -> Validation:
        """Check a definition without keeping it."""
        return validate(definition)

    async def page(
        self, workspace_id: str, *, query: str = "", cursor: str = "", limit: int = 50
    ) -> Page[OrchestratorSummary]:
        """Those whose name or description contains ``query``, newest change first."""
        limit = max(1, min(limit, MAX_PAGE))
        found, following = await self._database.read(
            lambda connection: rows.page(connection, workspace_id, query=query, cursor=cursor, limit=limit)
        )
        return Page(tuple(_summary(row) for row in found), following)

    async def get(self, workspace_id: str, orchestrator_id: str) -> OrchestratorDetail:
        """One with its graph.

        Raises:
            NotFound: There is none by that id here.
        """
        return await self._database.read(
            lambda connection: _detail(connection, workspace_id, orchestrator_id)
        )

    async def create(
        self, workspace_id: str, *, name: str, description: str = "", definition: object = None
    ) -> OrchestratorDetail:
        """A new one; without a definition it starts empty.

        Raises:
            InvalidInput: The name or description is not acceptable.
            InvalidDefinition: The definition cannot be kept.
        """
        name, description = checked_name(name), _checked_description(description)
        graph = _savable(definition if definition is not None else Definition().as_json())
        orchestrator_id, now = self._new_id(), self._now()
        version_id = self._new_id()

        def work(connection: Connection) -> OrchestratorDetail:
            rows.insert(
                connection,
                workspace_id,
                orchestrator_id=orchestrator_id,
                version_id=version_id,
                name=name,
                description=description,
                definition=dumps(graph.as_json()),
                node_count=len(graph.nodes),
                now=now,
            )
            return _detail(connection, workspace_id, orchestrator_id)

        detail = await self._database.write(work)
        self._publish(detail)
        return detail

    async def save(
        self,
        workspace_id: str,
        orchestrator_id: str,
        *,
        expected_version: int | None,
        name: str | None = None,
        description: str | None = None,
        definition: object = None,
    ) -> OrchestratorDetail:
        """Keep changes as a new version.

        ``expected_version`` is the version the caller started from; None overwrites whatever is there. Of name,
        description and definition, None keeps what is stored.

        Raises:
            NotFound: There is none by that id here.
            OutdatedVersion: Somebody else saved in between; nothing was written.
            InvalidInput: The name or description is not acceptable.
            InvalidDefinition: The definition cannot be kept; drafts that cannot run yet can.
        """
        new_name = checked_name(name) if name is not None else None
        new_description = _checked_description(description) if description is not None else None
        graph = _savable(definition) if definition is not None else None
        version_id, now = self._new_id(), self._now()

        def work(connection: Connection) -> OrchestratorDetail:
            present = _detail(connection, workspace_id, orchestrator_id)
            content = graph.as_json() if graph is not None else present.definition
            saved = rows.save_version(
                connection,
                workspace_id,
                orchestrator_id=orchestrator_id,
                expected_version=expected_version,
                version_id=version_id,
                name=new_name if new_name is not None else present.name,
                description=new_description if new_description is not None else present.description,
                definition=dumps(content),
                node_count=len(content["nodes"]),
                now=now,
            )
            if saved is None:
                raise OutdatedVersion(
                    f"“{present.name}” was saved by somebody else in the meantime (version {present.version}).",
                    hint="Load the newest version, or save yours over it if you mean to.",
                    context={"version": present.version},
                )
            return _detail(connection, workspace_id, orchestrator_id)

        detail = await self._database.write(work)
        self._publish(detail)
        return detail

    async def duplicate(self, workspace_id: str, orchestrator_id: str) -> OrchestratorDetail:
        """A copy under a new name."""
        source = await self.get(workspace_id, orchestrator_id)
        name = f"{source.name[: MAX_NAME_LENGTH - 7]} (copy)"
        return await self.create(
            workspace_id, name=name, description=source.description, definition=source.definition
        )

    async def delete(self, workspace_id: str, orchestrator_id: str) -> int:
        """Take it off the list; its history stays, and runs under way go on to their end.

        Returns:
            How many runs are still under way.
        """
        now = self._now()

        def work(connection: Connection) -> int:
            if not rows.mark_deleted(connection, workspace_id, orchestrator_id, now):
                raise _not_found(orchestrator_id)
            return rows.count_open_runs(connection, workspace_id, orchestrator_id)

        still_open = await self._database.write(work)
        self._hub.publish(Change("orchestrator", workspace_id, orchestrator_id))
        return still_open

    async def export(self, workspace_id: str, orchestrator_id: str) -> dict[str, Any]:
        """A document that ``import_document`` reads; it names connections by id and holds no secret."""
        detail = await self.get(workspace_id, orchestrator_id)
        return {
            "kind": EXPORT_KIND,
            "name": detail.name,
            "description": detail.description,
            "definition": detail.definition,
        }

    async def import_document(self, workspace_id: str, document: object) -> OrchestratorDetail:
        """Create one from an export, or from a bare definition of the original's shape.

        Raises:
            InvalidInput: It is neither.
            InvalidDefinition: Its graph cannot be kept.
        """
        if not isinstance(document, dict):
            raise InvalidInput(
                "This is no export of an orchestrator.",
                hint="Import the JSON of an export, or a definition with nodes and edges.",
            )
        fields = cast("dict[str, Any]", document)
        wrapped = next((fields[key] for key in ("definition", "flowData") if key in fields), None)
        if isinstance(wrapped, str):
            try:
                wrapped = loads(wrapped)
            except ValueError as error:
                raise InvalidInput("The definition inside this document is not JSON.") from error
        definition = wrapped if wrapped is not None else fields
        name = fields.get("name")
        description = fields.get("description")
        return await self.create(
            workspace_id,
            name=name if isinstance(name, str) and name.strip() else "Imported orchestrator",
            description=description if isinstance(description, str) else "",
            definition=definition,
        )

    def _publish(self, detail: OrchestratorDetail) -> None:
        self._hub.publish(Change("orchestrator", detail.workspace_id, detail.id, detail.version))


def _checked_description(description: str) -> str:
    if len(description) > MAX_DESCRIPTION_LENGTH:
        message = f"The description may have at most {MAX_DESCRIPTION_LENGTH} characters."
        raise InvalidInput(message, errors=[{"field": "description", "message": message}])
    return description.strip()


def _savable(raw: object) -> Definition:
    result = validate(raw)
    if result.definition is None or not result.can_save:
        stopping = [problem for problem in result.problems if problem.blocks == "save"]
        raise InvalidDefinition(
            f"This cannot be saved: {stopping[0].message}",
            hint="Mend what blocks saving; everything else may wait until the first run.",
            errors=[problem.as_json() for problem in result.problems],
        )
    return result.definition


def _not_found(orchestrator_id: str) -> NotFound:
    return NotFound(
        "There is no such orchestrator.",
        hint="It may have been deleted. Go back to the list.",
        context={"id": orchestrator_id},
    )


def _summary(row: rows.OrchestratorRow) -> OrchestratorSummary:
    return OrchestratorSummary(
        id=row.id,
        workspace_id=row.workspace_id,
        name=row.name,
        description=row.description,
        version=row.version,
        node_count=row.node_count,
        created_date=row.created_date,
        updated_date=row.updated_date,
        last_run_id=row.last_run_id,
        last_run_state=row.last_run_state,
        last_run_date=row.last_run_date,
    )


def _detail(connection: Connection, workspace_id: str, orchestrator_id: str) -> OrchestratorDetail:
    row = rows.get(connection, workspace_id, orchestrator_id)
    if row is None:
        raise _not_found(orchestrator_id)
    content = loads(row.definition)
    result = validate(content)
    return OrchestratorDetail(
        id=row.id,
        workspace_id=row.workspace_id,
        name=row.name,
        description=row.description,
        version=row.version,
        definition=content,
        problems=result.problems,
        created_date=row.created_date,
        updated_date=row.updated_date,
    )
