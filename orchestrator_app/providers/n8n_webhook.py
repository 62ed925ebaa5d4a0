"""Starting an n8n workflow by its production webhook: where it listens, and what its answers mean."""

import base64
import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlencode

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.remote import RemoteCall
from orchestrator_app.errors import (
    AddressNotAllowed,
    CredentialRefused,
    OutcomeUnknown,
    ProviderError,
    ProviderRefused,
    UnreadableAnswer,
)
from orchestrator_app.providers.answers import HttpAnswer, host_of
from orchestrator_app.providers.calls import as_json_bytes, call_body, looks_like_html, origin_of, read_output
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.json_reading import text_at
from orchestrator_app.providers.n8n_api import PROVIDER, N8nApi, base_url, said, webhook_base_url
from orchestrator_app.providers.n8n_workflow import Webhook, is_active, webhooks

EXECUTE = "execute"
NO_ITEM = "No item to return was found"

_LONGEST_ADDRESS = 6_000
_ID_NAMES = ("executionId", "execution_id", "executionID")
_ID_HEADERS = ("x-execution-id", "x-n8n-execution-id", "execution-id", "executionid")
_WRONG_METHOD = re.compile(
    r"is not registered for (\w+) requests(?:\. Did you mean to make a (\w+) request)?"
)
_CHAT_FIELD = "chatInput"


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how to call a workflow.

    Attributes:
        url: The complete address.
        method: What the webhook takes.
        kind: ``webhook`` or ``chat`` as found in the workflow; ``address`` as the user gave it.
    """

    url: str
    method: str
    kind: str = "address"

    def content(self, call: RemoteCall) -> tuple[bytes | None, str]:
        """The request body and its type; a chat trigger wants the data in its own shape."""
        if self.kind == "webhook" and self.method == "GET":
            return None, ""
        if self.kind != "chat":
            return call_body(call)
        data: JsonValue = call.text_body if call.text_body is not None else call.body
        if isinstance(data, dict) and _CHAT_FIELD in data:
            message: JsonObject = dict(data)
        else:
            message = {_CHAT_FIELD: data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)}
        message.setdefault("sessionId", call.correlation_id)
        message.setdefault("action", "sendMessage")
        return as_json_bytes(message), "application/json"


async def find_target(api: N8nApi, call: RemoteCall, webhook_base: str) -> Target:
    """The webhook of the call's workflow, as n8n tells it.

    Raises:
        ProviderRefused: The workflow cannot be called; nothing was sent.
    """
    if not call.workflow_id:
        raise _refused(
            "There is neither an address nor a workflow to call.", "Choose a workflow in the node."
        )
    raw = await api.workflow(call.workflow_id, EXECUTE)
    if raw is None:
        raise _unknown_workflow(api, call.workflow_id)
    if problem := _not_listening(raw):
        raise problem
    listening = webhooks(raw)
    if not listening:
        raise _refused(
            f"The workflow {_name(raw)} has no Webhook node, so nothing can call it.",
            "Add a Webhook node in n8n.",
        )
    chosen = next((webhook for webhook in listening if call.method in webhook.methods), listening[0])
    if chosen.is_computed or chosen.parameters:
        raise _refused(
            f"The address of {_name(raw)} has parts that only you know: {chosen.path}.",
            "Copy the address from n8n into the node and fill them in.",
        )
    method = call.method if call.method in chosen.methods else chosen.methods[0]
    return Target(f"{webhook_base}/{chosen.path}", method, chosen.kind)


def with_query(target: Target, call: RemoteCall) -> Target:
    """A webhook found to take GET gets its data in the address: the body's fields become query parameters.

    Raises:
        ProviderRefused: There is too much for an address; nothing was sent.
    """
    if target.kind != "webhook" or target.method != "GET" or not isinstance(call.body, dict) or not call.body:
        return target
    fields = [
        (name, value if isinstance(value, str) else json.dumps(value)) for name, value in call.body.items()
    ]
    url = f"{target.url}?{urlencode(fields)}"
    if len(url) > _LONGEST_ADDRESS:
        raise _refused(
            "The webhook takes GET only, and the data is too long for an address.",
            "Set the method of the Webhook node in n8n to POST.",
        )
    return Target(url, target.method, target.kind)


def webhook_headers(connection: Connection | None, url: str) -> dict[str, str]:
    """The credentials that the webhook asks for. The API key never goes to a webhook.

    Raises:
        AddressNotAllowed: The address is not the connection's, so it must not see them; nothing was sent.
    """
    if connection is None:
        return {}
    values = connection.values
    headers: dict[str, str] = {}
    if name := values.get("webhookHeaderName", "").strip():
        headers[name] = values.get("webhookHeaderValue", "")
    if user := values.get("webhookUser", ""):
        pair = f"{user}:{values.get('webhookPassword', '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    if headers and origin_of(url) not in {
        origin_of(base_url(connection)),
        origin_of(webhook_base_url(connection)),
    }:
        raise AddressNotAllowed(
            f"The connection “{connection.name}” keeps its webhook credentials for {base_url(connection)}, "
            f"but this call goes to {host_of(url)}.",
            hint="Choose another connection for this node, or none.",
            provider=PROVIDER,
            operation=EXECUTE,
        )
    return headers


def webhook_output(answer: HttpAnswer) -> JsonValue:
    """The answer as JSON. n8n sends texts, also those that are JSON, as HTML.

    Raises:
        UnreadableAnswer: It is a web page that no workflow made, or not text at all.
    """
    if not answer.headers.get("content-type", "").lower().startswith("text/html"):
        return read_output(answer, provider=PROVIDER)
    text = answer.text()
    if looks_like_html(text):
        return text if is_from_workflow(answer) else read_output(answer, provider=PROVIDER)
    try:
        return answer.json()
    except UnreadableAnswer:
        return text or None


def execution_id_in(answer: HttpAnswer, output: JsonValue) -> str:
    """The id of the execution, where the workflow's author put it into the answer; else empty."""
    found = [answer.headers.get(name, "") for name in _ID_HEADERS]
    first = output[0] if isinstance(output, list) and output else output
    found += [text_at(first, name) for name in _ID_NAMES]
    if answer.headers.get("content-type", "").startswith("text/") and isinstance(first, int | str):
        found.append(text_at({"at": first}, "at"))
    return next((value for value in found if value.isdecimal() and int(value) > 0), "")


