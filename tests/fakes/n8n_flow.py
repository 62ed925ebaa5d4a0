"""A workflow of the fake n8n, which does what its settings say, and an execution of it."""

import asyncio
import base64
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.fakes.n8n_triggers import LISTENING, listening_path, trigger_node

JsonObject = dict[str, Any]
Items = Callable[["FakeExecution"], list[Any]]


def now() -> int:
    """UTC epoch milliseconds."""
    return round(time.time() * 1000)


def echo_items(run: "FakeExecution") -> list[Any]:
    """What the recorded workflows' Set node gives: the execution's id and what came in."""
    body = run.trigger.get("body", run.trigger)
    item: JsonObject = {"executionId": str(run.id), "workflowId": run.flow.id, "in": body}
    if header := run.trigger.get("headers", {}).get("x-run-id"):
        item["hdr"] = header
    return [item | {"seen": "set"}]


@dataclass
class FakeWorkflow:
    """A workflow and its behaviour. All fields may be changed at any time.

    Attributes:
        id: 16 characters, as n8n makes them.
        name: Its name.
        base: Address of the n8n it lives in.
        path: Path of its Webhook node; may hold ``:name`` segments.
        mode: onReceived, lastNode, responseNode or streaming.
        trigger: webhook, chat or form.
        form_fields: What a form asks for, as n8n writes it.
        pages_follow: A form has further pages, for which it waits.
        method: What the Webhook node takes; empty leaves the parameter out, which means GET.
        webhook_id: Empty: the node has none, as imported ones on release 1.
        items: What the last node gives, one entry for each item.
        response_data: For lastNode: firstEntryJson, allEntries or noData.
        seconds: How long it runs; None: until ``execution.finish()``.
        wait_seconds: After that it is ``waiting`` for so long; None: for ever, until it is resumed.
        fails: The message with which its last node fails.
        respond: For responseNode: status, headers, body; None: the node is never reached.
        has_respond_node: False: n8n refuses the call.
        response_text: For onReceived: a text with ``{id}`` instead of the standard answer.
        auth: ("headerAuth", name, value) or ("basicAuth", user, password).
        keeps_successes: False: good executions vanish when they end.
        calls_back: A last node POSTs the result to ``callbackUrl`` of the body when it ends.
        custom_data: What an Execution Data node has saved.
        last_node: Name and type of the node that gives the items.
        own_nodes: The published nodes, instead of those made from the settings.
        own_connections: Their connections.
        draft_nodes: The nodes as edited since they were published.
    """

    id: str
    name: str
    base: str
    path: str = ""
    mode: str = "lastNode"
    trigger: str = "webhook"
    form_fields: list[JsonObject] = field(default_factory=list)
    pages_follow: bool = False
    method: str = "POST"
    is_active: bool = True
    is_archived: bool = False
    webhook_id: str = ""
    items: Items = echo_items
    response_data: str = "firstEntryJson"
    seconds: float | None = 0.0
    wait_seconds: float | None = 0.0
    fails: str = ""
    respond: tuple[int, Mapping[str, str], Any] | None = (200, {}, {"ok": True})
    has_respond_node: bool = True
    response_text: str = ""
    auth: tuple[str, str, str] | None = None
    keeps_successes: bool = True
    calls_back: bool = False
    tags: tuple[str, ...] = ()
    custom_data: JsonObject = field(default_factory=dict)
    last_node: tuple[str, str] = ("Set", "set")
    own_nodes: list[JsonObject] | None = None
    own_connections: JsonObject | None = None
    draft_nodes: list[JsonObject] | None = None
    version_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created_at: int = field(default_factory=now)
    updated_at: int = field(default_factory=now)
    executions: list["FakeExecution"] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The production webhook's address."""
        return f"{self.base}/{listening_path(self.webhook_node, self.id)}"

    @property
    def webhook_node(self) -> JsonObject:
        """The node that starts it."""
        if self.own_nodes is not None:
            return next(node for node in self.own_nodes if node["type"] in LISTENING)
        return trigger_node(self)

    @property
    def published_nodes(self) -> list[JsonObject]:
        if self.own_nodes is not None:
            return self.own_nodes
        nodes = [self.webhook_node]
        if self.fails:
            parameters = {"errorType": "errorMessage", "errorMessage": self.fails}
            nodes.append(_node("Stop", "stopAndError", 1, 220, parameters))
            return (
                [*nodes, _node("Respond", "respondToWebhook", 1.1, 440, {})]
                if self.mode == "responseNode"
                else nodes
            )
        nodes.append(
            _node(*self.last_node, 3.4, 220, {"mode": "raw", "jsonOutput": "={{ $json }}", "options": {}})
        )
        if self.wait_seconds != 0 or self.seconds != 0:
            wait = _node(
                "Wait", "wait", 1.1, 440, {"resume": "timeInterval", "amount": 20, "unit": "seconds"}
            )
            nodes.append(wait | {"webhookId": str(uuid.uuid5(uuid.NAMESPACE_OID, self.id))})
        if self.calls_back:
            address = {"method": "POST", "url": "={{ $('Webhook').first().json.body.callbackUrl }}"}
            nodes.append(_node("Call back", "httpRequest", 4.2, 660, address))
        return nodes

    @property
    def published_connections(self) -> JsonObject:
        if self.own_connections is not None:
            return self.own_connections
        names = [node["name"] for node in self.published_nodes]
        return {
            source: {"main": [[{"node": target, "type": "main", "index": 0}]]}
            for source, target in pairwise(names)
        }

    @property
    def nodes(self) -> list[JsonObject]:
        return self.draft_nodes if self.draft_nodes is not None else self.published_nodes

    @property
    def connections(self) -> JsonObject:
        return self.published_connections

    def path_taken(self) -> list[JsonObject]:
        """The nodes an execution goes through."""
        nodes = [node for node in self.published_nodes if node.get("disabled") is not True]
        names = [node["name"] for node in nodes]
        return nodes[: names.index("Stop") + 1] if "Stop" in names else nodes

    def accepts(self, headers: Mapping[str, str]) -> tuple[int, str]:
        """Status and text of the webhook's own authentication; 200 when it lets the caller in."""
        if self.auth is None:
            return 200, ""
        kind, name, value = self.auth
        if kind == "headerAuth":
            return (200, "") if headers.get(name.lower()) == value else (403, "Authorization data is wrong!")
        given = headers.get("authorization", "")
        if not given:
            return 401, "Authorization is required!"
        wanted = "Basic " + base64.b64encode(f"{name}:{value}".encode()).decode()
        return (200, "") if given == wanted else (403, "Authorization data is wrong!")


