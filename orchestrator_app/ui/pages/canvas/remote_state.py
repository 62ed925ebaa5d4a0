"""The workflows that nodes call: what became of them since, and what that of the open node says of itself."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import reflex as rx

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.errors import NotFound, OrchestratorError
from orchestrator_app.providers.remote_workflow import FormField
from orchestrator_app.services.workflow_nodes import proposed_input
from orchestrator_app.services.workflow_views import PreviewView
from orchestrator_app.ui.access import reads, writes
from orchestrator_app.ui.pages.canvas.remote_shapes import (
    PLATFORM_TITLES,
    CalledWorkflow,
    ChangeShape,
    asked_inputs,
    called_workflow,
    change_shape,
    known_content,
    mark_shapes,
)
from orchestrator_app.ui.pages.canvas.settings_state import MAX_ROWS, SettingsState
from orchestrator_app.ui.session import application, show, show_error, workspace_of
from orchestrator_app.ui.workflows.shapes import FormRow, PreviewShape, preview_shape

# A lost notification is healed by looking anyway; old lists are read anew behind it.
LOOK_AGAIN_SECONDS = 30.0
PAUSE_SECONDS = 0.25
# While somebody types the id of a workflow, the platform is not asked for each part of it.
TYPING_SECONDS = 0.5


class RemoteState(SettingsState):
    """What the platforms say about the nodes of one tab. All of it is asked in the background: a platform may be slow."""

    marks: dict[str, dict[str, str]] = {}

    # What follows is about this node; while another one is open, nothing of it may be shown.
    about: str = ""
    calls_workflow: bool = False
    is_looking: bool = False
    remote: PreviewShape = PreviewShape()
    remote_provider: str = ""
    remote_title: str = ""
    remote_id: str = ""
    remote_error: str = ""
    knows_content: bool = False
    asked: list[FormRow] = []
    asked_by_name: dict[str, FormRow] = {}

    is_comparing: bool = False
    is_reading_change: bool = False
    change: ChangeShape = ChangeShape()
    change_error: str = ""

    _marked: str = ""
    _called: CalledWorkflow | None = None
    _turn: int = 0
    _form: tuple[FormField, ...] = ()
    _content: str = ""
    _changed_content: str = ""
    _watcher: int = 0

    # --- following what is drawn and open ---

    @rx.event
    @reads
    def follow(self):
        """Another node is open, or nodes call other workflows than before."""
        events: list[Any] = []
        if self.calls != self._marked:
            events.append(RemoteState.read_marks)
        node = self._document.node(self.selected_id)
        called = called_workflow(node)
        show(self, knows_content=bool(known_content(node)))
        if (self.about, self._called) != (self.selected_id, called):
            is_typed = self.about == self.selected_id
            self._forget_remote()
            self.about, self._called, self.calls_workflow = self.selected_id, called, called is not None
            if called is not None:
                self.is_looking = True
                self.remote_provider, self.remote_id = called.provider, called.workflow_id
                self.remote_title = PLATFORM_TITLES.get(called.provider, called.provider)
                events.append(RemoteState.look(self._turn, TYPING_SECONDS if is_typed else 0.0, False))
        return events or None

    def _forget_remote(self) -> None:
        self._turn += 1
        self._form, self._content = (), ""
        show(
            self,
            remote=PreviewShape(),
            remote_error="",
            is_looking=False,
            asked=[],
            asked_by_name={},
            is_comparing=False,
        )

    @rx.event(background=True)
    @reads
    async def watch(self):
        """Keep marks and the open node's workflow true while the page is open."""
        async with self:
            watcher = self._watcher = time.monotonic_ns()
            workspace_id = workspace_of(self)
        async with application().hub.subscribe(workspace_id) as changes:
            await self._read_marks()
            while True:
                news = await changes.take(LOOK_AGAIN_SECONDS)
                concerned = {change.id for change in news if change.kind in {"workflows", "connection"}}
                async with self:
                    if self._watcher != watcher:
                        return
                    called, turn = self._called, self._turn
                if concerned or not news:
                    await self._read_marks()
                if called is not None and called.connection_id in concerned:
                    await self._look(turn, is_fresh=False)
                await asyncio.sleep(PAUSE_SECONDS)

    @rx.event(background=True)
    @reads
    async def read_marks(self):
        """Find out which nodes call workflows that were deleted, switched off or changed."""
        await self._read_marks()

    async def _read_marks(self) -> None:
        async with self:
            workspace_id, definition, calls = workspace_of(self), self._document.definition, self.calls
        try:
            found = await application().catalog.marks(workspace_id, definition)
        except OrchestratorError:
            return  # what is shown stays; the watcher looks again
        async with self:
            # Nodes that were changed meanwhile have begun a reading of their own.
            if self.calls == calls:
                self._marked = calls
                show(self, marks=mark_shapes(found))

    # --- the workflow of the open node ---

    @rx.event
    @reads
    def look_again(self):
        """Ask the platform for the open node's workflow once more."""
        if self._called is None:
            return None
        self.is_looking, self.remote_error = True, ""
        return RemoteState.look(self._turn, 0.0, True)

    @rx.event(background=True)
    @reads
    async def look(self, turn: int, pause: float, is_fresh: bool):
        """Ask for the workflow of the open node."""
        await asyncio.sleep(pause)
        await self._look(turn, is_fresh=is_fresh)

    async def _look(self, turn: int, *, is_fresh: bool) -> None:
        async with self:
            called, workspace_id = self._called, workspace_of(self)
            if called is None or self._turn != turn:
                return
        view, problem = None, ""
        try:
            view = await application().catalog.look(
                workspace_id,
                called.provider,
                called.workflow_id,
                connection_id=called.connection_id,
                fresh=is_fresh,
            )
        except OrchestratorError as error:
            problem = f"{error.message} {error.hint}".strip()
        async with self:
            if self._turn == turn:
                self._show_remote(called, view, problem)

    def _show_remote(self, called: CalledWorkflow, view: PreviewView | None, problem: str) -> None:
        node = self._document.node(self.about)
        if view is None or node is None:
            show(self, remote_error=problem, is_looking=False)
            return
        # The graph is only drawn where changes are compared.
        shape = replace(preview_shape(called.provider, view), graph={})
        self._form = asked_inputs(node, view.preview.form)
        self._content = view.preview.workflow.content_hash
        names = {item.path for item in self._form}
        asked = [row for row in shape.form if row.path in names]
        show(
            self,
            remote=shape,
            remote_error="",
            is_looking=False,
            asked=asked,
            asked_by_name={row.path: row for row in asked},
        )

    @rx.event
    @writes
    def add_input(self, name: str):
        """Add a row for something that the workflow asks for."""
        field = next((field for field in self._form if field.path == name), None)
        rows = self._rows_of("inputs")
        is_there = any(row["name"].strip() == name for row in rows)
        if field is None or is_there or not self._has_rows("inputs") or len(rows) >= MAX_ROWS:
            return
        self._store_rows("inputs", [*rows, self._row({"name": name, "value": proposed_input(field)})])

    # --- what changed ---

    @rx.event
    @reads
    def open_change(self):
        """Show what changed in the workflow of the open node."""
        if self._called is None:
            return None
        self.is_comparing = self.is_reading_change = True
        self.change, self.change_error = ChangeShape(), ""
        return RemoteState.compare(self._turn)

    @rx.event
    @reads
    def show_change(self, is_open: bool):
        """Close the comparison."""
        self.is_comparing = is_open

    @rx.event(background=True)
    @reads
    async def compare(self, turn: int):
        """Ask what changed since the node was made."""
        async with self:
            workspace_id, definition, node_id = workspace_of(self), self._document.definition, self.about
        shape, content, problem = ChangeShape(), "", ""
        try:
            change = await application().catalog.change(workspace_id, definition, node_id)
            shape = change_shape(change, known_content(definition.node(node_id)))
            content = change.content_hash
        except OrchestratorError as error:
            problem = f"{error.message} {error.hint}".strip()
        async with self:
            if self._turn == turn:
                self._changed_content = content
                show(self, change=shape, change_error=problem, is_reading_change=False)

    @rx.event
    @writes
    async def take_over_change(self):
        """The change was seen: from now on the node stands for the workflow as it is."""
        content, self.is_comparing = self._changed_content, False
        return await self._take_over(content)

    @rx.event
    @writes
    async def take_over_content(self):
        """From now on, changes of the workflow of the open node are noticed."""
        return await self._take_over(self._content)

    async def _take_over(self, content: str) -> rx.event.EventSpec | None:
        node, called = self._document.node(self.about), self._called
        if node is None or called is None or not called.connection_id or not content:
            return None
        try:
            await application().catalog.keep(
                workspace_of(self), called.connection_id, called.workflow_id, content
            )
        except NotFound as error:
            return show_error(error)
        values: dict[str, JsonValue] = {"workflowHash": content}
        self._change(node, values)
        self.knows_content = True
        return None