def is_from_workflow(answer: HttpAnswer) -> bool:
    """Whether the workflow itself made this answer: n8n puts those, and only those, into a sandbox."""
    return answer.headers.get("content-security-policy", "").startswith("sandbox")


def tells_failure(answer: HttpAnswer) -> bool:
    """Whether n8n says that it took the call and the workflow failed, so that repeating is no remedy."""
    if is_from_workflow(answer):
        return answer.status >= HTTPStatus.BAD_REQUEST
    return answer.status == HTTPStatus.INTERNAL_SERVER_ERROR and bool(_message(answer))


def failure_text(answer: HttpAnswer) -> str:
    """The reason that such an answer gives, for when the execution itself cannot be asked."""
    words = _message(answer)
    if is_from_workflow(answer):
        return f"it answered with status {answer.status}" + (f": {words}" if words else ".")
    if words == NO_ITEM:
        return f"n8n says “{words}”. Turn on “Always Output Data” at the last node of the workflow."
    return f"n8n says “{words}”."


async def why_refused(
    api: N8nApi | None, call: RemoteCall, target: Target, answer: HttpAnswer
) -> ProviderError | None:
    """The error for a refusal in which nothing ran, or None if the answer is none of n8n's own refusals."""
    if answer.status == HTTPStatus.NOT_FOUND and "is not registered" in _message(answer):
        return await _why_not_registered(api, call, answer)
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        if "IP is not" in said(answer):
            return _refused(
                f"n8n does not take calls of this webhook from here: {said(answer)}",
                "Add the address of this machine to the Webhook node's list of allowed addresses.",
                answer.status,
            )
        return CredentialRefused(
            f"The webhook at {host_of(target.url)} asks for credentials and did not get the right ones: {said(answer)}",
            hint="Enter the webhook's header, or its user and password, in the connection.",
            provider=PROVIDER,
            operation=EXECUTE,
            remote_status=answer.status,
        )
    if answer.status == HTTPStatus.GATEWAY_TIMEOUT and not call.is_idempotent:
        return OutcomeUnknown(
            f"The gateway before {host_of(target.url)} stopped waiting; the workflow may go on in n8n.",
            hint="Let the workflow answer at once and choose the completion poll or callback.",
            provider=PROVIDER,
            operation=EXECUTE,
            remote_status=answer.status,
        )
    return None


