"""Scenarios and executions of the fake Make, and how the API shows them."""

import asyncio
import hashlib
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.fakes.wire import Received, Reply

WEBHOOK = "gateway:CustomWebHook"
RESPOND = "gateway:WebhookRespond"
RETURN = "scenario-service:ReturnData"


def now() -> int:
    return round(time.time() * 1000)


def iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class FakeScenario:
    """A scenario and its behaviour.

    Attributes:
        name: Its name.
        id: Its number.
        team: Number of its team.
        folder: Number of its folder, or None.
        is_active: Switched on.
        flags: Of ``isinvalid``, ``islocked``, ``isPaused``: those that are true.
        scheduling: Its type of scheduling; it is kept while the scenario is off.
        inputs: What it declares as inputs.
        flow: Its modules; None makes a short one that fits the rest.
        orphans: Modules that are not connected.
        labels: Names of its labels.
        outputs: Makes the outputs of the module "Return output" from the inputs; None: there is no such module.
        seconds: How long an execution takes; None: until ``finish()``.
        fails: The message with which it fails.
        warns: The message of which it warns.
        hidden_looks: So many looks at a new execution are answered with 404.
        hook_type: Name of the type of its hook, or empty for a scenario without one.
        shows_hook: False: the hook stands in the blueprint only.
        hook_key: What callers of the hook have to send.
        respond: Status and body of a module "Webhook response", or None.
        calls_back: An HTTP module sends the outputs to ``callbackUrl``.
        hook_calls: What its hook got, oldest first.
    """

    name: str
    id: int
    team: int
    folder: int | None = None
    is_active: bool = True
    flags: set[str] = field(default_factory=set[str])
    scheduling: str = "on-demand"
    inputs: list[dict[str, Any]] = field(default_factory=list)
    flow: list[dict[str, Any]] | None = None
    orphans: list[Any] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    outputs: Callable[[dict[str, Any]], dict[str, Any]] | None = lambda data: {"got": data}
    seconds: float | None = 0.0
    fails: str = ""
    warns: str = ""
    hidden_looks: int = 0
    hook_type: str = ""
    shows_hook: bool = True
    hook_key: str = ""
    respond: tuple[int, Any] | None = None
    calls_back: bool = False
    is_hook_gone: bool = False
    edited_at: int = field(default_factory=now)
    executions: list["FakeExecution"] = field(default_factory=list)
    hook_calls: list["FakeHookCall"] = field(default_factory=list)

    @property
    def udid(self) -> str:
        return hashlib.sha256(f"hook of {self.id}".encode()).hexdigest()[:32]

    @property
    def hook_id(self) -> int:
        return self.id + 5000

    def modules(self) -> list[dict[str, Any]]:
        """The modules of its blueprint."""
        if self.flow is not None:
            return self.flow
        first = {"id": 1, "module": WEBHOOK, "parameters": {"hook": self.hook_id}} if self.hook_type else None
        if first and self.hook_type != "gateway-webhook":
            first["module"] = "slack:WatchEvents"
        flow = [first or {"id": 1, "module": "util:SetVariables", "mapper": {"x": "{{var.input}}"}}]
        if self.calls_back:
            flow.append({"id": 2, "module": "http:ActionSendData", "mapper": {"url": "{{1.callbackUrl}}"}})
        if self.respond:
            flow.append({"id": 3, "module": RESPOND, "mapper": {"status": str(self.respond[0])}})
        if self.outputs is not None:
            flow.append({"id": 4, "module": RETURN, "mapper": {}})
        for number, module in enumerate(flow):
            module |= {"version": 1, "metadata": {"designer": {"x": number * 300, "y": 0}}}
        return flow

    def row(self) -> dict[str, Any]:
        """As it stands in lists."""
        apps = sorted({module["module"].partition(":")[0] for module in self.modules()})
        person = {"id": 7, "name": "Ada", "email": "ada@example.com"}
        flags = {flag: flag in self.flags for flag in ("isinvalid", "islocked", "isPaused")}
        return {
            "id": self.id,
            "name": self.name,
            "teamId": self.team,
            "hookId": self.hook_id if self.hook_type and self.shows_hook else None,
            "deviceId": None,
            "concept": False,
            "description": "",
            "folderId": self.folder,
            **flags,
            "islinked": self.is_active,
            "isActive": self.is_active,
            "iswaiting": False,
            "dlqCount": 0,
            "usedPackages": apps,
            "scheduling": {"type": self.scheduling},
            "nextExec": None,
            "lastEdit": iso(self.edited_at),
            "created": iso(self.edited_at),
            "createdByUser": person,
            "updatedByUser": person,
            **({"labels": [{"id": 1, "name": name} for name in self.labels]} if self.labels else {}),
        }

    def blueprint(self) -> dict[str, Any]:
        """What the address of its blueprint answers."""
        metadata = {
            "version": 1,
            "instant": bool(self.hook_type),
            "scenario": {"roundtrips": 1, "maxErrors": 3, "sequential": False, "dlq": False},
            "designer": {"orphans": self.orphans},
        }
        return {
            "code": "OK",
            "response": {
                "blueprint": {"name": self.name, "flow": self.modules(), "metadata": metadata},
                "scheduling": {"type": self.scheduling},
                "idSequence": 10,
                "created": iso(self.edited_at),
                "last_edit": iso(self.edited_at),
            },
        }

    def hook(self, base: str) -> dict[str, Any]:
        """Its hook."""
        return {
            "id": self.hook_id,
            "name": f"hook of {self.name}",
            "teamId": self.team,
            "udid": self.udid,
            "type": "web",
            "typeName": self.hook_type,
            "queueCount": 0,
            "queueLimit": 10000,
            "enabled": not self.is_hook_gone,
            "gone": self.is_hook_gone,
            "data": {"headers": False, "method": False, "stringify": False},
            "scenarioId": self.id,
            "url": f"{base}/hook/{self.udid}",
        }

    def missing_inputs(self, data: dict[str, Any]) -> list[str]:
        return [
            field["name"]
            for field in self.inputs
            if field.get("required") and data.get(field["name"]) is None
        ]


