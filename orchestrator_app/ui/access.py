"""Who may call which event handler: every event of every browser passes ``Gatekeeper`` before it is carried out.

Reflex lets any client call any handler of any state, whatever page it shows and with arguments of any type. So a
handler is callable only when it says what it does (``reads`` or ``writes``), and only with arguments of the types
it declares.
"""

import inspect
import json
import logging
import re
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, TypeVar, get_type_hints

import reflex as rx
from pydantic import ConfigDict, TypeAdapter, ValidationError
from reflex.state import BaseState, StateUpdate
from reflex_base.event.context import EventContext
from reflex_base.utils.exceptions import EventDeserializationError

log = logging.getLogger(__name__)

Permission = Literal["read", "write"]
Handler = TypeVar("Handler", bound=Callable[..., Any])

_MARK = "_orchestrator_permission"
# Reflex's own events, needed to load a page; none of them reaches a var or method of our states.
_BUILT_IN = frozenset(
    {"hydrate", "hydrate_and_load", "on_load_internal", "set_is_hydrated", "handle_frontend_exception"}
)
# Where Reflex logs what clients send: whole events with payload and headers, cookies among them.
_SOCKET_LOGGERS = ("engineio.server", "socketio.server")
_TALKATIVE_LOGGERS = (
    "reflex.app",
    "reflex_base.event.processor.event_processor",
    "asyncio",
    *_SOCKET_LOGGERS,
)
_EVENT_TEXT = re.compile(r"Event\(|[Ee]vent data")
_MOST_SHOWN_OF_A_COMPLAINT = 2_000


def reads(handler: Handler) -> Handler:
    """Mark an event handler as one that changes nothing that is stored. Stands under ``@rx.event``."""
    setattr(handler, _MARK, "read")
    return handler


def writes(handler: Handler) -> Handler:
    """Mark an event handler as one that changes what is stored, or starts something. Stands under ``@rx.event``."""
    setattr(handler, _MARK, "write")
    return handler


def permission_of(handler: Callable[..., Any]) -> Permission | None:
    """What the handler was marked as, or None."""
    return getattr(handler, _MARK, None)


def may(_permission: Permission, _state: BaseState) -> bool:
    """Whether the person behind this browser tab has the permission.

    Until accounts exist, whoever reaches the page may do everything: the server listens on loopback only.
    """
    return True


class Gatekeeper(rx.Middleware):
    """Stops every event that is not meant for browsers, not permitted, or wrongly filled."""

    def __init__(self) -> None:
        for name in _TALKATIVE_LOGGERS:
            logging.getLogger(name).addFilter(without_events)

    async def preprocess(self, app: rx.App, state: BaseState, event: Any) -> StateUpdate | None:
        """None lets the event through; an empty update stops it."""
        _, _, name = event.name.rpartition(".")
        handler = event.state_cls.event_handlers.get(name)
        if handler is None:
            return self._stop(event.name, "there is no such handler")
        if name in _BUILT_IN and handler.fn.__module__.startswith("reflex."):
            return self._built_in(event, handler.fn)
        permission = permission_of(handler.fn)
        # What goes on in the background is begun by opening a page, and Reflex ends it with the page. Begun by a
        # client itself, nothing would ever end it.
        if permission is None or (handler.is_background and not _is_begun_by_server()):
            return self._stop(event.name, "it is not meant for browsers")
        if not may(permission, state):
            return self._stop(event.name, "it is not permitted")
        problem = wrong_argument(handler.fn, event.payload)
        if problem:
            return self._stop(event.name, problem)
        return None

    def _built_in(self, event: Any, handler: Callable[..., Any]) -> StateUpdate | None:
        problem = wrong_argument(handler, event.payload)
        if not problem and event.payload.get("vars"):
            # Browsers send what they stored for a var; none of ours is stored there.
            problem = "it sets variables"
        if problem:
            return self._stop(event.name, problem)
        if "info" in event.payload:
            # What broke in a browser is logged. It stays on one line, so that it cannot look like lines of the server.
            info = event.payload["info"][:_MOST_SHOWN_OF_A_COMPLAINT]
            event.payload["info"] = info.encode("unicode_escape").decode()
        return None

    def _stop(self, name: str, reason: str) -> StateUpdate:
        # The payload stays out of the log: it is whatever a client chose to send.
        log.warning("an event was refused: %s: %s", name[:200], reason)
        return StateUpdate()


def _is_begun_by_server() -> bool:
    """Whether the event that is being looked at follows from another one, and was not sent by a client."""
    try:
        return bool(EventContext.get().parent_txid)
    except LookupError:
        return False


def without_events(record: logging.LogRecord) -> bool:
    """A filter for loggers that takes out of a line what a client sent. It lets every line through."""
    exception = record.exc_info[1] if record.exc_info else None
    if isinstance(exception, EventDeserializationError):
        record.msg, record.args, record.exc_info = "an event was refused: it cannot be read", (), None
    elif exception is not None and record.name in _SOCKET_LOGGERS:
        # Whatever made a message unreadable is repeated in the exception.
        record.msg = f"{record.getMessage()}: {type(exception).__name__}"
        record.args, record.exc_info = (), None
    elif found := _EVENT_TEXT.search(record.getMessage()):
        # The exception repeats the name of the event, which is whatever the client made up.
        record.msg, record.args, record.exc_info = f"{record.getMessage()[: found.start()]}an event", (), None
    return True


@cache
def _adapters(handler: Callable[..., Any]) -> dict[str, TypeAdapter[Any]]:
    hints = get_type_hints(handler)
    names = list(inspect.signature(handler).parameters)[1:]
    strict = ConfigDict(strict=True)
    return {name: TypeAdapter(hints[name], config=strict) for name in names if name in hints}


def wrong_argument(handler: Callable[..., Any], payload: dict[str, Any]) -> str:
    """What is wrong with an event's arguments, or an empty text. Values are never repeated."""
    parameters = list(inspect.signature(handler).parameters.values())[1:]
    if any(name not in {parameter.name for parameter in parameters} for name in payload):
        return "it has an unknown argument"
    if not _is_plain(payload):
        return "it holds a character that no text may have"
    adapters = _adapters(handler)
    for parameter in parameters:
        if parameter.name not in payload:
            if parameter.default is inspect.Parameter.empty:
                return f"the argument {parameter.name} is missing"
            continue
        try:
            adapters[parameter.name].validate_python(payload[parameter.name])
        except KeyError:
            return f"the argument {parameter.name} declares no type"
        except ValidationError:
            return f"the argument {parameter.name} has the wrong type"
    return ""


def _is_plain(payload: dict[str, Any]) -> bool:
    """Whether all texts are such as files, databases and sockets take: without NUL and half characters."""
    try:
        text = json.dumps(payload, ensure_ascii=False)
        text.encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return "\\u0000" not in text.replace("\\\\", "")