async def _why_not_registered(api: N8nApi | None, call: RemoteCall, answer: HttpAnswer) -> ProviderRefused:
    """n8n answers the same for an inactive workflow and an unknown path; its API can tell them apart."""
    if match := _WRONG_METHOD.search(_message(answer)):
        takes = f" It takes {match.group(2)}." if match.group(2) else ""
        return _refused(
            f"The webhook does not take {match.group(1)} requests.{takes}",
            "Set the method of the node to the one of the Webhook node in n8n.",
            HTTPStatus.NOT_FOUND,
        )
    if api is None or not call.workflow_id:
        return _refused(
            f"No active workflow of n8n listens at this address: {said(answer)}",
            "Check the path, and that the workflow is active. With connection and workflow chosen in the node, "
            "Orchestrator can tell which it is.",
            HTTPStatus.NOT_FOUND,
        )
    try:
        raw = await api.workflow(call.workflow_id, EXECUTE)
    except ProviderError as error:
        return _refused(
            f"No active workflow of n8n listens at this address: {said(answer)} "
            f"Whether the workflow is active could not be seen: {error.message}",
            error.hint,
            HTTPStatus.NOT_FOUND,
        )
    if raw is None:
        return _unknown_workflow(api, call.workflow_id)
    if problem := _not_listening(raw):
        return problem
    paths = ", ".join(_listens_at(webhook) for webhook in webhooks(raw)) or "nowhere"
    return _refused(
        f"The workflow {_name(raw)} is active, but does not listen at this address: {said(answer)} It listens at {paths}.",
        "Correct the address in the node, or leave it empty to use the workflow's own.",
        HTTPStatus.NOT_FOUND,
    )


def _not_listening(raw: JsonObject) -> ProviderRefused | None:
    if raw.get("isArchived") is True:
        return _refused(
            f"The workflow {_name(raw)} is archived in n8n.", "Unarchive and publish it, or choose another."
        )
    if not is_active(raw):
        return _refused(
            f"The workflow {_name(raw)} is not active in n8n, so its webhook does not listen.",
            "Activate (publish) it in n8n, then try again.",
        )
    return None


def _unknown_workflow(api: N8nApi, workflow_id: str) -> ProviderRefused:
    return _refused(
        f"n8n at {api.host} has no workflow {workflow_id}.",
        "Choose a workflow in the node again.",
        HTTPStatus.NOT_FOUND,
    )


def _listens_at(webhook: Webhook) -> str:
    return f"{' or '.join(webhook.methods)} {webhook.path}"


def _name(raw: JsonObject) -> str:
    return f"“{text_at(raw, 'name')}”"


def _message(answer: HttpAnswer) -> str:
    try:
        body = answer.json()
    except UnreadableAnswer:
        return ""
    return text_at(body, "message") or text_at(body, "error")


def _refused(message: str, hint: str, status: int | None = None) -> ProviderRefused:
    return ProviderRefused(message, hint=hint, provider=PROVIDER, operation=EXECUTE, remote_status=status)
