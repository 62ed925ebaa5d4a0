"""The graph that one tab edits: what was saved, what changed since, and the way back. Knows no screen."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestrator_app.domain.definition import ERROR_HANDLE, Definition, Node, Problem, from_stored
from orchestrator_app.domain.editing import apply_operations, unique_label, with_node
from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.node_kinds import CONDITION, NODE_KINDS, setting
from orchestrator_app.domain.parsing import MAX_LABEL_LENGTH, MAX_NOTES_LENGTH
from orchestrator_app.domain.validation import validate

UNDO_DEPTH = 100
# The settings of a node that come from the workflow it calls; another workflow brings its own.
OF_WORKFLOW = frozenset(
    {
        "completion",
        "connectionId",
        "enablePolling",
        "flowId",
        "inputs",
        "method",
        "pollingTimeout",
        "provider",
        "url",
        "workflowHash",
        "workflowId",
    }
)


class Document:
    """A definition with its history.

    It is no dataclass on purpose: Reflex would wrap one in a tracking proxy, and nothing here is sent to a browser.

    Attributes:
        orchestrator_id: Which orchestrator this is, or empty.
        version: The saved version on which the edits build.
        definition: The graph as it stands in this tab.
    """

    def __init__(self) -> None:
        self.orchestrator_id = ""
        self.version = 0
        self.definition = Definition()
        self._saved = Definition()
        self._undo: list[Definition] = []
        self._redo: list[Definition] = []
        self._copies: dict[str, Node] = {}
        self._last_edit = ""
        self._kept: tuple[int, Definition] | None = None

    def load(self, orchestrator_id: str, version: int, content: Mapping[str, Any]) -> None:
        """Start from what is saved; the history begins anew, what was copied stays."""
        self.orchestrator_id, self.version = orchestrator_id, version
        self.definition = self._saved = from_stored(content)
        self._undo, self._redo, self._last_edit = [], [], ""

    def restore(self, version: int, content: Mapping[str, Any]) -> None:
        """Take over what was drawn on top of a saved version, perhaps an older one; an undo leads to what is saved."""
        self._commit(from_stored(content))
        self._kept = (version, self.definition)
        if self.has_changes:
            self.version = version

    def is_kept(self) -> bool:
        """Whether the draft of these unsaved changes, or their absence, was known when this was asked last."""
        present = (self.version, self.definition) if self.has_changes else None
        is_known, self._kept = present == self._kept, present
        return is_known

    def replace_by(self, version: int, content: Mapping[str, Any]) -> None:
        """Take over a newer saved version as one step, so that an undo brings this tab's edits back."""
        self._commit(from_stored(content))
        self.version, self._saved = version, self.definition

    @property
    def copies(self) -> Mapping[str, Node]:
        """What was copied last, by the ids that the nodes had then."""
        return self._copies

    def keep_copies(self, copies: Mapping[str, Node]) -> None:
        """Take over what was copied in another orchestrator, so that it can be pasted here."""
        self._copies = dict(copies)

    def saved(self, version: int, definition: Definition) -> None:
        """This definition is now on disk; edits made since stay unsaved."""
        self.version, self._saved = version, definition

    @property
    def has_changes(self) -> bool:
        """Whether something is not saved."""
        return self.definition != self._saved

    @property
    def can_undo(self) -> bool:
        """Whether there is a step back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step forward."""
        return bool(self._redo)

    def problems(self) -> tuple[Problem, ...]:
        """Everything wrong with the graph as it stands."""
        return validate(self.definition.as_json()).problems

    def _commit(self, definition: Definition, edit: str = "") -> None:
        """Take the new graph; edits of the same field in a row are one step of the history."""
        if definition == self.definition:
            return
        if not edit or edit != self._last_edit:
            self._undo = [*self._undo[-(UNDO_DEPTH - 1) :], self.definition]
        self._redo, self._last_edit = [], edit
        self.definition = definition

    def apply(self, operations: Sequence[Mapping[str, Any]]) -> None:
        """Carry out what the user did on the canvas, as one step.

        Raises:
            InvalidInput: It does not fit the graph; nothing was done.
        """
        self._commit(apply_operations(self.definition, operations, self._copies))

    def insert(self, node: Node, operations: Sequence[Mapping[str, Any]]) -> None:
        """Add a node with all its settings, and carry out the other edits that go with it, as one step.

        Raises:
            InvalidInput: An edit does not fit the graph; nothing was done.
        """
        self._commit(apply_operations(self.definition, operations, {node.id: node}))

    def turn_into(self, node_id: str, kind: str, label: str, config: Mapping[str, Any]) -> bool:
        """Let a node call another workflow, as one step; False when it is gone.

        Settings that have nothing to do with the workflow stay, and so does a label that a person gave.
        """
        node = self.node(node_id)
        if node is None:
            return False
        kept = {
            key: value
            for key, value in node.config.items()
            if key not in OF_WORKFLOW and NODE_KINDS[kind].field(key) is not None
        }
        title = NODE_KINDS[node.kind].title if node.kind in NODE_KINDS else node.kind
        others = replace(self.definition, nodes=tuple(item for item in self.definition.nodes if item != node))
        is_unnamed = re.fullmatch(re.escape(title) + r"( \d+)?", node.label) is not None
        name = unique_label(others, label) if is_unnamed and label else node.label
        changed = replace(node, kind=kind, label=name, config=kept | dict(config))
        self._commit(with_node(self.definition, changed))
        return True

    def copy(self, node_ids: Sequence[str]) -> None:
        """Remember nodes, so that they can be pasted here or elsewhere, also after they were cut."""
        chosen = set(node_ids)
        self._copies = {node.id: node for node in self.definition.nodes if node.id in chosen}

    def undo(self) -> bool:
        """One step back; False when there is none."""
        if not self._undo:
            return False
        self._redo.append(self.definition)
        self.definition, self._last_edit = self._undo.pop(), ""
        return True

    def redo(self) -> bool:
        """One step forward; False when there is none."""
        if not self._redo:
            return False
        self._undo.append(self.definition)
        self.definition, self._last_edit = self._redo.pop(), ""
        return True

    def node(self, node_id: str) -> Node | None:
        """The node by that id, or None."""
        return self.definition.node(node_id)

    def change(self, node_id: str, values: Mapping[str, JsonValue]) -> None:
        """Set config values, as one step; None or empty text removes one, so that the default counts."""
        node = self.node(node_id)
        if node is None:
            return
        config = {
            name: value
            for name, value in (dict(node.config) | dict(values)).items()
            if name not in values or (value is not None and value != "")
        }
        definition = with_node(self.definition, replace(node, config=config))
        self._commit(_renamed_branches(definition, node, node_id), f"{node_id}/{','.join(values)}")

    def rename(self, node_id: str, label: str) -> None:
        """Give a node another label."""
        node = self.node(node_id)
        if node is not None and label.strip():
            renamed = replace(node, label=label.strip()[:MAX_LABEL_LENGTH].strip())
            self._commit(with_node(self.definition, renamed), f"{node_id}//label")

    def note(self, node_id: str, notes: str) -> None:
        """Write down what a node is for."""
        node = self.node(node_id)
        if node is not None:
            noted = replace(node, notes=notes[:MAX_NOTES_LENGTH])
            self._commit(with_node(self.definition, noted), f"{node_id}//notes")

    def disable(self, node_id: str, *, disabled: bool) -> None:
        """Switch a node off or on."""
        node = self.node(node_id)
        if node is not None:
            self._commit(with_node(self.definition, replace(node, disabled=disabled)))


def branch_names(node: Node) -> list[str]:
    """The branches of a condition: those of its cases in their order, then the default one. Empty for other kinds."""
    if node.kind != CONDITION.name:
        return []
    cases = node.config.get("cases")
    names = (
        [str(case.get("handle", "")) for case in cases if isinstance(case, dict)]
        if isinstance(cases, list)
        else []
    )
    return [*names, str(setting(node, "defaultHandle"))]


def _renamed_branches(definition: Definition, before: Node, node_id: str) -> Definition:
    """When a branch of a condition is renamed, its edges go along."""
    after = definition.node(node_id)
    old, new = branch_names(before), branch_names(after) if after is not None else []
    if len(old) != len(new):
        return definition
    # Edges of a name that two branches share, or that stands for errors, could not be told apart afterwards.
    names = {
        was: now
        for was, now in zip(old, new, strict=True)
        if was not in new
        and old.count(was) == new.count(now) == 1
        and {was, now}.isdisjoint({"", ERROR_HANDLE})
    }
    edges = tuple(
        replace(edge, source_handle=names[edge.source_handle])
        if edge.source == node_id and edge.source_handle in names
        else edge
        for edge in definition.edges
    )
    return replace(definition, edges=edges)