@dataclass
class FakeExecution:
    """One execution of a scenario; ``finish()`` ends one that goes on."""

    scenario: FakeScenario
    data: dict[str, Any]
    is_instant: bool = False
    callback_url: str = ""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started_at: int = field(default_factory=now)
    has_ended: bool = False
    looks: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    finish: Callable[[], None] = lambda: None

    @property
    def status(self) -> str:
        if not self.has_ended:
            return "RUNNING"
        return "ERROR" if self.scenario.fails else "WARNING" if self.scenario.warns else "SUCCESS"

    @property
    def number(self) -> int:
        """The status as runs and logs say it."""
        return {"RUNNING": 0, "SUCCESS": 1, "WARNING": 2, "ERROR": 3}[self.status]

    def outputs(self) -> dict[str, Any]:
        """The outputs, under their name, where there are any."""
        if self.scenario.outputs is None or self.status in {"RUNNING", "ERROR"}:
            return {}
        return {"outputs": self.scenario.outputs(self.data)}

    def as_row(self) -> dict[str, Any]:
        """What its address answers."""
        words = self.scenario.fails or self.scenario.warns
        error: dict[str, Any] = {}
        if self.has_ended and words:
            cause = {"name": "ActionSendData", "appName": "http"}
            error = {"error": {"name": "RuntimeError", "message": words, "causeModule": cause}}
        return {"status": self.status, **self.outputs(), **error}

    def as_log(self) -> dict[str, Any]:
        """Its entry in the log."""
        kind = "auto" if self.is_instant else "manual"
        return {
            "imtId": f"{self.started_at}_scenario.{self.scenario.id}.{kind}.{self.id}",
            "id": self.id,
            "type": kind,
            "authorId": None,
            "instant": self.is_instant,
            "timestamp": iso(self.started_at),
            "status": self.number,
            "duration": 5,
            "operations": 2,
            "centicredits": 200,
            "transfer": 5,
            "organizationId": 5,
            "teamId": self.scenario.team,
        }


@dataclass
class FakeHookCall:
    """A request that a hook got, as its log keeps it; ``response`` is there once it was answered."""

    received: Received
    response: Reply | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    logged_at: int = field(default_factory=now)

    def as_log(self, udid: str, *, with_data: bool) -> dict[str, Any]:
        """Its entry in the log."""
        answer = self.response
        row = {
            "statusId": 3 if answer is not None and answer.status >= 400 else 1,
            "parser": "gateway-webhook",
            "replayable": True,
            "sizes": {"before": len(self.received.body), "after": len(self.received.body)},
            "loggedAt": iso(self.logged_at),
            "udids": [udid],
            "typeId": 3,
            "id": self.id,
            "appParser": None,
            "imtId": f"{self.logged_at}_{self.id[:12]}",
        }
        if not with_data:
            return row
        headers = [{"name": name, "value": value} for name, value in self.received.headers.items()]
        request = {
            "method": self.received.method,
            "headers": headers,
            "query": self.received.query,
            "body": self.received.text,
        }
        data: dict[str, Any] = {"request": request}
        if answer is not None:
            sent = [{"name": name, "value": value} for name, value in answer.headers.items()]
            data["response"] = {"status": answer.status, "headers": sent, "body": answer.body.decode()}
        return row | {"data": data}
