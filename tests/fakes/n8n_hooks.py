"""The webhooks of the fake n8n: production, test and resume addresses."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol

from tests.fakes.n8n_flow import FakeExecution, FakeWorkflow, now
from tests.fakes.n8n_triggers import (
    CHAT,
    FORM,
    LISTENING,
    form_item,
    listening_path,
    match_path,
    methods_of,
)
from tests.fakes.wire import Received, Reply, json_reply, text_reply

_LARGEST_BODY = 16 * 1024 * 1024
_SANDBOX = (
    "sandbox allow-downloads allow-forms allow-modals allow-orientation-lock allow-pointer-lock allow-popups"
)
_NOT_ACTIVE = (
    "The workflow must be active for a production URL to run successfully. You can activate the workflow using the "
    "toggle in the top-right of the editor. Note that unlike test URL calls, production URL calls aren't shown on the "
    "canvas (only in the executions list)"
)
_NOT_LISTENING = (
    "Click the 'Execute workflow' button on the canvas, then try again. (In test mode, the webhook only works for one "
    "call after you click this button)"
)


class N8n(Protocol):
    release: int
    workflows: dict[str, FakeWorkflow]
    executions: dict[int, FakeExecution]
    server: Any

    @property
    def base(self) -> str: ...
    def start(self, flow: FakeWorkflow, trigger: dict[str, Any]) -> FakeExecution: ...


def resume_url(n8n: N8n, run: FakeExecution) -> str:
    """The address at which a waiting execution goes on."""
    return f"{n8n.base}/webhook-waiting/{run.id}?signature={_signature(run)}"


class FakeWebhooks:
    """Starts executions and answers in all the modes of the Webhook node."""

    def __init__(self, n8n: N8n) -> None:
        self._n8n = n8n

    async def answer(self, received: Received, path: str) -> Reply:
        kind, _, rest = path.strip("/").partition("/")
        if kind in {"webhook", "form"}:
            return await self._production(received, kind, rest)
        if kind == "webhook-waiting":
            return self._resume(received, rest)
        if kind == "webhook-test":
            return _unregistered(f'"{rest}"', _NOT_LISTENING)
        return text_reply(
            "<!DOCTYPE html><html><body>n8n</body></html>", content_type="text/html; charset=utf-8"
        )

    async def _production(self, received: Received, kind: str, path: str) -> Reply:
        found = self._find(received.method, kind, path)
        if isinstance(found, Reply):
            return found
        flow, node, params = found
        if refusal := _refusal(received, flow):
            return refusal
        if node["type"] == FORM:
            return await self._submit(received, flow, node)
        try:
            body = _read_body(received)
        except ValueError:
            hint = "Unexpected end of JSON input"
            return json_reply({"code": 422, "message": "Failed to parse request body", "hint": hint}, 422)
        if flow.mode == "responseNode" and not flow.has_respond_node:
            return _trouble("No Respond to Webhook node found in the workflow")
        trigger = {
            "headers": received.headers,
            "params": params,
            "query": received.query,
            "body": body,
            "webhookUrl": f"{self._n8n.base}/webhook/{path}",
            "executionMode": "production",
        }
        if node["type"] == CHAT:
            trigger = body
        run = self._n8n.start(flow, trigger)
        if flow.calls_back:
            items = flow.items(run)
            self._n8n.server.post_later(body["callbackUrl"], items[0] if items else {}, flow.seconds or 0)
        return await self._respond(flow, run)

    async def _submit(self, received: Received, flow: FakeWorkflow, node: Mapping[str, Any]) -> Reply:
        """A form takes multipart data only, and answers without the result."""
        if not received.headers.get("content-type", "").startswith("multipart/form-data"):
            return json_reply({"code": 415, "message": "Form submissions have to be multipart"}, 415)
        run = self._n8n.start(flow, form_item(node, received))
        if flow.pages_follow:
            return json_reply({"formWaitingUrl": f"{self._n8n.base}/form-waiting/{run.id}"})
        if flow.mode == "onReceived":
            return json_reply({"status": 200})
        answer = await self._respond(flow, run)
        return answer if answer.status >= 400 else _empty(sandboxed=False)

    def _find(
        self, method: str, kind: str, path: str
    ) -> tuple[FakeWorkflow, Mapping[str, Any], dict[str, str]] | Reply:
        taken: list[str] = []
        for flow in self._n8n.workflows.values():
            if not flow.is_active or flow.is_archived:
                continue
            for node in flow.published_nodes:
                if node["type"] not in LISTENING or node.get("disabled"):
                    continue
                params = match_path(listening_path(node, flow.id), f"{kind}/{path}")
                if params is None:
                    continue
                methods = methods_of(node)
                if method in methods:
                    return flow, node, params
                taken += methods
        if not taken and kind == "form":
            page = "<!DOCTYPE html><html><body>Problem loading form</body></html>"
            return text_reply(page, 404, content_type="text/html; charset=utf-8")
        if not taken:
            return _unregistered(f'"{method} {path}"', _NOT_ACTIVE)
        text = f"This webhook is not registered for {method} requests. Did you mean to make a {taken[0]} request?"
        return json_reply({"code": 404, "message": text}, 404)

    async def _respond(self, flow: FakeWorkflow, run: FakeExecution) -> Reply:
        if flow.mode == "onReceived":
            return self._immediately(flow, run)
        if flow.seconds != 0:
            with contextlib.suppress(TimeoutError):  # then the workflow has run its time
                await asyncio.wait_for(run.ended.wait(), flow.seconds)
        if run.cancelled_at is not None:
            return _trouble("There was a problem executing the workflow")
        if flow.mode == "responseNode":
            return self._from_node(flow)
        if flow.mode == "streaming":
            return self._streamed(flow, run)
        return self._from_last_node(flow, run)

    def _from_last_node(self, flow: FakeWorkflow, run: FakeExecution) -> Reply:
        if flow.fails:
            return json_reply({"message": "Error in workflow"}, 500)
        items = flow.items(run)
        if flow.response_data == "noData":
            return _empty(sandboxed=True)
        if flow.response_data == "allEntries":
            return json_reply(items, headers={"Content-Security-Policy": _SANDBOX})
        if not items:
            return _trouble("No item to return was found")
        return json_reply(items[0], headers={"Content-Security-Policy": _SANDBOX})

    def _streamed(self, flow: FakeWorkflow, run: FakeExecution) -> Reply:
        """One JSON object in each line; a failure comes with status 200, as the stream had begun."""
        pieces = [{"type": "begin"}]
        if flow.fails:
            pieces.append({"type": "error", "content": flow.fails})
        else:
            texts = [json.dumps(item) if not isinstance(item, str) else item for item in flow.items(run)]
            pieces += [{"type": "item", "content": text} for text in texts]
            pieces.append({"type": "end"})
        where = {"nodeId": "a", "nodeName": "AI Agent", "itemIndex": 0, "runIndex": 0}
        lines = [json.dumps(piece | {"metadata": where}, separators=(",", ":")) + "\n" for piece in pieces]
        return Reply(200, "".join(lines).encode(), {"Content-Type": "application/json; charset=utf-8"})

    def _immediately(self, flow: FakeWorkflow, run: FakeExecution) -> Reply:
        headers = {"Content-Security-Policy": _SANDBOX}
        if not flow.response_text:
            return json_reply({"message": "Workflow was started"}, headers=headers)
        number = str(run.id) if self._n8n.release >= 2 else "__UNKNOWN__"
        text = flow.response_text.replace("{id}", number)
        return Reply(200, text.encode(), headers | {"Content-Type": "text/html; charset=utf-8"})

    def _from_node(self, flow: FakeWorkflow) -> Reply:
        if flow.fails:
            old = self._n8n.release == 1
            return _empty(sandboxed=False) if old else json_reply({"message": "Error in workflow"}, 500)
        if flow.respond is None:
            return _empty(sandboxed=False)
        status, headers, body = flow.respond
        own = {"Content-Security-Policy": _SANDBOX} | dict(headers)
        if isinstance(body, str):
            return Reply(status, body.encode(), {"Content-Type": "text/html; charset=utf-8"} | own)
        return json_reply(body, status, own)

    def _resume(self, received: Received, rest: str) -> Reply:
        run = self._n8n.executions.get(int(rest.partition("/")[0]))
        if run is None:
            return json_reply({"code": 404, "message": f'The execution "{rest}" does not exist.'}, 404)
        if self._n8n.release >= 2 and received.query.get("signature") != _signature(run):
            return json_reply({"error": "Invalid token"}, 401)
        if run.status != "waiting":
            # The quotation mark is not closed: that is how n8n writes it.
            return json_reply({"code": 409, "message": f'The execution "{run.id} has finished already.'}, 409)
        run.resumed_at = now()
        return json_reply({"message": "Workflow was started"}, headers={"Content-Security-Policy": _SANDBOX})


def _refusal(received: Received, flow: FakeWorkflow) -> Reply | None:
    status, text = flow.accepts(received.headers)
    if status != 200:
        return Reply(status, text.encode(), {"WWW-Authenticate": 'Basic realm="Webhook"'})
    is_large = len(received.body) > _LARGEST_BODY
    return _trouble("There was a problem executing the workflow") if is_large else None


def _read_body(received: Received) -> Any:
    if not received.body:
        return {}
    if "json" in received.headers.get("content-type", ""):
        return json.loads(received.body)
    return received.text


def _signature(run: FakeExecution) -> str:
    return hashlib.sha256(f"resume {run.id}".encode()).hexdigest()


def _unregistered(what: str, hint: str) -> Reply:
    message = f"The requested webhook {what} is not registered."
    return json_reply({"code": 404, "message": message, "hint": hint}, 404)


def _trouble(text: str) -> Reply:
    return json_reply({"code": 0, "message": text}, 500)


def _empty(*, sandboxed: bool) -> Reply:
    """Nothing at all, under a content type that promises JSON."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    return Reply(200, b"", headers | ({"Content-Security-Policy": _SANDBOX} if sandboxed else {}))
