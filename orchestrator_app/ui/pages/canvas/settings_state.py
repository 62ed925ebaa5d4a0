"""The settings of the node that is open: each change goes into the graph at once."""

import reflex as rx

from orchestrator_app.domain.definition import Node
from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.node_kinds import DEFAULT_CASE_HANDLE, NODE_KINDS, setting
from orchestrator_app.ui.access import reads, writes
from orchestrator_app.ui.pages.canvas.document import branch_names
from orchestrator_app.ui.pages.canvas.field_texts import ROW_KEYS, branch_problem, field_value, rows_value
from orchestrator_app.ui.pages.canvas.state import EditorState
from orchestrator_app.ui.session import application, workspace_of

MAX_ROWS = 500
# What fits another workflow no longer when this setting is changed by hand.
DROPPED_WITH = {
    "provider": ("connectionId", "workflowId", "workflowHash"),
    "connectionId": ("workflowHash",),
    "workflowId": ("workflowHash",),
    "flowId": ("workflowHash",),
}


class SettingsState(EditorState):
    """The form of the drawer."""

    connections: list[dict[str, str]] = []

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
        if node is None or field is None or field.type in ROW_KEYS:
            return
        try:
            value = field_value(field, text)
            if key == "defaultHandle":
                value = self._default_branch(node, text)
        except ValueError as error:
            self._refused = {**self._refused, key: str(error)}
            self._refresh()
            return
        self._refused = {name: reason for name, reason in self._refused.items() if name != key}
        dropped = DROPPED_WITH.get(key, ()) if value != setting(node, key) else ()
        self.values[key] = text
        for name in dropped:
            self.values[name] = ""
        if key == "provider" and dropped:
            self.form_revision += 1
        self._change(node, dict.fromkeys(dropped) | {key: value})

    def _default_branch(self, node: Node, text: str) -> str:
        name = text.strip()
        problem = branch_problem(name or DEFAULT_CASE_HANDLE, set(branch_names(node)[:-1]))
        if problem:
            raise ValueError(f"{problem} Until then the old name counts.")
        return name

    def _change(self, node: Node, values: dict[str, JsonValue]) -> None:
        """Put config values into the graph and show it."""
        edges = self._document.definition.edges
        self._document.change(node.id, values)
        if self._document.definition.edges != edges:
            # A renamed branch takes its edges along, which only a whole graph can show.
            self._push(keeps_form=True)
        else:
            self._patch(node.id)

    @rx.event
    @writes
    def change_row(self, key: str, row_id: str, column: str, text: str):
        """Change a cell of headers, inputs, mappings or cases."""
        rows = self._rows_of(key)
        if column not in ROW_KEYS.get(key, ()):
            return
        for row in rows:
            if row["id"] == row_id:
                row[column] = text
                self._store_rows(key, rows)
                break

    @rx.event
    @writes
    def add_row(self, key: str):
        """Add an empty row; a new case gets a branch name of its own."""
        rows = self._rows_of(key)
        if not self._has_rows(key) or len(rows) >= MAX_ROWS:
            return
        row = dict.fromkeys(ROW_KEYS[key], "")
        if key == "cases":
            taken = {other[name] for other in rows for name in ("handle", "was")} | {self._default_name()}
            row["handle"] = next(f"case{i}" for i in range(1, 2 * MAX_ROWS + 2) if f"case{i}" not in taken)
        self._store_rows(key, [*rows, self._row(row)])

    @rx.event
    @writes
    def remove_row(self, key: str, row_id: str):
        """Take a row away."""
        rows = self._rows_of(key)
        left = [row for row in rows if row["id"] != row_id]
        if len(left) < len(rows):
            self._store_rows(key, left)

    @rx.event
    @writes
    def move_row(self, key: str, row_id: str, by: int):
        """Move a row up (-1) or down (1)."""
        rows = self._rows_of(key)
        position = next((i for i, row in enumerate(rows) if row["id"] == row_id), None)
        if position is not None and 0 <= position + by < len(rows) and abs(by) == 1:
            rows[position], rows[position + by] = rows[position + by], rows[position]
            self._store_rows(key, rows)

    def _has_rows(self, key: str) -> bool:
        """Whether the node that is open has this list of rows."""
        node = self._document.node(self.selected_id)
        return node is not None and key in ROW_KEYS and NODE_KINDS[node.kind].field(key) is not None

    def _rows_of(self, key: str) -> list[dict[str, str]]:
        if not self._has_rows(key):
            return []
        present = {
            "headers": self.headers,
            "inputs": self.inputs,
            "mappings": self.mappings,
            "cases": self.cases,
        }[key]
        return [dict(row) for row in present]

    def _default_name(self) -> str:
        node = self._document.node(self.selected_id)
        return branch_names(node)[-1] if node is not None else ""

    def _store_rows(self, key: str, rows: list[dict[str, str]]) -> None:
        node = self._document.node(self.selected_id)
        if node is None:
            return
        value, refused = rows_value(key, rows, node)
        setattr(self, key, rows)
        self._refused = {
            name: reason for name, reason in self._refused.items() if not name.startswith(f"{key}[")
        } | refused
        self._change(node, {key: value or None})

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
