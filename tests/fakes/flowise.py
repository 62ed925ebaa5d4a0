"""The fake Flowise: flows, predictions, webhooks and executions, as release 3.1.4 answers."""

import asyncio
import json
import uuid
from typing import Any, Protocol

from tests.fakes.flowise_flow import FakeFlow, FakeRun
from tests.fakes.wire import DROP, Received, Reply, json_reply, text_reply

_APP = '<!DOCTYPE html>\r\n<html lang="en">\r\n    <head>\r\n        <title>Flowise</title></head></html>'
_FAILED = "Error: predictionsServices.buildChatflow - "


class Server(Protocol):
    url: str

    def call_soon(self, function: object) -> None: ...

    def post_later(self, url: str, body: object, seconds: float) -> None: ...


class FakeFlowise:
    """One Flowise below a path of its own.

    Attributes:
        release: What it says that it is; before 3.0.4 it knows no pages, before 3.0.0 no executions.
        is_there: False: another server answers at its address.
        rate_limited_times: So many calls of flows get 429 with a plain text.
        dropped_times: So many calls of flows are taken, and then the connection is cut.
        html_times: So many requests for executions get a web page.
        down_times: So many requests for executions get 503.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self.prefix = "/flowise"
        self.key = "key-of-flowise"
        self.keys: dict[str, frozenset[str]] = {self.key: frozenset({"flows", "executions"})}
        self.flows: dict[str, FakeFlow] = {}
        self.runs: list[FakeRun] = []
        self.release = "3.1.4"
        self.is_there = True
        self.rate_limited_times = 0
        self.dropped_times = 0
        self.html_times = 0
        self.down_times = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def base(self) -> str:
        return self._server.url + self.prefix

    @property
    def executions(self) -> list[FakeRun]:
        """What can be read about agentflows, newest first."""
        return [run for run in reversed(self.runs) if run.flow.is_agentflow]

    def add_flow(self, name: str = "Flow", **settings: Any) -> FakeFlow:
        """A flow; see FakeFlow for the settings."""
        flow = FakeFlow(name, **settings)
        self.flows[flow.id] = flow
        return flow

    def add_key(self, key: str, *, may_list: bool = True, may_look: bool = True) -> str:
        """Another API key, with fewer permissions."""
        rights = {"flows": may_list, "executions": may_look}
        self.keys[key] = frozenset(name for name, given in rights.items() if given)
        return key

    def finish(self, run: FakeRun) -> None:
        """Let a run end that goes on until it is told to."""
        self._server.call_soon(run.over.set)

    async def answer(self, received: Received) -> Reply:  # noqa: PLR0911 - one for each case
        path = received.below(self.prefix + "/api/v1")
        match [received.method, *path.strip("/").split("/")] if self.is_there else []:
            case ["GET", "ping"]:
                return text_reply("pong", content_type="text/html; charset=utf-8")
            case ["GET", "version"]:
                return json_reply({"version": self.release})
            case ["GET", "chatflows", *rest]:
                return self._guarded(received, "flows") or self._flows(rest, received)
            case ["GET", "executions", *rest] if self._is_from(3, 0, 0):
                return self._guarded(received, "executions") or self._executions(rest, received)
            case ["PUT", "chatmessage", "abort", flow_id, chat] if self._is_from(2, 1, 0):
                return self._abort(flow_id, chat)
            case ["POST", "prediction", flow_id]:
                return await self._called(flow_id, received, is_webhook=False)
            case [_, "webhook", flow_id] if self._is_from(3, 1, 3):
                return await self._called(flow_id, received, is_webhook=True)
            case _:
                return text_reply(_APP, content_type="text/html; charset=UTF-8")

    def _is_from(self, *release: int) -> bool:
        return tuple(int(number) for number in self.release.split(".")) >= release

    def _guarded(self, received: Received, right: str) -> Reply | None:
        key = _key_of(received)
        if key not in self.keys:
            return json_reply({"error": "Unauthorized Access"}, 401)
        return None if right in self.keys[key] else json_reply({"message": "Forbidden"}, 403)

    def _flows(self, rest: list[str], received: Received) -> Reply:
        if rest:
            return self._missing(rest[0]) or json_reply(self.flows[rest[0]].row())
        kind = received.query.get("type", "")
        flows = sorted(self.flows.values(), key=lambda flow: -flow.updated)
        flows = [flow for flow in flows if not kind or flow.kind == kind]
        page, limit = int(received.query.get("page", 0)), int(received.query.get("limit", 0))
        if page < 1 or limit < 1 or not self._is_from(3, 0, 4):
            return json_reply([flow.row() for flow in flows])
        shown = flows[(page - 1) * limit : page * limit]
        return json_reply({"data": [flow.row() for flow in shown], "total": len(flows)})

    def _executions(self, rest: list[str], received: Received) -> Reply:
        if self.html_times > 0:
            self.html_times -= 1
            return text_reply(_APP, content_type="text/html; charset=UTF-8")
        if self.down_times > 0:
            self.down_times -= 1
            return text_reply("Service Unavailable", 503)
        if rest:
            found = next((run for run in self.executions if run.id == rest[0]), None)
            if found is None:
                where = "Error: executionsService.getExecutionById - "
                return _error(500, f"{where}Execution {rest[0]} not found")
            return json_reply(found.row())
        query = received.query
        runs = [
            run
            for run in self.executions
            if query.get("agentflowId") in {None, run.flow.id}
            and query.get("sessionId") in {None, run.session}
            and query.get("state") in {None, run.state}
        ]
        page, limit = int(query.get("page", 1)), int(query.get("limit", 12))
        shown = runs[(page - 1) * limit : page * limit]
        rows = [run.row() | {"agentflow": run.flow.row()} for run in shown]
        return json_reply({"data": rows, "total": len(runs)})

    def _abort(self, flow_id: str, chat: str) -> Reply:
        for run in self.runs:
            if run.flow.id == flow_id and run.chat == chat and run.state == "INPROGRESS":
                run.is_aborted = True
                run.over.set()
        return json_reply({"status": 200, "message": "Chat message aborted"})

    async def _called(self, flow_id: str, received: Received, *, is_webhook: bool) -> Reply:
        if self.rate_limited_times > 0:
            self.rate_limited_times -= 1
            reply = text_reply("Too many messages. Please wait.", 429)
            return Reply(reply.status, reply.body, {**reply.headers, "Retry-After": "7"})
        try:
            body = json.loads(received.body or b"{}")
        except ValueError:
            return _error(400, "Unexpected end of JSON input")
        if missing := self._missing(flow_id):
            return missing
        flow = self.flows[flow_id]
        refused = _webhook_refusal(flow, received, body) if is_webhook else _prediction_refusal(flow)
        if refused:
            return refused
        is_stream = (
            flow.webhook_mode == "stream" if is_webhook else body.get("streaming") is True
        ) and flow.streams
        if flow.key and _key_of(received) != flow.key:
            return _stream_error("Unauthorized") if is_stream else _error(500, f"{_FAILED}Unauthorized")
        return await self._run(flow, body, received, is_webhook=is_webhook, is_stream=is_stream)

    async def _run(
        self, flow: FakeFlow, body: Any, received: Received, *, is_webhook: bool, is_stream: bool
    ) -> Reply:
        fields = body if isinstance(body, dict) else {}
        override = fields.get("overrideConfig", {})
        chat = fields.get("chatId") or override.get("sessionId") or str(uuid.uuid4())
        session = chat if is_webhook else override.get("sessionId", chat)
        if fields.get("humanInput"):
            run = next(run for run in self.executions if run.session == session and run.state == "STOPPED")
            run.decide(fields["humanInput"]["type"], fields["humanInput"]["feedback"])
            return json_reply(run.answer() | {"question": fields.get("question", "")})
        asked = {name: fields[name] for name in ("question", "form") if name in fields}
        if is_webhook:
            got = {"body": body, "headers": dict(received.headers), "query": received.query}
            asked = {"webhook": got}
        run = FakeRun(flow, asked, chat, session)
        self.runs.append(run)
        is_background = is_webhook and flow.webhook_mode == "async"
        if flow.seconds == 0:
            await run.work()
        if is_background or self.dropped_times > 0:
            self._start(self._background(run, calls_back=is_background))
            if is_background:
                return json_reply({"chatId": chat, "status": "PROCESSING"}, 202)
            self.dropped_times -= 1
            return DROP
        if flow.seconds != 0:
            await run.work()
        if is_stream:
            return text_reply(run.stream(), content_type="text/event-stream")
        if run.failure:
            return _error(500, _FAILED + run.failure)
        return json_reply(run.answer())

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _background(self, run: FakeRun, *, calls_back: bool) -> None:
        if run.flow.seconds != 0:
            await run.work()
        if not (calls_back and run.flow.callback_url):
            return
        told: dict[str, Any] = {"status": "SUCCESS", "chatId": run.chat, "data": run.answer()}
        if run.state == "STOPPED":
            kept = {name: told["data"][name] for name in ("text", "executionId", "action")}
            told = {"status": "STOPPED", "chatId": run.chat, "data": kept}
        elif run.failure:
            told = {"status": "ERROR", "chatId": run.chat, "error": _FAILED + run.failure}
        self._server.post_later(run.flow.callback_url, told, 0)

    def _missing(self, flow_id: str) -> Reply | None:
        try:
            uuid.UUID(flow_id)
        except ValueError:
            return _error(400, "Invalid Chatflow ID")
        if flow_id not in self.flows:
            return _error(404, f"Chatflow {flow_id} not found in the database!")
        return None


def _prediction_refusal(flow: FakeFlow) -> Reply | None:
    if flow.start == "webhook":
        method = flow.start_inputs["webhookMethod"]
        words = f"This flow is configured as a Webhook Trigger. Call {method} /api/v1/webhook/{flow.id} instead of"
        return _error(500, f"{_FAILED}{words} the prediction API.")
    if flow.start == "schedule":
        words = "This flow is configured as a Scheduled Trigger. It is fired by the scheduler and cannot be invoked"
        return _error(500, f"{_FAILED}{words} via the API.")
    return None


def _webhook_refusal(flow: FakeFlow, received: Received, body: Any) -> Reply | None:
    inputs = flow.start_inputs
    if flow.start != "webhook":
        return _error(404, f"Chatflow {flow.id} is not configured as a webhook trigger")
    if flow.signature and received.headers.get("x-webhook-signature") != flow.signature:
        return _error(401, "Invalid webhook signature")
    if received.method != inputs["webhookMethod"]:
        return _error(405, f"Method {received.method} not allowed. Expected {inputs['webhookMethod']}")
    kind = received.headers.get("content-type", "")
    if not kind.startswith(inputs["webhookContentType"]):
        return _error(415, f"Content-Type {kind} not allowed. Expected {inputs['webhookContentType']}")
    wanted = inputs.get("webhookBodyParams", []) if inputs["webhookEnableValidation"] else []
    missing = [item["name"] for item in wanted if item.get("required") and item["name"] not in body]
    if missing:
        return _error(400, f"Missing required webhook body parameters: {', '.join(missing)}")
    return None


def _key_of(received: Received) -> str:
    return received.headers.get("authorization", "").removeprefix("Bearer ")


def _error(status: int, message: str) -> Reply:
    return json_reply({"statusCode": status, "success": False, "message": message, "stack": {}}, status)


def _stream_error(message: str) -> Reply:
    frames = [{"event": "error", "data": _FAILED + message}, {"event": "end", "data": "[DONE]"}]
    text = "".join(f"message\ndata:{json.dumps(frame)}\n\n" for frame in frames)
    return text_reply(text, content_type="text/event-stream")
