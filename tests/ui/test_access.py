"""The gate before every event handler: only known handlers, only declared arguments, nothing of it in the log."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import reflex as rx
from reflex.state import BaseState, StateUpdate
from reflex_base.event import Event
from reflex_base.utils.exceptions import EventDeserializationError

from orchestrator_app.orchestrator_app import app
from orchestrator_app.ui.access import (
    Gatekeeper,
    permission_of,
    reads,
    without_events,
    writes,
    wrong_argument,
)
from orchestrator_app.ui.pages.canvas.settings_state import SettingsState
from orchestrator_app.ui.pages.canvas.state import EditorState
from orchestrator_app.ui.pages.connections.form_state import ConnectionFormState
from orchestrator_app.ui.pages.orchestrators.state import OrchestratorsState

SECRET = "what-a-client-sent"


def all_states(base: type[BaseState] = rx.State) -> Iterator[type[BaseState]]:
    for state in base.get_substates():
        yield state
        yield from all_states(state)


OUR_STATES = [state for state in all_states() if state.__module__.startswith("orchestrator_app.")]
OUR_HANDLERS = {
    f"{state.get_full_name()}.{name}": handler
    for state in OUR_STATES
    for name, handler in state.event_handlers.items()
    if name != "setvar"
}


async def gate(name: str, payload: dict[str, Any] | None = None) -> StateUpdate | None:
    state = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
    event = Event(name=name, payload={} if payload is None else payload)
    return await Gatekeeper().preprocess(app, state, event)


def of(state: type[BaseState], name: str) -> str:
    return f"{state.get_full_name()}.{name}"


def test_the_program_has_states_on_every_page():
    assert {state.__name__ for state in OUR_STATES} >= {
        "EditorState",
        "SettingsState",
        "LiveState",
        "OrchestratorsState",
        "RunsState",
        "RunPageState",
        "ConnectionsState",
        "ConnectionFormState",
    }
    assert len(OUR_HANDLERS) > 60


@pytest.mark.parametrize("name", sorted(OUR_HANDLERS))
def test_each_handler_says_what_it_does_and_what_it_takes(name: str):
    handler = OUR_HANDLERS[name].fn
    assert permission_of(handler) in {"read", "write"}
    assert "declares no type" not in wrong_argument(handler, dict.fromkeys(handler.__code__.co_varnames[1:]))
    arguments = handler.__code__.co_varnames[1 : handler.__code__.co_argcount]
    assert set(arguments) <= set(handler.__annotations__)


async def test_a_permitted_event_with_fitting_arguments_passes():
    assert await gate(of(OrchestratorsState, "search"), {"query": "orders"}) is None
    assert await gate(of(OrchestratorsState, "load")) is None
    assert await gate(of(SettingsState, "move_row"), {"key": "cases", "row_id": "1", "by": -1}) is None
    assert await gate(of(SettingsState, "switch_disabled"), {"disabled": True}) is None
    move = {"op": "move", "id": "a", "x": 1, "y": 2.5}
    assert await gate(of(EditorState, "apply_ops"), {"ops": [move, {"op": "remove", "id": "a"}]}) is None
    assert await gate(of(EditorState, "copy_nodes"), {"node_ids": ["a", "b"]}) is None
    assert await gate(of(ConnectionFormState, "stored"), {"result": {"ok": True, "n": 1}}) is None


@pytest.mark.parametrize(
    ("state", "name", "payload", "reason"),
    [
        (OrchestratorsState, "setvar", {"var_name": "query", "value": SECRET}, "not meant for browsers"),
        (OrchestratorsState, "_read", {}, "no such handler"),
        (OrchestratorsState, "__init__", {}, "no such handler"),
        (OrchestratorsState, "get_full_name", {}, "no such handler"),
        (OrchestratorsState, "reset", {}, "no such handler"),
        (OrchestratorsState, "search", {}, "the argument query is missing"),
        (OrchestratorsState, "search", {"query": 5}, "the argument query has the wrong type"),
        (OrchestratorsState, "search", {"query": {"$ne": SECRET}}, "the argument query has the wrong type"),
        (OrchestratorsState, "search", {"query": None}, "the argument query has the wrong type"),
        (OrchestratorsState, "search", {"query": "a", SECRET: 1}, "unknown argument"),
        (OrchestratorsState, "search", {"query": "a", "self": 1}, "unknown argument"),
        (OrchestratorsState, "search", {"query": f"{SECRET}\x00"}, "a character that no text may have"),
        (OrchestratorsState, "search", {"query": f"{SECRET}\ud800"}, "a character that no text may have"),
        (OrchestratorsState, "load", {SECRET: 1}, "unknown argument"),
        (OrchestratorsState, "ask_name", {"is_open": "true"}, "the argument is_open has the wrong type"),
        (OrchestratorsState, "ask_name", {"is_open": 1}, "the argument is_open has the wrong type"),
        (SettingsState, "move_row", {"key": "a", "row_id": "1", "by": "1"}, "the argument by has the wrong"),
        (SettingsState, "move_row", {"key": "a", "row_id": "1", "by": True}, "the argument by has the wrong"),
        (SettingsState, "move_row", {"key": "a", "row_id": "1", "by": 0.5}, "the argument by has the wrong"),
        (EditorState, "apply_ops", {"ops": {"op": "add"}}, "the argument ops has the wrong type"),
        (EditorState, "apply_ops", {"ops": [SECRET]}, "the argument ops has the wrong type"),
        (EditorState, "apply_ops", {"ops": [{"op": "add", "label": "\ud800"}]}, "a character that no text"),
        (EditorState, "copy_nodes", {"node_ids": [1]}, "the argument node_ids has the wrong type"),
        (
            EditorState,
            "copy_nodes",
            {"node_ids": SECRET * 100_000},
            "the argument node_ids has the wrong type",
        ),
    ],
)
async def test_an_event_that_does_not_fit_is_stopped_and_its_payload_stays_out_of_the_log(
    state: type[BaseState],
    name: str,
    payload: dict[str, Any],
    reason: str,
    caplog: pytest.LogCaptureFixture,
):
    update = await gate(of(state, name), payload)
    assert update is not None
    assert (update.delta, update.events) == ({}, [])
    assert reason in caplog.text
    assert SECRET not in caplog.text


async def test_arguments_nested_too_deeply_are_stopped():
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert await gate(of(EditorState, "apply_ops"), {"ops": deep}) is not None


async def test_what_is_not_permitted_is_stopped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("orchestrator_app.ui.access.may", lambda permission, _state: permission == "read")
    assert await gate(of(OrchestratorsState, "load")) is None
    assert await gate(of(OrchestratorsState, "create")) is not None
    assert "it is not permitted" in caplog.text


# --- Reflex's own events ---

ROOT = "reflex___state____state"


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        (f"{ROOT}.hydrate", {}),
        (f"{ROOT}.hydrate_and_load", {}),
        (f"{ROOT}.hydrate_and_load", {"vars": {}, "hashes": ["a"]}),
        (f"{ROOT}.set_is_hydrated", {"value": True}),
        (f"{ROOT}.reflex___state____on_load_internal_state.on_load_internal", {}),
    ],
)
async def test_a_page_can_be_loaded(name: str, payload: dict[str, Any]):
    assert await gate(name, payload) is None


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        (f"{ROOT}.setvar", {"var_name": "is_hydrated", "value": SECRET}),
        (f"{ROOT}.hydrate", {SECRET: 1}),
        (f"{ROOT}.hydrate_and_load", {"vars": {f"{SECRET}.name": "1"}}),
        (f"{ROOT}.set_is_hydrated", {"value": SECRET}),
        (
            f"{ROOT}.reflex___state____update_vars_internal_state.update_vars_internal",
            {"vars": {"a.b": SECRET}},
        ),
        (
            f"{ROOT}.reflex___state____frontend_event_exception_state.handle_frontend_exception",
            {"info": SECRET},
        ),
    ],
)
async def test_reflex_own_events_take_no_liberties(
    name: str, payload: dict[str, Any], caplog: pytest.LogCaptureFixture
):
    assert await gate(name, payload) is not None
    assert SECRET not in caplog.text


async def test_what_broke_in_a_browser_is_logged_on_one_short_line():
    payload = {"info": "TypeError: x\n2026-01-01 ERROR forged" + "x" * 5_000, "component_stack": "at App"}
    name = f"{ROOT}.reflex___state____frontend_event_exception_state.handle_frontend_exception"
    assert await gate(name, payload) is None
    assert payload["info"].startswith("TypeError: x\\n2026")
    assert len(payload["info"]) < 2_100


# --- handlers of other shapes ---


class Shapes:
    @reads
    def optional(self, text: str, number: int = 5, share: float = 0.5) -> None: ...

    @writes
    def untyped(self, anything) -> None: ...


def test_marks_are_told_apart():
    assert permission_of(Shapes.optional) == "read"
    assert permission_of(Shapes.untyped) == "write"
    assert permission_of(test_marks_are_told_apart) is None


def test_an_argument_with_a_default_may_be_left_out_but_not_be_of_another_type():
    assert wrong_argument(Shapes.optional, {"text": "a"}) == ""
    assert wrong_argument(Shapes.optional, {"text": "a", "number": 6}) == ""
    assert "number" in wrong_argument(Shapes.optional, {"text": "a", "number": "6"})


def test_a_whole_number_is_a_number_too():
    assert wrong_argument(Shapes.optional, {"text": "a", "share": 1}) == ""


def test_an_argument_without_a_type_is_never_taken():
    assert "declares no type" in wrong_argument(Shapes.untyped, {"anything": 1})


def test_text_may_hold_every_real_character():
    assert wrong_argument(Shapes.optional, {"text": "ä \\u0000 😀 \n\t \\\\u0000 “”"}) == ""


# --- the log ---


def record(
    message: str, *arguments: object, error: Exception | None = None, logger: str = "reflex.app"
) -> str:
    info = None if error is None else (type(error), error, None)
    line = logging.LogRecord(logger, logging.ERROR, __file__, 1, message, arguments, info)
    assert without_events(line)
    return logging.Formatter().format(line)


def test_an_event_that_reflex_logs_loses_what_the_client_sent():
    event = Event(name="no.such", payload={"a": SECRET}, router_data={"headers": {"cookie": SECRET}})
    line = record(f"Error processing event queue entry for {event} [txid=1]:", error=KeyError(SECRET))
    assert line == "Error processing event queue entry for an event"
    assert record("Received a string. Event data: %s", SECRET) == "Received a string. an event"


def test_an_event_that_cannot_be_read_is_not_repeated():
    line = record("never retrieved: %s", SECRET, error=EventDeserializationError(SECRET))
    assert line == "an event was refused: it cannot be read"


def test_what_breaks_in_a_socket_is_told_by_its_kind():
    line = record("message async handler error", error=AttributeError(SECRET), logger="engineio.server")
    assert line == "message async handler error: AttributeError"


def test_other_lines_stay_as_they_are():
    assert record("something %s", "else", error=ValueError("why")) == "something else\nValueError: why"


async def test_the_loggers_of_reflex_have_the_filter(caplog: pytest.LogCaptureFixture):
    Gatekeeper()
    logging.getLogger("reflex.app").warning("Event data: %s", SECRET)
    logging.getLogger("reflex_base.event.processor.event_processor").error("Event(name=%s)", SECRET)

    async def broken() -> None:
        raise EventDeserializationError(SECRET)

    task = asyncio.create_task(broken())
    await asyncio.wait({task})
    asyncio.get_running_loop().call_exception_handler(
        {"message": SECRET, "exception": task.exception(), "task": task}
    )
    assert SECRET not in caplog.text