@dataclass
class FakeExecution:
    """One execution. Its state follows from the time, so nothing has to run for it."""

    id: int
    flow: FakeWorkflow
    trigger: JsonObject
    mode: str = "webhook"
    retry_of: int | None = None
    created_at: int = field(default_factory=now)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    ran_at: int | None = None
    cancelled_at: int | None = None
    resumed_at: int | None = None
    finish: Callable[[], None] = field(default=lambda: None)

    def __post_init__(self) -> None:
        if self.flow.seconds is not None:
            self.ran_at = self.created_at + round(self.flow.seconds * 1000)

    @property
    def started_at(self) -> int:
        return self.created_at

    @property
    def wait_till(self) -> int | None:
        """When a waiting one goes on; None when it does not wait, or for ever."""
        if self.ran_at is None or not self.flow.wait_seconds or self.status != "waiting":
            return None
        return self.ran_at + round(self.flow.wait_seconds * 1000)

    @property
    def status(self) -> str:
        moment = now()
        if self.cancelled_at is not None:
            return "canceled"
        if self.ran_at is None or moment < self.ran_at:
            return "running"
        if self.resumed_at is None and not self.flow.fails:
            waits = self.flow.wait_seconds
            if waits is None or moment < self.ran_at + round(waits * 1000):
                return "waiting"
        return "error" if self.flow.fails else "success"

    @property
    def stopped_at(self) -> int | None:
        """Also set while it waits, as n8n does."""
        if self.cancelled_at is not None:
            return self.cancelled_at
        return None if self.status == "running" else self.ran_at

    def items(self) -> list[Any]:
        return self.flow.items(self)


def _node(name: str, kind: str, version: float, x: int, parameters: JsonObject) -> JsonObject:
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, name)),
        "name": name,
        "type": f"n8n-nodes-base.{kind}",
        "typeVersion": version,
        "position": [x, 0],
        "parameters": parameters,
    }
