"""What the page of connections shows. Secrets never pass through here: their form posts to the REST API itself."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import reflex as rx

from orchestrator_app.errors import NotFound, OrchestratorError, Unavailable
from orchestrator_app.services.views import ConnectionView, ProviderView
from orchestrator_app.ui.access import reads, writes
from orchestrator_app.ui.session import application, show, show_error, workspace_of

LOOK_AGAIN_SECONDS = 10.0
PAUSE_SECONDS = 0.25
API = "/api/v1/orchestrator"


@dataclass(frozen=True)
class ConnectionRow:
    """A stored connection; empty texts and zeros stand for nothing."""

    id: str
    provider: str
    name: str
    address: str
    status: str
    detail: str
    checked_date: int


@dataclass(frozen=True)
class PlatformRow:
    """A platform that connections can be made to."""

    key: str
    title: str
    connections: list[ConnectionRow]


class ConnectionsState(rx.State):
    """The connections of one tab."""

    platforms: list[PlatformRow] = []
    is_loaded: bool = False
    is_editing: bool = False
    form_title: str = ""
    form_fields: list[dict[str, Any]] = []
    form_url: str = ""
    form_method: str = "POST"
    form_test_url: str = ""
    form_key: str = ""
    testing_id: str = ""
    deleting_id: str = ""
    deleting_name: str = ""
    is_deleting: bool = False

    _watcher: int = 0

    @rx.event
    @reads
    async def load(self):
        """Open the page."""
        await self._read()

    @rx.event(background=True)
    @reads
    async def watch(self):
        """Keep the page true while it is open: a key that is refused anywhere turns red at once."""
        async with self:
            watcher, workspace_id = time.monotonic_ns(), workspace_of(self)
            self._watcher = watcher
        async with application().hub.subscribe(workspace_id) as changes:
            while True:
                news = await changes.take(LOOK_AGAIN_SECONDS)
                async with self:
                    if self._watcher != watcher:
                        return
                    if not news or any(change.kind == "connection" for change in news):
                        await self._read()
                await asyncio.sleep(PAUSE_SECONDS)

    async def _read(self) -> None:
        try:
            found = await application().connections.providers(workspace_of(self))
        except Unavailable:
            return  # what is shown stays; the watcher looks again soon
        show(self, platforms=[_platform(view) for view in found if view.fields], is_loaded=True)

    @rx.event
    @reads
    async def open_new(self, provider: str):
        """Open the form for a new connection."""
        view = await self._provider(provider)
        if view is None:
            return
        name = {"key": "name", "label": "Name", "value": view.title, "required": True, "isTopLevel": True}
        self.form_title, self.form_method = f"Connect {view.title}", "POST"
        self.form_fields = [name, *(dict(field) for field in view.fields)]
        self.form_url = f"{API}/providers/{view.key}/connect"
        self.form_test_url = f"{API}/providers/{view.key}/test"
        self.form_key, self.is_editing = f"new-{view.key}", True

    @rx.event
    @reads
    async def open_existing(self, connection_id: str):
        """Open the form of a stored connection; its secrets stay unless they are entered again."""
        stored = await application().connections.get(workspace_of(self), connection_id)
        view = await self._provider(stored.provider)
        if view is None:
            return
        fields: list[dict[str, Any]] = [
            {"key": "name", "label": "Name", "value": stored.name, "required": True, "isTopLevel": True}
        ]
        for field in view.fields:
            is_stored = field["key"] in stored.secrets_set
            fields.append(
                dict(field)
                | {
                    "value": stored.settings.get(field["key"], ""),
                    "required": field["required"] and not is_stored,
                    "placeholder": "•••••••• stored; leave empty to keep it"
                    if is_stored
                    else field["placeholder"],
                }
            )
        self.form_title, self.form_method = f"Edit {stored.name}", "PUT"
        self.form_fields, self.form_url = fields, f"{API}/connections/{stored.id}"
        self.form_test_url = ""
        self.form_key, self.is_editing = f"edit-{stored.id}-{stored.updated_date}", True

    async def _provider(self, key: str) -> ProviderView | None:
        found = await application().connections.providers(workspace_of(self))
        return next((view for view in found if view.key == key), None)

    @rx.event
    @reads
    def show_form(self, is_open: bool):
        """Open or close the form."""
        self.is_editing = is_open

    @rx.event
    @reads
    async def stored(self, result: dict[str, Any]):
        """The form has posted; the API's answer says how it went."""
        if result.get("ok") is not True:
            return
        self.is_editing = False
        await self._read()
        yield rx.toast.success("Connection saved")

    @rx.event
    @writes
    async def check(self, connection_id: str):
        """Try a stored connection now."""
        self.testing_id = connection_id
        yield
        try:
            outcome = await application().connections.check(workspace_of(self), connection_id)
        except OrchestratorError as error:
            yield show_error(error)
        else:
            say = rx.toast.success if outcome.status == "connected" else rx.toast.error
            yield say(outcome.detail)
        finally:
            self.testing_id = ""
        await self._read()

    @rx.event
    @reads
    def ask_delete(self, connection_id: str, name: str):
        """Ask before forgetting a connection."""
        self.deleting_id, self.deleting_name, self.is_deleting = connection_id, name, True

    @rx.event
    @reads
    def show_delete(self, is_open: bool):
        """Open or close the question."""
        self.is_deleting = is_open

    @rx.event
    @writes
    async def delete(self):
        """Forget the connection that was asked about."""
        self.is_deleting = False
        with suppress(NotFound):  # somebody else was quicker
            await application().connections.delete(workspace_of(self), self.deleting_id)
        await self._read()
        yield rx.toast.success(f"Disconnected “{self.deleting_name}”")


def _platform(view: ProviderView) -> PlatformRow:
    return PlatformRow(view.key, view.title, [_row(connection) for connection in view.connections])


def _row(view: ConnectionView) -> ConnectionRow:
    address = next((value for value in view.settings.values() if value.startswith("http")), "")
    return ConnectionRow(
        view.id, view.provider, view.name, address, view.status, view.status_detail, view.checked_date or 0
    )
