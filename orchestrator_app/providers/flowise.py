"""Flowise: asks a chatflow or agentflow through the prediction API, and takes its answer."""

import re
import uuid
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import quote

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall
from orchestrator_app.errors import (
    AddressNotAllowed,
    CredentialRefused,
    ProviderError,
    ProviderRefused,
    UnreadableAnswer,
)
from orchestrator_app.providers.answers import HttpAnswer, host_of, raise_for_answer
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.providers.calls import as_json_bytes, kept_headers, origin_of, read_output, send
from orchestrator_app.providers.connection import Connection, ConnectionCheck, CredentialField
from orchestrator_app.providers.json_reading import object_at, objects_at, text_at

_EXECUTE = Capability.EXECUTE.value
_TEST = Capability.TEST.value
_TEST_SECONDS = 15.0
_PREDICTION = "/api/v1/prediction/"
_REASON_PREFIX = re.compile(r"^Error: \w+\.\w+ - ")
_NO_KEY = frozenset({"Unauthorized", "Unauthorized Access"})


class FlowiseProvider(Provider):
    """Flowise, self-hosted or cloud. Flows without a key of their own can be asked by address alone."""

    key: ClassVar[str] = "flowise"
    title: ClassVar[str] = "Flowise"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.TEST, Capability.EXECUTE})
    credential_fields: ClassVar[tuple[CredentialField, ...]] = (
        CredentialField(
            "baseUrl",
            "Address of Flowise",
            help="As you open it in the browser.",
            is_origin=True,
            placeholder="https://flowise.example.com",
        ),
        CredentialField(
            "apiKey",
            "API key",
            help="Made in Flowise under API Keys. A flow with a key of its own takes only that one.",
            is_secret=True,
            required=False,
        ),
    )

    async def test(self, connection: Connection) -> ConnectionCheck:
        """Reach the server, then see whether it accepts the key."""
        base = _base_of(connection.values.get("baseUrl", ""))
        host = host_of(base)
        try:
            ping = await self._get(connection, f"{base}/api/v1/ping", with_key=False)
            if ping.status != HTTPStatus.OK or ping.text().strip() != "pong":
                return ConnectionCheck(
                    "unreachable",
                    f"Something answers at {host}, but it is not Flowise. Enter the address as you open Flowise.",
                )
            if not connection.values.get("apiKey"):
                return ConnectionCheck(
                    "connected",
                    f"Flowise answers at {host}. Without an API key only open flows can be asked.",
                )
            listed = await self._get(connection, f"{base}/api/v1/chatflows?page=1&limit=1", with_key=True)
            if listed.status == HTTPStatus.FORBIDDEN:
                return ConnectionCheck(
                    "connected",
                    f"Flowise at {host} accepts the API key. The key may not list flows, only ask them.",
                )
            raise_for_answer(listed, self.key, _TEST)
        except CredentialRefused:
            return ConnectionCheck(
                "refused",
                f"Flowise at {host} does not accept the API key. Make a new one in Flowise under API Keys.",
            )
        except ProviderError as error:
            return ConnectionCheck("unreachable", f"{error.message} {error.hint}".strip())
        return ConnectionCheck("connected", f"Flowise answers at {host} and accepts the API key.")

    async def execute(self, connection: Connection | None, call: RemoteCall) -> RemoteAnswer:
        """Ask the flow. The chat id is made from the correlation id, so that the answer can be found in Flowise."""
        url = self._address(connection, call)
        question = as_json_bytes(_question(call))
        answer = await send(
            self.client,
            call,
            url=url,
            method="POST",
            headers=self._key_header(connection, url),
            content=(question, "application/json"),
        )
        reason = _reason(answer)
        if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR and reason:
            if reason in _NO_KEY:
                raise self._wrong_key(url, answer)
            return RemoteAnswer(
                "failed", status_code=answer.status, headers=kept_headers(answer), message=reason
            )
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise self._wrong_key(url, answer)
        if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST} and reason:
            raise ProviderRefused(
                f"Flowise at {host_of(url)} does not take this call: {reason}.",
                hint="Check the id of the flow: it is the long id in the address of the flow's page.",
                provider=self.key,
                operation=_EXECUTE,
                remote_status=answer.status,
            )
        raise_for_answer(answer, self.key, _EXECUTE)
        return self._result(answer)

    def _result(self, answer: HttpAnswer) -> RemoteAnswer:
        output = read_output(answer, provider=self.key)
        if not isinstance(output, dict):
            raise UnreadableAnswer(
                f"{host_of(answer.url)} did not answer as Flowise does: the answer is not a JSON object.",
                hint="Check the address of Flowise.",
                provider=self.key,
                operation=_EXECUTE,
                remote_status=answer.status,
            )
        waiting = _waits_for_person(output)
        return RemoteAnswer(
            "failed" if waiting else "completed",
            output,
            status_code=answer.status,
            headers=kept_headers(answer),
            remote_id=text_at(output, "executionId"),
            message=waiting,
        )

    def _address(self, connection: Connection | None, call: RemoteCall) -> str:
        given = call.url.strip().rstrip("/")
        if _PREDICTION in given:
            return given
        base = _base_of(given or (connection.values.get("baseUrl", "") if connection else ""))
        if not base:
            raise self._refused(
                "It is not known where Flowise is.", "Choose a connection, or enter its address."
            )
        if not call.workflow_id:
            raise self._refused("No flow is chosen.", "Enter the id of the flow in the node.")
        return f"{base}{_PREDICTION}{quote(call.workflow_id, safe='')}"

    def _key_header(self, connection: Connection | None, url: str) -> dict[str, str]:
        key = connection.values.get("apiKey", "").strip() if connection else ""
        if not key or connection is None:
            return {}
        if origin_of(url) != origin_of(connection.values.get("baseUrl", "")):
            raise AddressNotAllowed(
                f"The connection “{connection.name}” keeps its key for {connection.values.get('baseUrl', '')}, "
                f"but this call goes to {host_of(url)}.",
                hint="Leave the address in the node empty, or choose no connection.",
                provider=self.key,
                operation=_EXECUTE,
            )
        return {"Authorization": f"Bearer {key}"}

    async def _get(self, connection: Connection, url: str, *, with_key: bool) -> HttpAnswer:
        return await self.client.request(
            "GET",
            url,
            headers=self._key_header(connection, url) if with_key else {},
            timeout_seconds=_TEST_SECONDS,
            provider=self.key,
            operation=_TEST,
            is_safe_to_repeat=True,
        )

    def _wrong_key(self, url: str, answer: HttpAnswer) -> CredentialRefused:
        return CredentialRefused(
            f"The flow at {host_of(url)} asks for an API key and did not get the right one.",
            hint="Flowise binds a flow to one key: enter that key in the connection, or take it off the flow.",
            provider=self.key,
            operation=_EXECUTE,
            remote_status=answer.status,
        )

    def _refused(self, message: str, hint: str) -> ProviderRefused:
        return ProviderRefused(message, hint=hint, provider=self.key, operation=_EXECUTE)


