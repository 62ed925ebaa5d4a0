"""The fake Flowise: ping, the list of flows and predictions, as release 3.1.4 answers."""

import asyncio
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.fakes.wire import Received, Reply, json_reply, text_reply

_APP = '<!DOCTYPE html>\r\n<html lang="en">\r\n    <head>\r\n        <title>Flowise</title></head></html>'


class Server(Protocol):
    url: str


@dataclass
class FakeFlow:
    """A flow and its behaviour.

    Attributes:
        name: Its name.
        text: Makes the answer from the question.
        fails: The message with which it fails.
        key: A key bound to the flow; empty: open to everybody.
        asks_person: Stops at a Human Input node.
        is_agentflow: False: a classic chatflow, which has no executions.
        seconds: How long it takes.
    """

    name: str
    text: Callable[[str], str] = "You said: {}".format
    fails: str = ""
    key: str = ""
    asks_person: bool = False
    is_agentflow: bool = True
    seconds: float = 0.0
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


class FakeFlowise:
    """One Flowise below a path of its own."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.prefix = "/flowise"
        self.key = "key-of-flowise"
        self.keys: dict[str, bool] = {self.key: True}
        self.flows: dict[str, FakeFlow] = {}
        self.is_there = True
        self.rate_limited_times = 0

    @property
    def base(self) -> str:
        return self._server.url + self.prefix

    def add_flow(self, name: str = "Flow", **settings: Any) -> FakeFlow:
        """A flow; see FakeFlow for the settings."""
        flow = FakeFlow(name, **settings)
        self.flows[flow.id] = flow
        return flow

    def add_key(self, key: str, *, may_list: bool) -> str:
        self.keys[key] = may_list
        return key

    async def answer(self, received: Received) -> Reply:
        path = received.below(self.prefix + "/api/v1")
        key = received.headers.get("authorization", "").removeprefix("Bearer ")
        match [received.method, *path.strip("/").split("/")] if self.is_there else []:
            case ["GET", "ping"]:
                return text_reply("pong", content_type="text/html; charset=utf-8")
            case ["GET", "version"]:
                return json_reply({"version": "3.1.4"})
            case ["GET", "chatflows"]:
                return self._list(key)
            case ["POST", "prediction", flow_id]:
                return await self._predict(flow_id, key, received)
            case _:
                return text_reply(_APP, content_type="text/html; charset=UTF-8")

    def _list(self, key: str) -> Reply:
        if key not in self.keys:
            return json_reply({"error": "Unauthorized Access"}, 401)
        if not self.keys[key]:
            return json_reply({"message": "Forbidden"}, 403)
        rows = [{"id": flow.id, "name": flow.name} for flow in self.flows.values()]
        return json_reply({"data": rows[:1], "total": len(rows)})

    async def _predict(self, flow_id: str, key: str, received: Received) -> Reply:  # noqa: PLR0911 - one for each case
        if self.rate_limited_times > 0:
            self.rate_limited_times -= 1
            reply = text_reply("Too many messages. Please wait.", 429)
            return Reply(reply.status, reply.body, {**reply.headers, "Retry-After": "7"})
        try:
            uuid.UUID(flow_id)
        except ValueError:
            return _error(400, "Invalid Chatflow ID")
        flow = self.flows.get(flow_id)
        if flow is None:
            return _error(404, f"Chatflow {flow_id} not found in the database!")
        try:
            body = json.loads(received.body)
        except ValueError:
            return _error(400, "Unexpected end of JSON input")
        if flow.key and key != flow.key:
            return _error(500, "Error: predictionsServices.buildChatflow - Unauthorized")
        await asyncio.sleep(flow.seconds)
        if flow.fails:
            return _error(500, f"Error: predictionsServices.buildChatflow - {flow.fails}")
        return json_reply(_answer(flow, body))


def _answer(flow: FakeFlow, body: dict[str, Any]) -> dict[str, Any]:
    question = body.get("question")
    chat = body.get("chatId") or str(uuid.uuid4())
    asked = {"question": question} if question is not None else {}
    session = body.get("overrideConfig", {}).get("sessionId", chat)
    text = "\n\nProceed?" if flow.asks_person else flow.text(question or "")
    answer: dict[str, Any] = {"text": text, **asked, "chatId": chat, "chatMessageId": str(uuid.uuid4())}
    if not flow.is_agentflow:
        return answer | {"isStreamValid": False, "sessionId": session}
    steps = [_step("startAgentflow_0", "Start", asked, asked, [])]
    if flow.asks_person:
        waiting = {"messages": [], "humanInputEnableFeedback": True}
        action = {
            "id": str(uuid.uuid4()),
            "mapping": {"approve": "Proceed", "reject": "Reject"},
            "elements": [
                {"type": "agentflowv2-approve-button", "label": "Proceed"},
                {"type": "agentflowv2-reject-button", "label": "Reject"},
            ],
            "data": {"nodeId": "humanInputAgentflow_0", "nodeLabel": "Human Input", "input": waiting},
        }
        output = {"content": text, "humanInputAction": action}
        step = _step(
            "humanInputAgentflow_0",
            "Human Input",
            waiting,
            output,
            ["startAgentflow_0"],
        )
        step["status"] = "STOPPED"
        step["data"]["chatHistory"] = [{"role": "assistant", "content": text}]
        answer |= {"action": action}
    else:
        step = _step(
            "directReplyAgentflow_0",
            "Direct Reply",
            {},
            {"content": text},
            ["startAgentflow_0"],
        )
    answer |= {
        "executionId": str(uuid.uuid4()),
        "agentFlowExecutedData": [*steps, step],
        "sessionId": session,
    }
    return answer


def _step(
    node: str, label: str, given: dict[str, Any], output: dict[str, Any], before: list[str]
) -> dict[str, Any]:
    data = {"id": node, "name": node.partition("_")[0], "input": given, "output": output, "state": {}}
    return {"nodeId": node, "nodeLabel": label, "data": data, "previousNodeIds": before, "status": "FINISHED"}


def _error(status: int, message: str) -> Reply:
    return json_reply({"statusCode": status, "success": False, "message": message, "stack": {}}, status)
