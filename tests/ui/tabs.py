"""Browser tabs without a browser: events go the whole way through Reflex, and what comes back is what a page gets."""

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import Any, TypeVar

import reflex as rx
from reflex.istate.manager.token import BaseStateToken
from reflex.state import StateUpdate
from reflex.utils import format as reflex_format
from reflex_base.event import Event
from reflex_base.event.processor import BaseStateEventProcessor

from orchestrator_app.orchestrator_app import app
from orchestrator_app.services.application import Application

State = TypeVar("State", bound=rx.State)

PATIENCE_SECONDS = 20.0
LOAD = "reflex___state____state.hydrate_and_load"
# What switches and dialogs send.
ON = OPEN = True
CLOSED = False
COOKIE = "session=cookie-that-no-page-may-see"


class Tabs:
    """All open tabs; stands where Reflex has its sockets."""

    def __init__(self, processor: BaseStateEventProcessor, application: Application) -> None:
        self.processor = processor
        self.application = application
        self._numbers = itertools.count(1)
        self._open: dict[str, Tab] = {}

    async def open(self, path: str) -> "Tab":
        """A new tab on this page, with everything that the page does when it is opened done."""
        tab = Tab(self, f"tab-{next(self._numbers)}")
        self._open[tab.token] = tab
        await tab.go(path)
        return tab

    async def settled(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so that no page shows."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so():  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(0.01)

    async def emit_update(self, update: StateUpdate, token: str) -> None:
        """What Reflex calls to send something to a browser."""
        self._open[token].take(update)


class Tab:
    """One tab: what its page shows, and what was said to the person who looks at it."""

    def __init__(self, tabs: Tabs, token: str) -> None:
        self._tabs = tabs
        self.token = token
        self.path = "/"
        self.vars: dict[str, dict[str, Any]] = {}
        self.updates: list[dict[str, Any]] = []
        self.said: list[str] = []
        self._changed = asyncio.Event()

    def take(self, update: StateUpdate) -> None:
        """Take over what the server sent, in the form in which it travels."""
        sent = json.loads(reflex_format.json_dumps(update).encode())
        for state, values in sent.get("delta", {}).items():
            named = {name.removesuffix("_rx_state_"): value for name, value in values.items()}
            self.vars.setdefault(state, {}).update(named)
            self.updates.append(named)
        # What is said travels as a script, in which texts are escaped once more.
        self.said += [
            str(event["payload"]).replace("\\\\u", "\\u").encode().decode("raw_unicode_escape")
            for event in sent.get("events", [])
        ]
        self._changed.set()

    async def go(self, path: str) -> None:
        """Open another page in this tab, or the same one again; also what happens when a connection comes back."""
        self.path = path
        await self.send_raw(LOAD, {}, chained=True)
        await self.until(lambda: self.vars["reflex___state____state"].get("is_hydrated") is True)

    async def send(self, handler: Any, *values: Any) -> None:
        """Do what a control of the page does: call the handler, and wait until it is done."""
        spec = handler(*values)
        payload = {str(name): json.loads(json.dumps(value._var_value)) for name, value in spec.args}
        await self.send_raw(reflex_format.format_event_handler(spec.handler), payload)

    async def send_raw(self, name: str, payload: dict[str, Any], *, chained: bool = False) -> None:
        """Send any event at all, as a client that is no page of ours can."""
        future = await self._enqueue(name, payload)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.wait({future})
            if not chained:
                # What broke has been told by a handler of its own, which runs after it.
                await asyncio.sleep(0)

    async def _enqueue(self, name: str, payload: dict[str, Any]) -> asyncio.Future[Any]:
        route = app.router(self.path.partition("?")[0]) or "404"
        data = {
            "pathname": f"/{route}",
            "asPath": self.path,
            "query": {},
            "token": self.token,
            "sid": f"socket of {self.token}",
            "headers": {"origin": "http://127.0.0.1:8000", "cookie": COOKIE, "authorization": COOKIE},
            "ip": "127.0.0.1",
        }
        event = Event(name=name, payload=payload, router_data=data)
        return await self._tabs.processor.enqueue(self.token, event)

    def close(self) -> None:
        """Close the tab, as a browser does."""
        self._tabs.processor._on_disconnect(self.token)

    def shows(self, state: type[rx.State], name: str) -> Any:
        """A var as the page has it."""
        return self.vars[state.get_full_name()][name]

    async def state(self, state: type[State]) -> State:
        """The state itself, with what it hides from the page."""
        manager = self._tabs.processor._root_context.state_manager  # pyright: ignore[reportOptionalMemberAccess]
        root = await manager.get_state(BaseStateToken(ident=self.token, cls=state))
        return await root.get_state(state)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until the page shows something."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()

    async def until_said(self, text: str) -> None:
        """Wait until the person is told something."""
        await self.until(lambda: any(text in sentence for sentence in self.said))
