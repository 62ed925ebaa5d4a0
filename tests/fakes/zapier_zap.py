"""Zaps and runs of the fake Zapier: what they do with a call, and how they stand in its lists."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from tests.fakes.wire import Received

WEBHOOKS = {
    "type": "app",
    "id": "868f-webhooks",
    "title": "Webhooks by Zapier",
    "hex_color": "FF4A00",
    "categories": [],
}
SHEETS = {
    "type": "app",
    "id": "1234-sheets",
    "title": "Google Sheets",
    "hex_color": "0F9D58",
    "categories": [],
}
ENDED = {"success", "error", "error_handled", "filtered", "halted", "skipped"}


def step(
    key: str, title: str | None, app: dict[str, Any], action_type: str = "WRITE", **more: Any
) -> dict[str, Any]:
    """A step with its whole action, as it comes when it is expanded."""
    action = {
        "type": "action",
        "id": f"uag:{key}",
        "key": f"uag:{key}",
        "action_type": action_type,
        "is_instant": action_type == "READ",
        "title": title,
        "description": "",
        "app": app,
    }
    return {"action": action, "authentication": None, "inputs": {}, "title": None} | more


CATCH = step("catch", "Catch Hook", WEBHOOKS, "READ")
ADD_ROW = step("row", "Create Spreadsheet Row", SHEETS, inputs={"sheet": "Leads"})
CALL_BACK = step("post", "POST", WEBHOOKS)


@dataclass
class FakeZap:
    """A Zap and its behaviour.

    Attributes:
        title: Its name, or None.
        number: Its number in the history and in the address of its editor; its id looks quite different.
        steps: Its steps, expanded; other shapes are sent as they are.
        is_enabled: False: calls are accepted and dropped.
        status: State of its runs.
        output: Makes the data that goes out from the data that comes in.
        fails: Why a step of its runs fails.
        tells_why: The failed step says why.
        calls_back: Its last step posts to ``callback_url``.
        is_raw: Its trigger is Catch Raw Hook: the body is one text.
        shows_data: False: the history leaves out the data.
        looks_until_listed: How often a run is looked for before it is listed.
    """

    title: str | None
    number: int
    steps: Any = field(default_factory=lambda: [CATCH, ADD_ROW, CALL_BACK])
    is_enabled: bool = True
    status: str = "success"
    output: Callable[[dict[str, Any]], Any] = lambda data: {"row": 7, "of": data.get("a")}
    fails: str = ""
    tells_why: bool = True
    calls_back: bool = False
    is_raw: bool = False
    shows_data: bool = True
    looks_until_listed: int = 1
    updated_at: str = "2026-02-20T09:00:00+00:00"
    hook_url: str = ""

    @property
    def id(self) -> str:
        return f"00000000-0000-c000-8000-{self.number:012x}"

    @property
    def path(self) -> str:
        return f"1234567/t0k{self.number:x}en"


@dataclass
class FakeRun:
    """One run of a Zap. ``looks_left``: how often it is looked for before it is listed."""

    zap: FakeZap
    data_in: dict[str, Any]
    looks_left: int
    status: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.status = "error" if self.zap.fails else self.zap.status
        self.data_out = self.zap.output(self.data_in)

    @property
    def text(self) -> str:
        """What a search looks into."""
        return json.dumps([self.zap.title, self.data_in, self.data_out], ensure_ascii=False)

    def is_listed(self) -> bool:
        """Whether a look finds it by now."""
        self.looks_left -= 1
        return self.looks_left < 0


def received_data(received: Received, *, is_raw: bool) -> list[dict[str, Any]]:
    """The data with which runs begin: one for each item if the body is a list."""
    query = {"querystring": received.query} if received.query else {}
    if is_raw:
        return [{"raw_body": received.text, "headers": dict(received.headers)} | query]
    if "json" not in received.headers.get("content-type", ""):
        return [dict(parse_qsl(received.text, keep_blank_values=True)) | query]
    body = json.loads(received.body or b"{}")
    items = body if isinstance(body, list) else [body]
    return [(item if isinstance(item, dict) else {"value": item}) | query for item in items]


def zap_row(zap: FakeZap, expand: set[str]) -> dict[str, Any]:
    """A Zap as it stands in the list."""
    steps = zap.steps
    if isinstance(steps, list):
        steps = [_step_row(one, expand) for one in steps]
    return {
        "type": "zap",
        "id": zap.id,
        "is_enabled": zap.is_enabled,
        "title": zap.title,
        "last_successful_run_date": None,
        "updated_at": zap.updated_at,
        "links": {"html_editor": f"https://zapier.com/editor/{zap.number}"},
        "steps": steps,
    }


def _step_row(one: Any, expand: set[str]) -> Any:
    if not isinstance(one, dict) or not isinstance(one.get("action"), dict):
        return one
    action = one["action"]
    if "steps.action" not in expand:
        return one | {"action": action["id"]}
    app = action["app"] if "steps.action.app" in expand else action["app"]["id"]
    return one | {"action": action | {"app": app}}


def run_row(run: FakeRun) -> dict[str, Any]:
    """A run as it stands in the history."""
    zap, is_over = run.zap, run.status in ENDED
    steps: list[dict[str, Any]] = [{"status": "success", "start_time": _iso(run.started_at)}]
    if run.status == "error":
        why = {"error": {"title": "AppError", "detail": zap.fails}} if zap.tells_why else {}
        steps.append({"status": "error", "start_time": _iso(run.started_at)} | why)
    return {
        "id": run.id,
        "zap_id": zap.number,
        "zap_title": zap.title,
        "start_time": _iso(run.started_at),
        "end_time": _iso(run.started_at) if is_over else None,
        "status": run.status,
        "steps": steps,
        "data_in": run.data_in if zap.shows_data else "",
        "data_out": run.data_out if is_over and run.status != "error" else None,
    }


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
