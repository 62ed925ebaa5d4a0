"""The settings of the node that is open: each change goes into the graph at once."""

import json
from typing import Any

import reflex as rx

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.node_kinds import NODE_KINDS, ConfigField
from orchestrator_app.errors import OrchestratorError
from orchestrator_app.ui.access import reads, writes
from orchestrator_app.ui.pages.canvas.state import EditorState
from orchestrator_app.ui.session import application, workspace_of

_ROW_KEYS = {"headers": ("name", "value"), "mappings": ("from", "to"), "cases": ("expression", "handle")}
MAX_ROWS = 500


class SettingsState(EditorState):
    """The form of the drawer."""

    connections: list[dict[str, str]] = []
    workflows: list[dict[str, str]] = []
    workflow_query: str = ""
    workflow_error: str = ""
    is_choosing: bool = False
    is_listing: bool = False

    @rx.event
    @writes
    def change_label(self, label: str):
        """Rename the node."""
        self._document.rename(self.selected_id, label)
        self._patch(self.selected_id)

    @rx.event
    @writes
    def change_notes(self, notes: str):
        """Write down what the node is for."""
        self._document.note(self.selected_id, notes)
        self._refresh()

    @rx.event
    @writes
    def switch_disabled(self, disabled: bool):
        """Switch the node off or on."""
        self._document.disable(self.selected_id, disabled=disabled)
        self.selected_disabled = disabled
        self._patch(self.selected_id)

    @rx.event
    @writes
    def change_field(self, key: str, text: str):
        """Set a single value; text that cannot be the field's value is told beside it and not taken."""
        node = self._document.node(self.selected_id)
        field = NODE_KINDS[node.kind].field(key) if node is not None else None
        if node is None or field is None:
            return
        try:
            value = field_value(field, text)
        except ValueError as error:
            self.field_problems[key] = str(error)
            return
        self.values[key] = text
        self._document.change(node.id, key, value)
        self._patch(node.id)

    @rx.event
    @writes
    def change_row(self, key: str, row_id: str, column: str, text: str):
        """Change a cell of headers, mappings or cases."""
        rows = self._rows_of(key)
        if rows is None or column not in _ROW_KEYS[key]:
            return
        for row in rows:
            if row["id"] == row_id:
                row[column] = text
        self._store_rows(key, rows)

    @rx.event
    @writes
    def add_row(self, key: str):
        """Add an empty row; a new case gets a branch name of its own."""
        rows = self._rows_of(key)
        if rows is None or len(rows) >= MAX_ROWS:
            return
        row = dict.fromkeys(_ROW_KEYS[key], "")
        if key == "cases":
            taken = {other["handle"] for other in rows}
            row["handle"] = next(f"case{i}" for i in range(1, MAX_ROWS + 2) if f"case{i}" not in taken)
        self._store_rows(key, [*rows, self._row(row)])

    @rx.event
    @writes
    def remove_row(self, key: str, row_id: str):
        """Take a row away."""
        rows = self._rows_of(key)
        if rows is not None:
            self._store_rows(key, [row for row in rows if row["id"] != row_id])

    @rx.event
    @writes
    def move_row(self, key: str, row_id: str, by: int):
        """Move a row up (-1) or down (1)."""
        rows = self._rows_of(key)
        if rows is None:
            return
        position = next((i for i, row in enumerate(rows) if row["id"] == row_id), None)
        if position is not None and 0 <= position + by < len(rows) and abs(by) == 1:
            rows[position], rows[position + by] = rows[position + by], rows[position]
            self._store_rows(key, rows)

    def _rows_of(self, key: str) -> list[dict[str, str]] | None:
        present = {"headers": self.headers, "mappings": self.mappings, "cases": self.cases}.get(key)
        return None if present is None else [dict(row) for row in present]

    def _store_rows(self, key: str, rows: list[dict[str, str]]) -> None:
        match key:
            case "headers":
                self.headers = rows
                value: JsonValue = {row["name"].strip(): row["value"] for row in rows if row["name"].strip()}
            case "mappings":
                self.mappings = rows
                value = [{"from": row["from"], "to": row["to"]} for row in rows]
            case _:
                self.cases = rows
                value = [{"expression": row["expression"], "handle": row["handle"].strip()} for row in rows]
        self._document.change(self.selected_id, key, value or None)
        self._patch(self.selected_id)
        if key == "cases":
            # A renamed branch takes its edges along, which only a whole graph can show.
            self._push_edges()

    def _push_edges(self) -> None:
        shown = {(edge["id"], edge["sourceHandle"]) for edge in self.graph_push.get("edges", [])}
        changed = {
            (edge.id, edge.source_handle)
            for edge in self._document.definition.edges
            if edge.source == self.selected_id
        }
        if not changed <= shown:
            selected, rows = self.selected_id, self.cases
            self._push()
            self.selected_id, self.cases = selected, rows

    # --- what can be chosen ---

    @rx.event
    @reads
    async def load_connections(self):
        """The connections that the drawer offers."""
        stored = await application().connections.list(workspace_of(self))
        self.connections = [
            {"id": view.id, "name": view.name, "provider": view.provider, "status": view.status}
            for view in stored
        ]

    @rx.event
    @reads
    async def choose_workflow(self):
        """Open the list of the platform's workflows."""
        self.is_choosing, self.workflow_query, self.workflows = True, "", []
        yield
        async for update in self._list_workflows():
            yield update

    @rx.event
    @reads
    async def search_workflows(self, query: str):
        """Narrow the list."""
        self.workflow_query = query
        async for update in self._list_workflows():
            yield update

    async def _list_workflows(self):
        self.is_listing, self.workflow_error = True, ""
        yield
        try:
            page = await application().catalog.workflows(
                workspace_of(self),
                self.values.get("provider", ""),
                connection_id=self.values.get("connectionId", ""),
                query=self.workflow_query,
            )
            self.workflows = [
                {"id": item.id, "name": item.name, "isActive": "yes" if item.is_active else ""}
                for item in page.workflows
            ]
        except OrchestratorError as error:
            self.workflows, self.workflow_error = [], f"{error.message} {error.hint}".strip()
        finally:
            self.is_listing = False

    @rx.event
    @writes
    async def take_workflow(self, workflow_id: str):
        """Use a workflow: its id, and the best way to know when it is done."""
        node_id = self.selected_id
        self.is_choosing = False
        name = next((item["name"] for item in self.workflows if item["id"] == workflow_id), "")
        self._document.change(node_id, "workflowId", workflow_id)
        try:
            preview = await application().catalog.preview(
                workspace_of(self),
                self.values.get("provider", ""),
                workflow_id,
                connection_id=self.values.get("connectionId", ""),
            )
        except OrchestratorError as error:
            yield rx.toast.warning("The workflow's details could not be read", description=error.message)
        else:
            self._document.change(node_id, "method", preview.method)
            self._document.change(node_id, "completion", preview.completion)
        if name and self.selected_label == NODE_KINDS[self.selected_kind].title:
            self._document.rename(node_id, name)
        self._patch(node_id)
        self._select(node_id)

    @rx.event
    @reads
    def close_chooser(self, is_open: bool):
        """Choose nothing."""
        self.is_choosing = is_open


def field_value(field: ConfigField, text: str) -> Any:
    """The config value that a control's text means; None when it is empty.

    Raises:
        ValueError: The text cannot be such a value; the message says why.
    """
    if not text.strip():
        return None
    match field.type:
        case "milliseconds" | "integer":
            try:
                return int(text.strip().replace(" ", "").replace("_", ""))
            except ValueError:
                raise ValueError(f"“{text[:30]}” is no whole number.") from None
        case "boolean":
            return text == "true" if text in {"true", "false"} else None
        case "json":
            try:
                value = json.loads(text)
            except ValueError as error:
                raise ValueError(f"This is not JSON: {error}.") from None
            if not isinstance(value, dict):
                raise ValueError("This must be a JSON object: { … }.")  # noqa: TRY004 - one kind of error for a bad text
            return value
        case _:
            return text