def _base_of(address: str) -> str:
    return address.strip().rstrip("/").removesuffix("/api/v1").rstrip("/")


def _question(call: RemoteCall) -> JsonObject:
    """The body of a prediction; what is not one already becomes the question."""
    data: JsonValue = call.text_body if call.text_body is not None else call.body
    if isinstance(data, dict) and ("question" in data or "form" in data or "humanInput" in data):
        body: JsonObject = dict(data)
    else:
        body = {"question": data if isinstance(data, str) else as_json_bytes(data).decode()}
    body.setdefault("chatId", str(uuid.uuid5(uuid.NAMESPACE_URL, f"orchestrator:{call.correlation_id}")))
    return body


def _reason(answer: HttpAnswer) -> str:
    """Flowise's own words, without the name of its inner function; empty if this is none of its errors."""
    if answer.status < HTTPStatus.BAD_REQUEST:
        return ""
    try:
        return _REASON_PREFIX.sub("", text_at(answer.json(), "message"))
    except UnreadableAnswer:
        return ""


def _waits_for_person(output: JsonObject) -> str:
    """A flow that stopped to ask a person has not failed, but nothing here can answer for that person."""
    stopped = next(
        (
            step
            for step in objects_at(output, "agentFlowExecutedData")
            if text_at(step, "status") == "STOPPED"
        ),
        None,
    )
    action = object_at(output, "action")
    if stopped is None and not action:
        return ""
    node = text_at(stopped, "nodeLabel") or text_at(action, "data", "nodeLabel")
    where = f" at “{node}”" if node else ""
    return f"the flow stopped{where} and waits for a person, who must answer in Flowise."
