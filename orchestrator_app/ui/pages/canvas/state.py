"""The editor of one tab: the graph, its history, its problems and the settings of the node that is open."""

import json
import re
import time
from typing import Any

import reflex as rx

from orchestrator_app.domain.definition import Node, Problem
from orchestrator_app.domain.node_kinds import NODE_KINDS, setting
from orchestrator_app.errors import InvalidDefinition, InvalidInput, NotFound, OutdatedVersion
from orchestrator_app.services.views import OrchestratorDetail
from orchestrator_app.ui.access import reads, writes
from orchestrator_app.ui.canvas.shapes import graph_shape, kind_shapes, node_patch, problem_shapes
from orchestrator_app.ui.pages.canvas.document import Document
from orchestrator_app.ui.session import application, show_error, workspace_of


class EditorState(rx.State):
    """What one tab edits. The graph itself stays on the server; the browser gets it by revision."""

    is_loaded: bool = False
    is_missing: bool = False
    orchestrator_id: str = ""
    name: str = ""
    description: str = ""
    version: int = 0
    newer_version: int = 0
    is_outdated: bool = False
    is_deleted: bool = False
    has_changes: bool = False
    is_saving: bool = False
    can_undo: bool = False
    can_redo: bool = False
    kinds: list[dict[str, Any]] = [dict(kind) for kind in kind_shapes()]
    graph_push: dict[str, Any] = {}
    patches: dict[str, dict[str, Any]] = {}
    problems: dict[str, list[dict[str, Any]]] = {}
    problem_list: list[dict[str, str]] = []
    blocking: int = 0
    node_count: int = 0

    selected_id: str = ""
    selected_kind: str = ""
    selected_label: str = ""
    selected_notes: str = ""
    selected_disabled: bool = False
    form_revision: int = 0
    values: dict[str, str] = {}
    headers: list[dict[str, str]] = []
    mappings: list[dict[str, str]] = []
    cases: list[dict[str, str]] = []
    field_problems: dict[str, str] = {}
    row_problems: dict[str, str] = {}
    suggestions: list[dict[str, str]] = []

    _document: Document = Document()
    _row_number: int = 0

    # --- loading and saving ---

    @rx.event
    @reads
    async def load(self):
        """Open the orchestrator named in the address; edits that this tab had not saved are kept."""
        orchestrator_id = self._address()
        if (
            orchestrator_id == self._document.orchestrator_id
            and self._document.has_changes
            and self.is_loaded
        ):
            await self._notice_newer(orchestrator_id)
            self._push(fit=True)
            yield rx.toast.info("Your unsaved changes are still here.")
        else:
            self.is_loaded, self.is_missing = False, False
            try:
                detail = await application().orchestrators.get(workspace_of(self), orchestrator_id)
            except NotFound:
                self.is_missing, self.is_loaded = True, True
                return
            self._open(detail)

    def _address(self) -> str:
        """The id in the page's address."""
        return str(self.router.url.path).rstrip("/").rpartition("/")[2]

    async def _notice_newer(self, orchestrator_id: str) -> None:
        try:
            detail = await application().orchestrators.get(workspace_of(self), orchestrator_id)
        except NotFound:
            self.is_deleted = True
        else:
            self.newer_version = detail.version if detail.version > self.version else 0

    def _open(self, detail: OrchestratorDetail) -> None:
        # A document of its own for each tab: the class's default is shared by all.
        document = Document()
        document.keep_copies(self._document.copies)
        document.load(detail.id, detail.version, detail.definition)
        self._document = document
        self.orchestrator_id, self.name, self.description = detail.id, detail.name, detail.description
        self.version, self.newer_version = detail.version, 0
        self.is_outdated = self.is_deleted = self.is_missing = False
        self.is_loaded = True
        self._select("")
        self._push(fit=True)

    @rx.event
    @reads
    async def reload(self):
        """Take the newest saved version; what this tab had changed can be brought back by undo."""
        detail = await application().orchestrators.get(workspace_of(self), self._document.orchestrator_id)
        self._document.replace_by(detail.version, detail.definition)
        self.name, self.description, self.version = detail.name, detail.description, detail.version
        self.newer_version, self.is_outdated = 0, False
        self._push()

    @rx.event
    @writes
    async def save(self):
        """Keep the graph as a new version, unless somebody saved in between."""
        async for update in self._save(self.version):
            yield update

    @rx.event
    @writes
    async def save_over(self):
        """Keep the graph although somebody saved in between; their version stays in the database."""
        async for update in self._save(None):
            yield update

    async def _save(self, expected_version: int | None):
        document = self._document
        definition = document.definition
        self.is_saving = True
        yield
        try:
            detail = await application().orchestrators.save(
                workspace_of(self),
                document.orchestrator_id,
                expected_version=expected_version,
                definition=definition.as_json(),
            )
        except OutdatedVersion as error:
            self.newer_version = int(error.context.get("version", 0))
            self.is_outdated = True
        except InvalidDefinition as error:
            yield rx.toast.error(
                "Not saved yet", description=error.message.removeprefix("This cannot be saved: ")
            )
        else:
            document.saved(detail.version, definition)
            self.version, self.newer_version, self.is_outdated = detail.version, 0, False
            yield rx.toast.success(f"Saved as version {detail.version}")
        finally:
            self.is_saving = False
            self._refresh()

    @rx.event
    @reads
    def dismiss_outdated(self):
        """Decide later."""
        self.is_outdated = False

    @rx.event
    @writes
    async def rename_orchestrator(self, name: str):
        """Give the orchestrator another name at once."""
        if not name.strip() or name.strip() == self.name:
            return
        try:
            detail = await application().orchestrators.save(
                workspace_of(self), self._document.orchestrator_id, expected_version=self.version, name=name
            )
        except OutdatedVersion as error:
            self.newer_version, self.is_outdated = int(error.context.get("version", 0)), True
        except InvalidInput as error:
            yield show_error(error)
        else:
            self._document.version = self.version = detail.version
            self.name = detail.name

    # --- editing ---

    @rx.event
    @writes
    def apply_ops(self, ops: list[dict[str, Any]]):
        """Take over what the user did on the canvas."""
        try:
            self._document.apply(ops)
        except InvalidInput as error:
            self._push()
            return show_error(error)
        labels = {op["id"]: op.get("label") for op in ops if op.get("op") == "add"}
        for node_id, label in labels.items():
            node = self._document.node(node_id)
            if node is not None and (node.label != label or node.config):
                self.patches[node_id] = dict(node_patch(node))
        self._refresh()
        if self.selected_id and self._document.node(self.selected_id) is None:
            self._select("")
        elif self.selected_id:
            self._show_selected_flags()
        return None

    @rx.event
    @reads
    def copy_nodes(self, node_ids: list[str]):
        """Remember copied nodes with their settings."""
        self._document.copy(node_ids)

    @rx.event
    @writes
    def undo(self):
        """One step back."""
        if self._document.undo():
            self._push()

    @rx.event
    @writes
    def redo(self):
        """One step forward."""
        if self._document.redo():
            self._push()

    @rx.event
    @reads
    def select(self, node_id: str):
        """Open a node's settings; an empty id closes them."""
        if node_id != self.selected_id:
            self._select(node_id)

    # --- what the handlers share ---

    def _push(self, *, fit: bool = False) -> None:
        """Send the whole graph to the browser."""
        self.patches = {}
        self.graph_push = dict(graph_shape(self._document.definition, time.time_ns(), fit=fit))
        self._refresh()
        self._select(self.selected_id if self._document.node(self.selected_id) else "")

    def _refresh(self) -> None:
        document = self._document
        self.can_undo, self.can_redo = document.can_undo, document.can_redo
        self.has_changes = document.has_changes
        self.node_count = len(document.definition.nodes)
        self._show_problems(document.problems())

    def _show_problems(self, problems: tuple[Problem, ...]) -> None:
        definition = self._document.definition
        self.problems = {
            node_id: [dict(shape) for shape in shapes]
            for node_id, shapes in problem_shapes(definition, problems).items()
        }
        labels = {node.id: node.label for node in definition.nodes}
        self.problem_list = [
            {
                "nodeId": problem.node_id,
                "label": labels.get(problem.node_id, ""),
                "message": problem.message,
                "blocks": problem.blocks,
            }
            for problem in problems
        ]
        self.blocking = sum(problem.blocks != "nothing" for problem in problems)
        own = [
            problem for problem in reversed(problems) if problem.node_id == self.selected_id and problem.field
        ]
        self.field_problems = {re.split(r"[.\[]", problem.field)[0]: problem.message for problem in own}
        # A row tells its own problem; its list then only says that there is one.
        self.row_problems = {
            problem.field.partition("]")[0] + "]": problem.message for problem in own if "[" in problem.field
        }
        for key in {name.partition("[")[0] for name in self.row_problems}:
            self.field_problems.pop(key, None)

    def _select(self, node_id: str) -> None:
        node = self._document.node(node_id)
        self.selected_id = node.id if node else ""
        self.selected_kind = node.kind if node else ""
        self.form_revision += 1
        if node is not None:
            self._show_node(node)
        self._show_problems(self._document.problems())

    def _show_selected_flags(self) -> None:
        node = self._document.node(self.selected_id)
        if node is not None:
            self.selected_disabled = node.disabled

    def _show_node(self, node: Node) -> None:
        self.selected_label, self.selected_notes = node.label, node.notes
        self.selected_disabled = node.disabled
        self.values = {
            field.key: value_text(node, field.key)
            for field in NODE_KINDS[node.kind].fields
            if field.type not in {"headers", "mappings", "cases"}
        }
        headers = node.config.get("headers")
        pairs = headers.items() if isinstance(headers, dict) else ()
        self.headers = [self._row({"name": name, "value": str(value)}) for name, value in pairs]
        self.mappings = self._rows(node.config.get("mappings"), ("from", "to"))
        self.cases = self._rows(node.config.get("cases"), ("expression", "handle"))
        self.suggestions = self._suggestions(node)

    def _rows(self, items: object, keys: tuple[str, ...]) -> list[dict[str, str]]:
        found: list[Any] = items if isinstance(items, list) else []
        return [
            self._row({key: str(item.get(key, "")) for key in keys})
            for item in found
            if isinstance(item, dict)
        ]

    def _row(self, row: dict[str, str]) -> dict[str, str]:
        self._row_number += 1
        return {"id": str(self._row_number), **row}

    def _suggestions(self, node: Node) -> list[dict[str, str]]:
        """What expressions of this node can name: the roots, and the output of every node before it."""
        definition = self._document.definition
        before: set[str] = set()
        frontier = [node.id]
        while frontier:
            parents = [edge.source for edge in definition.edges if edge.target in frontier]
            frontier = [parent for parent in dict.fromkeys(parents) if parent not in before]
            before.update(frontier)
        names = [
            (f"nodes.`{other.label}`.output", other.kind) for other in definition.nodes if other.id in before
        ]
        roots = [
            ("data", "input of this node"),
            ("run.input", "input of the run"),
            ("run.id", "id of the run"),
            ("run.callbackUrl", "address that continues a waiting run"),
            ("run.correlationToken", "its token alone"),
        ]
        return [{"label": label, "detail": detail} for label, detail in [*roots, *names]]

    def _patch(self, node_id: str) -> None:
        """Show on the canvas what changed in a node's settings."""
        node = self._document.node(node_id)
        if node is not None:
            self.patches[node_id] = dict(node_patch(node))
        self._refresh()


def value_text(node: Node, key: str) -> str:
    """A config value as its control shows it; choices show their default, other controls stay empty without one."""
    field = NODE_KINDS[node.kind].field(key)
    value = node.config.get(key)
    if value is None and field is not None and field.type in {"choice", "milliseconds", "integer", "boolean"}:
        value = setting(node, key)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, indent=2, ensure_ascii=False)
    return "" if value is None else str(value)
