"""The editor of one tab: the graph, its history, its problems and the settings of the node that is open."""

import time
from typing import Any

import reflex as rx

from orchestrator_app.domain.definition import Node, Problem
from orchestrator_app.domain.editing import MAX_OPS
from orchestrator_app.domain.node_kinds import NODE_KINDS
from orchestrator_app.errors import (
    InvalidDefinition,
    InvalidInput,
    NotFound,
    OrchestratorError,
    OutdatedVersion,
)
from orchestrator_app.ui.access import reads, writes
from orchestrator_app.ui.canvas.shapes import graph_shape, kind_shapes, node_patch
from orchestrator_app.ui.pages.canvas.document import Document
from orchestrator_app.ui.pages.canvas.field_texts import ROW_KEYS, rows_of, suggestions, value_text
from orchestrator_app.ui.pages.canvas.problem_texts import problem_vars
from orchestrator_app.ui.pages.canvas.remote_shapes import calls_text
from orchestrator_app.ui.session import application, show, show_error, workspace_of

# So long after the page was loaded, an edit may still be one that was drawn before.
SENT_BACK_SECONDS = 5.0


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
    calls: str = ""

    selected_id: str = ""
    selected_kind: str = ""
    selected_label: str = ""
    selected_notes: str = ""
    selected_disabled: bool = False
    form_revision: int = 0
    values: dict[str, str] = {}
    headers: list[dict[str, str]] = []
    inputs: list[dict[str, str]] = []
    mappings: list[dict[str, str]] = []
    cases: list[dict[str, str]] = []
    field_problems: dict[str, str] = {}
    row_problems: dict[str, str] = {}
    suggestions: list[dict[str, str]] = []

    _document: Document = Document()
    # What was typed and not taken, with the reason: by field, or by row such as ``cases[0]``.
    _refused: dict[str, str] = {}
    _row_number: int = 0
    _early: list[dict[str, Any]] = []
    _is_saved_early: bool = False
    _sent_back_until: float = 0.0

    # --- loading and saving ---

    @rx.event
    @reads
    async def load(self):
        """Open the orchestrator named in the address; what this tab had changed and not saved is still there."""
        orchestrator_id, workspace_id = self._address(), workspace_of(self)
        if orchestrator_id != self._document.orchestrator_id:
            self.is_loaded = self.is_missing = False
            self.name = self.description = ""
        try:
            detail = await application().orchestrators.get(workspace_id, orchestrator_id)
        except NotFound:
            if orchestrator_id == self._document.orchestrator_id and self._document.has_changes:
                self._show_document()
                self.is_deleted = True
            else:
                self._take(Document())
                self.is_missing, self.is_loaded = True, True
            return
        document = self._document
        if document.orchestrator_id != detail.id:
            document = Document()
            document.load(detail.id, detail.version, detail.definition)
            if draft := await application().drafts.find(workspace_id, self._tab(), detail.id):
                document.restore(draft.version, draft.definition)
        elif document.version != detail.version and not document.has_changes:
            document.load(detail.id, detail.version, detail.definition)
        refused = self._catch_up(document)
        self._sent_back_until = time.monotonic() + SENT_BACK_SECONDS
        self._take(document)
        self.name, self.description = detail.name, detail.description
        self._show_document()
        if refused is not None:
            yield show_error(refused)
        self.newer_version = detail.version if detail.version > document.version else 0
        is_saved, self._is_saved_early = self._is_saved_early, False
        if document.has_changes and is_saved:
            yield EditorState.save
        elif document.has_changes:
            yield rx.toast.info("Your unsaved changes are still here.")

    def _catch_up(self, document: Document) -> InvalidInput | None:
        """Carry out what the user drew while the server was away; the error of what no longer fits."""
        early, self._early = self._early, []
        try:
            document.apply(early)
        except InvalidInput as error:
            return error
        return None

    def _address(self) -> str:
        """The id in the page's address."""
        return str(self.router.url.path).rstrip("/").rpartition("/")[2]

    def _tab(self) -> str:
        """What names this tab, also after a reload and a restart of the server."""
        return self.router.session.client_token

    def _take(self, document: Document) -> None:
        """Turn to a document; what was copied can be pasted in it."""
        document.keep_copies(self._document.copies)
        self._document = document

    def _show_document(self) -> None:
        """Show the tab's document as it stands."""
        document = self._document
        is_other = document.orchestrator_id != self.orchestrator_id
        self.orchestrator_id, self.version, self.newer_version = document.orchestrator_id, document.version, 0
        self.is_outdated = self.is_deleted = self.is_missing = False
        self.is_loaded = True
        if is_other:
            self._select("")
        self._push(fit=is_other)

    @rx.event
    @reads
    async def reload(self):
        """Take the newest saved version; what this tab had changed can be brought back by undo."""
        try:
            detail = await application().orchestrators.get(workspace_of(self), self._document.orchestrator_id)
        except NotFound:
            self.is_deleted, self.is_outdated = True, False
            return
        self._document.replace_by(detail.version, detail.definition)
        self.name, self.description, self.version = detail.name, detail.description, detail.version
        self.newer_version, self.is_outdated = 0, False
        self._push()

    @rx.event
    @writes
    async def save(self):
        """Keep the graph as a new version, unless somebody saved in between."""
        if not self.is_loaded:
            # Asked for while the connection was away, and sent before the page is loaded again.
            self._is_saved_early = True
            return
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
        except NotFound as error:
            self.is_deleted, self.is_outdated = True, False
            yield show_error(error)
        except OrchestratorError as error:
            yield show_error(error)
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
        if not self.orchestrator_id or not name.strip() or name.strip() == self.name:
            return
        try:
            detail = await application().orchestrators.save(
                workspace_of(self), self._document.orchestrator_id, expected_version=self.version, name=name
            )
        except OutdatedVersion as error:
            self.newer_version, self.is_outdated = int(error.context.get("version", 0)), True
        except OrchestratorError as error:
            yield show_error(error)
        else:
            self._document.version = self.version = detail.version
            self.name = detail.name
            self._refresh()

    # --- editing ---

    @rx.event
    @writes
    def apply_ops(self, ops: list[dict[str, Any]]):
        """Take over what the user did on the canvas."""
        if not self.is_loaded:
            # After a restart of the server, what was drawn meanwhile arrives before the page is loaded again.
            self._early = [*self._early, *ops][: MAX_OPS + 1]  # one too many, so that it is told
            return None
        try:
            self._document.apply(ops)
        except InvalidInput as error:
            self._push()
            return show_error(error)
        for op in ops:
            node = self._document.node(op["id"]) if op.get("op") == "add" else None
            if node is not None and (node.label != op.get("label") or op.get("copyOf")):
                self.patches[node.id] = dict(node_patch(node))
        if time.monotonic() < self._sent_back_until:
            # Drawn while the connection was away, and sent after the page had been given the graph without it.
            self._push(keeps_form=True)
        else:
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
        self._keep_document()

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

    def _push(self, *, fit: bool = False, keeps_form: bool = False) -> None:
        """Send the whole graph to the browser. ``keeps_form`` leaves alone what somebody is typing in."""
        self.patches = {}
        self.graph_push = dict(graph_shape(self._document.definition, time.time_ns(), fit=fit))
        if not keeps_form:
            self._fill_form(self.selected_id)
        self._refresh()

    def _keep_document(self) -> None:
        """Tell Reflex that the document has changed: what it does not know of is not there for another process."""
        self._document = self._document

    def _refresh(self) -> None:
        self._keep_document()
        document = self._document
        show(
            self,
            can_undo=document.can_undo,
            can_redo=document.can_redo,
            has_changes=document.has_changes,
            node_count=len(document.definition.nodes),
            calls=calls_text(document.definition),
        )
        self._show_problems(document.problems())
        if document.orchestrator_id and not document.is_kept():
            place = (workspace_of(self), self._tab(), document.orchestrator_id)
            if document.has_changes:
                application().drafts.keep(*place, document.version, document.definition)
            else:
                application().drafts.forget(*place)

    def _show_problems(self, problems: tuple[Problem, ...]) -> None:
        show(self, **problem_vars(self._document.definition, problems, self.selected_id, dict(self._refused)))

    def _select(self, node_id: str) -> None:
        self._fill_form(node_id)
        self._show_problems(self._document.problems())

    def _fill_form(self, node_id: str) -> None:
        node = self._document.node(node_id)
        self.selected_id = node.id if node else ""
        self.selected_kind = node.kind if node else ""
        self.form_revision += 1
        self._refused = {}
        if node is not None:
            self._show_node(node)

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
            if field.type not in ROW_KEYS
        }
        self.headers, self.inputs, self.mappings, self.cases = (
            [self._row(row) for row in rows_of(node, key)] for key in ROW_KEYS
        )
        self.suggestions = suggestions(self._document.definition, node)

    def _row(self, row: dict[str, str]) -> dict[str, str]:
        self._row_number += 1
        return {"id": str(self._row_number), **row}

    def _patch(self, node_id: str) -> None:
        """Show on the canvas what changed in a node's settings."""
        node = self._document.node(node_id)
        if node is not None and self.patches.get(node_id) != (patch := dict(node_patch(node))):
            self.patches[node_id] = patch
        self._refresh()
