"""Who may call which event handler: every event of every browser passes ``Gatekeeper`` before it is carried out.

Reflex lets any client call any handler of any state, whatever page it shows and with arguments of any type. So a
handler is callable only when it says what it does (``reads`` or ``writes``), and only with arguments of the types
it declares.
"""

import inspect
import logging
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, TypeVar, get_type_hints

import reflex as rx
from pydantic import ConfigDict, TypeAdapter, ValidationError
from reflex.state import BaseState, StateUpdate

log = logging.getLogger(__name__)

Permission = Literal["read", "write"]
Handler = TypeVar("Handler", bound=Callable[..., Any])

_MARK = "_orchestrator_permission"
# Reflex's own events, needed to load a page; none of them reaches a var or method of our states.
_BUILT_IN = frozenset(
    {
        "hydrate",
        "hydrate_and_load",
        "on_load_internal",
        "set_is_hydrated",
        "update_vars_internal",
        "handle_frontend_exception",
    }
)


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

    async def preprocess(self, app: rx.App, state: BaseState, event: Any) -> StateUpdate | None:
        """None lets the event through; an empty update stops it."""
        _, _, name = event.name.rpartition(".")
        handler = event.state_cls.event_handlers.get(name)
        if handler is None:
            return self._stop(event.name, "there is no such handler")
        if name in _BUILT_IN and handler.fn.__module__.startswith("reflex."):
            return None
        permission = permission_of(handler.fn)
        if permission is None:
            return self._stop(event.name, "it is not meant for browsers")
        if not may(permission, state):
            return self._stop(event.name, "it is not permitted")
        problem = wrong_argument(handler.fn, event.payload)
        if problem:
            return self._stop(event.name, problem)
        return None

    def _stop(self, name: str, reason: str) -> StateUpdate:
        # The payload stays out of the log: it is whatever a client chose to send.
        log.warning("an event was refused: %s: %s", name[:200], reason)
        return StateUpdate()


@cache
def _adapters(handler: Callable[..., Any]) -> dict[str, TypeAdapter[Any]]:
    hints = get_type_hints(handler)
    names = list(inspect.signature(handler).parameters)[1:]
    strict = ConfigDict(strict=True)
    return {name: TypeAdapter(hints[name], config=strict) for name in names if name in hints}


def wrong_argument(handler: Callable[..., Any], payload: dict[str, Any]) -> str:
    """What is wrong with an event's arguments, or an empty text. Values are never repeated."""
    parameters = list(inspect.signature(handler).parameters.values())[1:]
    unknown = [name for name in payload if name not in {parameter.name for parameter in parameters}]
    if unknown:
        return "it has an unknown argument"
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
