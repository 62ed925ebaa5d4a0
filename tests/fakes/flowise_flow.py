"""A flow of the fake Flowise and what it does when it is called: steps, executions, answers and streams."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

CANCELLED = "Flow execution was cancelled"

_FUNCTION = "customFunctionAgentflow_0"
_HTTP = "httpAgentflow_0"
_HUMAN = "humanInputAgentflow_0"
_REPLY = "directReplyAgentflow_0"
_START = "startAgentflow_0"
_INPUT_TYPES = {
    "chat": "chatInput",
    "form": "formInput",
    "webhook": "webhookTrigger",
    "schedule": "scheduleInput",
}
_WORKSPACE = "e54b7d06-aece-4d96-a0cf-c84ddad5f593"


@dataclass
class FakeFlow:
    """A flow and its behaviour.

    Attributes:
        name: Its name.
        text: Makes the answer from the question.
        json: Answered instead of the text: a chatflow with a structured output.
        fails: The message with which it fails.
        key: A key bound to the flow; empty: open to everybody.
        asks_person: Stops at a Human Input node.
        is_agentflow: False: a classic chatflow, which has no executions.
        middle: A step between start and reply: ``function`` or ``http``.
        seconds: How long it takes; None: until it is finished or aborted.
        start: How it is started: ``chat``, ``form``, ``webhook`` or ``schedule``.
        form: Fields of the form, as Flowise keeps them.
        inputs: Further settings of the start node.
        webhook_mode: ``sync``, ``async`` or ``stream``.
        callback_url: Where an asynchronous webhook posts the result.
        signature: What its webhook wants in the header x-webhook-signature; empty: nothing.
        streams: Whether it can stream.
        breaks_off: A stream ends in the middle.
        category: Its categories, with semicolons.
        type: CHATFLOW, AGENTFLOW, MULTIAGENT or ASSISTANT; empty: by ``is_agentflow``.
        graph: Another graph than the one made from the rest.
        updated: When it was last saved, in seconds since the epoch.
    """

    name: str
    text: Callable[[str], str] = "You said: {}".format
    json: Any = None
    fails: str = ""
    key: str = ""
    asks_person: bool = False
    is_agentflow: bool = True
    middle: str = ""
    seconds: float | None = 0.0
    start: str = "chat"
    form: list[dict[str, Any]] = field(default_factory=list)
    inputs: dict[str, Any] = field(default_factory=dict)
    webhook_mode: str = "sync"
    callback_url: str = ""
    signature: str = ""
    streams: bool = True
    breaks_off: bool = False
    category: str | None = None
    type: str = ""
    graph: dict[str, Any] | None = None
    updated: float = field(default_factory=time.time)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def start_inputs(self) -> dict[str, Any]:
        """The settings of the start node."""
        inputs: dict[str, Any] = {
            "startInputType": _INPUT_TYPES[self.start],
            "webhookMethod": "POST",
            "webhookContentType": "application/json",
            "webhookEnableAuth": bool(self.signature),
            "webhookSignatureType": "plain-token" if self.signature else "hmac-sha256",
            "webhookResponseMode": self.webhook_mode,
            "webhookEnableValidation": False,
        }
        if self.form:
            inputs |= {"formTitle": "T", "formDescription": "D", "formInputTypes": self.form}
        if self.callback_url:
            inputs["callbackUrl"] = self.callback_url
        return inputs | self.inputs

    @property
    def kind(self) -> str:
        """Its type as Flowise spells it."""
        return self.type or ("AGENTFLOW" if self.is_agentflow else "CHATFLOW")

    def row(self) -> dict[str, Any]:
        """The flow as the API gives it."""
        at = _time(self.updated)
        return {
            "id": self.id,
            "name": self.name,
            "flowData": json.dumps(self.graph or self._graph()),
            "deployed": True,
            "isPublic": False,
            "apikeyid": str(uuid.uuid5(uuid.NAMESPACE_URL, self.key)) if self.key else None,
            "chatbotConfig": None,
            "apiConfig": None,
            "analytic": None,
            "speechToText": None,
            "textToSpeech": None,
            "followUpPrompts": None,
            "category": self.category,
            "type": self.kind,
            "createdDate": at,
            "updatedDate": at,
            "mcpServerConfig": None,
            "webhookSecretConfigured": False,
            "workspaceId": _WORKSPACE,
        }

    def _graph(self) -> dict[str, Any]:
        if not self.is_agentflow:
            data = {"id": "customFunction_0", "name": "customFunction", "label": "Custom JS Function"}
            node = {
                "id": "customFunction_0",
                "type": "customNode",
                "position": {"x": 0, "y": 0},
                "data": data,
            }
            return {"nodes": [node], "edges": [], "viewport": {"x": 0, "y": 0, "zoom": 1}}
        places = [(_START, "Start", self.start_inputs)]
        if self.middle or self.fails:
            places.append(
                (_HTTP, "HTTP", {}) if self.middle == "http" else (_FUNCTION, "Custom Function", {})
            )
        if self.asks_person:
            places.append((_HUMAN, "Human Input", {"humanInputEnableFeedback": True}))
        places.append((_REPLY, "Direct Reply", {"directReplyMessage": "You said: {{ question }}"}))
        nodes = [
            {
                "id": name,
                "type": "agentFlow",
                "position": {"x": 250 * number, "y": 0},
                "data": {"id": name, "name": name.partition("_")[0], "label": label, "inputs": inputs},
            }
            for number, (name, label, inputs) in enumerate(places)
        ]
        edges = [
            {
                "id": f"{one['id']}-{next_one['id']}",
                "source": one["id"],
                "target": next_one["id"],
                "type": "agentFlow",
                "sourceHandle": f"{one['id']}-output-{one['id'].partition('_')[0]}",
                "targetHandle": next_one["id"],
                "data": {},
            }
            for one, next_one in pairwise(nodes)
        ]
        return {"nodes": nodes, "edges": edges, "viewport": {"x": 0, "y": 0, "zoom": 1}}


@dataclass
class FakeRun:
    """What one call of a flow started; of an agentflow it is an execution.

    Attributes:
        asked: The question, form or webhook that it got.
        chat: Chat id.
        session: Session id.
        state: State of the execution.
        steps: Its steps so far.
    """

    flow: FakeFlow
    asked: dict[str, Any]
    chat: str
    session: str
    state: str = "INPROGRESS"
    steps: list[dict[str, Any]] = field(default_factory=list)
    created: float = field(default_factory=time.time)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    over: asyncio.Event = field(default_factory=asyncio.Event)
    is_aborted: bool = False

    async def work(self) -> None:
        """Take its time, then end."""
        self.steps = [self._start_step()]
        if self.flow.seconds != 0:
            try:
                async with asyncio.timeout(self.flow.seconds):
                    await self.over.wait()
            except TimeoutError:
                pass
        if self.is_aborted:
            self._break("TERMINATED", CANCELLED)
        elif self.flow.fails:
            self._break("ERROR", self.flow.fails)
        else:
            self._middle()
            self._stop() if self.flow.asks_person else self._reply()

    def decide(self, kind: str = "proceed", feedback: str = "ok") -> None:
        """A person answers: the flow goes on to its end."""
        assert self.state == "STOPPED"
        self.steps.pop()
        told = {"type": kind, "startNodeId": _HUMAN, "feedback": feedback}
        other = {**told, "type": "reject" if kind == "proceed" else "proceed"}
        messages = [
            {"content": self.question, "role": "user"},
            {"content": "\n\nProceed?", "role": "assistant"},
            {"role": "user", "content": feedback},
        ]
        conditions = [{**told, "isFulfilled": True}, {**other, "isFulfilled": False}]
        output = {"content": feedback, "conditions": conditions}
        step = _step(_HUMAN, "Human Input", {**told, "messages": messages}, output, [_START])
        step["data"]["chatHistory"] = [{"role": "user", "content": feedback}]
        self.steps.append(step)
        self._reply()

    @property
    def question(self) -> str:
        return str(self.asked.get("question") or "")

    @property
    def failure(self) -> str:
        """The message of the error with which it ended, or empty."""
        if self.state == "TERMINATED":
            return CANCELLED
        return self.flow.fails if self.state == "ERROR" else ""

    @property
    def text(self) -> str:
        return "\n\nProceed?" if self.state == "STOPPED" else self.flow.text(self.question)

    def answer(self) -> dict[str, Any]:
        """What the prediction API answers."""
        result = {"json": self.flow.json} if self.flow.json is not None else {"text": self.text}
        shown = {"question": " "} if "webhook" in self.asked else self.asked
        answer = {**result, **shown, "chatId": self.chat, "chatMessageId": str(uuid.uuid4())}
        if not self.flow.is_agentflow:
            return answer | {"isStreamValid": False, "sessionId": self.session}
        if self.state == "STOPPED":
            answer["action"] = self.steps[-1]["data"]["output"]["humanInputAction"]
        return answer | {
            "executionId": self.id,
            "agentFlowExecutedData": self.steps,
            "sessionId": self.session,
        }

    def row(self) -> dict[str, Any]:
        """The execution as the API gives it."""
        at = _time(self.created)
        return {
            "id": self.id,
            "executionData": json.dumps(self.steps),
            "state": self.state,
            "agentflowId": self.flow.id,
            "sessionId": self.session,
            "action": None,
            "isPublic": None,
            "createdDate": at,
            "updatedDate": at,
            "stoppedDate": at if self.state == "STOPPED" or self.flow.asks_person else None,
            "workspaceId": _WORKSPACE,
        }

    def stream(self) -> str:
        """The same as a stream of events."""
        frames = [_frame("agentFlowEvent", "INPROGRESS")]
        for count, step in enumerate(self.steps, 1):
            about = {"nodeId": step["nodeId"], "nodeLabel": step["nodeLabel"]}
            frames.append(_frame("nextAgentFlow", {**about, "status": "INPROGRESS"}))
            if step["nodeId"] == _REPLY:
                frames += [_frame("token", part) for part in (self.text[:3], self.text[3:])]
                frames.append(":heartbeat\n\n")
            error = {"error": step["data"]["error"]} if step["status"] == "ERROR" else {}
            frames.append(_frame("nextAgentFlow", {**about, "status": step["status"], **error}))
            frames.append(_frame("agentFlowExecutedData", self.steps[:count]))
        if self.flow.breaks_off:
            return "".join(frames)
        frames.append(_frame("agentFlowEvent", self.state))
        if self.failure:
            frames.append(_frame("error", f"Error: predictionsServices.buildChatflow - {self.failure}"))
        else:
            if self.state == "STOPPED":
                frames.append(_frame("action", self.answer()["action"]))
            about = {"chatId": self.chat, "chatMessageId": str(uuid.uuid4()), "question": self.question}
            frames.append(_frame("metadata", {**about, "sessionId": self.session}))
        return "".join([*frames, _frame("end", "[DONE]")])

    def _start_step(self) -> dict[str, Any]:
        given, output = dict(self.asked), dict(self.asked)
        if "form" in given or (self.flow.form and "question" in given):
            given = {"form": {"title": "T", "description": "D", "inputs": self.flow.form}}
            values = self.asked.get("form", {})
            lines = [f"{name}: {value}" for name, value in values.items()]
            output = {"form": "\n".join(lines) if "form" in self.asked else self.question}
        elif "webhook" in given:
            given, output = given | {"question": " "}, output | {"question": " "}
        return _step(_START, "Start", given, output, [])

    def _middle(self) -> None:
        if self.flow.middle == "function":
            variables = [{"variableName": "q", "variableValue": self.question}]
            given: dict[str, Any] = {"inputVariables": variables, "code": "return $q"}
            output: dict[str, Any] = {"content": self.text}
            self.steps.append(_step(_FUNCTION, "Custom Function", given, output, [_START]))
        elif self.flow.middle == "http":
            names = ("method", "url", "headers", "queryParams", "bodyType", "body", "responseType")
            got = {
                "data": {"q": self.question, "n": 1},
                "status": 500,
                "statusText": "",
                "headers": {
                    "content-type": "application/json",
                    "content-length": "19",
                    "date": "",
                    "connection": "close",
                },
            }
            given = {"http": dict.fromkeys(names, "")}
            self.steps.append(_step(_HTTP, "HTTP", given, {"http": got}, [_START]))

    def _break(self, state: str, error: str) -> None:
        self.state = state
        data = {"id": _FUNCTION, "name": _FUNCTION.partition("_")[0], "error": error}
        self.steps.append(
            {
                "nodeId": _FUNCTION,
                "nodeLabel": "Custom Function",
                "previousNodeIds": [_START],
                "data": data,
                "status": state,
            }
        )

    def _reply(self) -> None:
        self.state = "FINISHED"
        before = [self.steps[-1]["nodeId"]]
        self.steps.append(_step(_REPLY, "Direct Reply", {}, {"content": self.text}, before))

    def _stop(self) -> None:
        self.state = "STOPPED"
        waiting = {"messages": [], "humanInputEnableFeedback": True}
        buttons = [("approve", "Proceed"), ("reject", "Reject")]
        action = {
            "id": str(uuid.uuid4()),
            "mapping": dict(buttons),
            "elements": [{"type": f"agentflowv2-{name}-button", "label": label} for name, label in buttons],
            "data": {"nodeId": _HUMAN, "nodeLabel": "Human Input", "input": waiting},
        }
        output = {"content": self.text, "humanInputAction": action}
        step = _step(_HUMAN, "Human Input", waiting, output, [_START])
        step["status"] = "STOPPED"
        step["data"]["chatHistory"] = [{"role": "assistant", "content": self.text}]
        self.steps.append(step)


def _step(
    node: str, label: str, given: dict[str, Any], output: dict[str, Any], before: list[str]
) -> dict[str, Any]:
    data = {"id": node, "name": node.partition("_")[0], "input": given, "output": output, "state": {}}
    return {"nodeId": node, "nodeLabel": label, "data": data, "previousNodeIds": before, "status": "FINISHED"}


def _frame(event: str, data: Any) -> str:
    told = json.dumps({"event": event, "data": data}, ensure_ascii=False, separators=(",", ":"))
    return f"message:\ndata:{told}\n\n"


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))
