"""What the page of connections shows, and what can be done with a stored one."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import reflex as rx

from orchestrator_app.errors import NotFound, OrchestratorError, Unavailable
from orchestrator_app.services.workflow_views import ConnectionUsage
from orchestrator_app.ui.access import reads, writes
from orchestrator_app.ui.addresses import address_script
from orchestrator_app.ui.pages.connections.form_state import ConnectionFormState
from orchestrator_app.ui.pages.connections.platforms import PlatformRow, platform_rows
from orchestrator_app.ui.routes import CONNECTIONS
from orchestrator_app.ui.session import application, show, show_error, workspace_of

LOOK_AGAIN_SECONDS = 10.0
PAUSE_SECONDS = 0.25
_SHOWN_CHANGES = frozenset({"connection", "workflows"})


@dataclass(frozen=True)
class UsageRow:
    """An orchestrator that uses the connection, and the labels of the nodes that do."""

    orchestrator_id: str
    name: str
    nodes: str


class ConnectionsState(rx.State):
    """The connections of one tab."""

    platforms: list[PlatformRow] = []
    is_loaded: bool = False
    testing_id: str = ""
    deleting_id: str = ""
    deleting_name: str = ""
    deleting_text: str = ""
    usage: list[UsageRow] = []
    is_deleting: bool = False

    _watcher: int = 0

    @rx.event
    @reads
    async def load(self):
        """Open the page; its address may ask for the form of a platform, as ``/connections?connect=n8n`` does."""
        await self._read()
        wanted = str(self.router.url.query_parameters.get("connect", ""))
        if wanted:
            # The page is loaded again whenever a lost connection comes back; the form opens once.
            yield rx.call_script(address_script(CONNECTIONS, {}))
            yield ConnectionFormState.open_new(wanted)

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
                    if not news or any(change.kind in _SHOWN_CHANGES for change in news):
                        await self._read()
                await asyncio.sleep(PAUSE_SECONDS)

    async def _read(self) -> None:
        try:
            found = await application().connections.providers(workspace_of(self))
        except Unavailable:
            return  # what is shown stays; the watcher looks again soon
        show(self, platforms=platform_rows(found), is_loaded=True)

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
    async def ask_delete(self, connection_id: str, name: str):
        """Ask before forgetting a connection, and tell who uses it."""
        try:
            usage = await application().connections.usage(workspace_of(self), connection_id)
        except OrchestratorError as error:
            return show_error(error)
        self.usage = [UsageRow(item.orchestrator_id, item.name, ", ".join(item.nodes)) for item in usage]
        self.deleting_id, self.deleting_name = connection_id, name
        self.deleting_text, self.is_deleting = _question(name, usage), True
        return None

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


def _question(name: str, usage: Sequence[ConnectionUsage]) -> str:
    forgotten = f"“{name}” and its secrets are forgotten."
    match len(usage):
        case 0:
            return f"{forgotten} No orchestrator uses it."
        case 1:
            return f"{forgotten} One orchestrator uses it; its nodes fail until another connection is chosen in them:"
        case count:
            return (
                f"{forgotten} {count} orchestrators use it; "
                "their nodes fail until another connection is chosen in them:"
            )
