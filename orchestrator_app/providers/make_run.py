"""Running a scenario through Make's API: the request, its result, and what its refusals mean."""

import asyncio
from http import HTTPStatus

from orchestrator_app.domain.json_values import JsonObject, a_type
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteState
from orchestrator_app.errors import OutcomeUnknown, ProviderBusy, ProviderError, ProviderRefused
from orchestrator_app.providers.answers import HttpAnswer
from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.calls import CALLBACK_FIELD, as_json_bytes, kept_headers, send
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.correlation import CORRELATION_FIELD
from orchestrator_app.providers.json_reading import number_at, text_at
from orchestrator_app.providers.make_api import (
    PROVIDER,
    MakeApi,
    refusal_of,
    said,
    scenario_path,
    unknown_scenario,
)
from orchestrator_app.providers.make_execution import Memo, link_to, look_at_run, reason_of_execution
from orchestrator_app.providers.make_target import Target

EXECUTE = Capability.EXECUTE.value
# How long Make lets a caller wait for the result of a run.
RESPONSE_SECONDS = 40

_TOKEN_FIELD = "correlationToken"  # noqa: S105 - the name of a field
_NOT_ACTIVE = "IM325"
_NO_INPUTS = "IM016"
_WRONG_INPUTS = "IM005"
_OVERLAP = "already being executed"
_TIMEOUTS = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT, 524})
_TIMEOUT_WORDS = ("timeout", "timed out", "time out")
_ENDED: dict[int, RemoteState] = {1: "completed", 2: "completed", 3: "failed"}
_REASON_SECONDS = 5.0


async def run_scenario(client: HttpClient, api: MakeApi, target: Target, call: RemoteCall) -> RemoteAnswer:
    """Start a run; wait for its result only if the call says so, for Make does not let anybody wait long."""
    is_awaited = call.completion == "response"
    inputs = inputs_of(call, target)
    request: JsonObject = {"responsive": is_awaited}
    if inputs:  # a scheduled scenario takes none at all
        request["data"] = inputs
    if call.completion == "callback":
        request["callbackUrl"] = call.callback_url
    answer = await send(
        client,
        call,
        url=f"{api.base}{scenario_path(target.scenario)}/run",
        method="POST",
        headers=api.headers() | {"Content-Type": "application/json"},
        content=(as_json_bytes(request), "application/json"),
    )
    memo = Memo(target.scenario, target.team, text_at(refusal_of(answer), "executionId"))
    if answer.status >= HTTPStatus.BAD_REQUEST:
        if _is_timeout(answer) and (is_awaited or not call.is_idempotent):
            return _goes_on(api, answer, memo)
        raise _why_not_started(api, target, answer)
    return await _answer_of(api, call, answer, memo)


def inputs_of(call: RemoteCall, target: Target) -> JsonObject:
    """The inputs of the scenario.

    Make itself calls back when a run has ended, so the callback address that was put into the body is left out, unless
    the scenario declares an input of that name. A scenario that declares an input for the id of the call gets it.

    Raises:
        ProviderRefused: The body has no names; nothing was sent.
    """
    if call.text_body is not None or not (call.body is None or isinstance(call.body, dict)):
        what = "text" if call.text_body is not None else a_type(call.body)
        raise ProviderRefused(
            f"The inputs of a scenario are an object with a value for each input, but the body is {what}.",
            hint="Give the node inputs, or a body template that is a JSON object.",
            provider=PROVIDER,
            operation=EXECUTE,
        )
    inputs = dict(call.body or {})
    if call.completion == "callback":
        for name, ours in ((CALLBACK_FIELD, call.callback_url), (_TOKEN_FIELD, call.callback_token)):
            if name not in target.inputs and inputs.get(name) == ours:
                del inputs[name]
    if CORRELATION_FIELD in target.inputs:
        inputs.setdefault(CORRELATION_FIELD, call.correlation_id)
    return inputs


async def _answer_of(api: MakeApi, call: RemoteCall, answer: HttpAnswer, memo: Memo) -> RemoteAnswer:
    body = api.accepted(answer, EXECUTE)
    state = _ENDED.get(int(number_at(body, "status")), "completed" if "outputs" in body else "running")
    if call.completion != "response":
        state = "running"
    if state == "running" and not memo.execution and call.completion != "callback":
        raise _no_id(api, answer)
    message = ""
    if state == "failed":
        message = reason_of_execution(body) or await _reason(api, memo)
    return RemoteAnswer(
        state=state,
        output=body.get("outputs") if state == "completed" else body,
        status_code=answer.status,
        headers=kept_headers(answer),
        remote_id=memo.execution,
        link=link_to(api.web, memo),
        message=message,
        memo=memo.as_json(),
    )


def _goes_on(api: MakeApi, answer: HttpAnswer, memo: Memo) -> RemoteAnswer:
    """Make stopped waiting, and the run goes on: with its id it can be followed.

    Raises:
        OutcomeUnknown: Make did not tell the id.
    """
    if not memo.execution:
        raise _no_id(api, answer)
    return RemoteAnswer(
        "running",
        status_code=answer.status,
        headers=kept_headers(answer),
        remote_id=memo.execution,
        link=link_to(api.web, memo),
        message=f"The run takes longer than the {RESPONSE_SECONDS} seconds for which Make lets a caller wait.",
        memo=memo.as_json(),
    )


def _no_id(api: MakeApi, answer: HttpAnswer) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"Make at {api.host} did not tell how the run fares nor its id: {said(answer)} It may go on there.",
        hint=f"Look at the scenario in Make. For runs of more than {RESPONSE_SECONDS} seconds choose the completion "
        "poll or callback.",
        provider=PROVIDER,
        operation=EXECUTE,
        remote_status=answer.status,
    )


async def _reason(api: MakeApi, memo: Memo) -> str:
    """Why a run failed whose answer does not say it, if it can be found in a short time; never an error."""
    try:
        async with asyncio.timeout(_REASON_SECONDS):
            return (await look_at_run(api, memo)).message if memo.execution else ""
    except (ProviderError, TimeoutError):
        return ""


def _why_not_started(api: MakeApi, target: Target, answer: HttpAnswer) -> ProviderError:
    """The error for a refusal in which nothing ran."""
    code, reason = text_at(refusal_of(answer), "code"), said(answer)
    if answer.status == HTTPStatus.NOT_FOUND:
        return unknown_scenario(api.host, target.scenario, EXECUTE)
    if code == _NOT_ACTIVE or "not activated" in reason:
        return _refused(
            f"The scenario “{target.name}” is not active in Make: {reason}",
            "Activate it in Make, then try again.",
            answer,
        )
    if _OVERLAP in reason:
        return ProviderBusy(
            f"The scenario “{target.name}” did not start, for Make runs it only once at a time: {reason}",
            hint="Wait until the other run has ended.",
            provider=PROVIDER,
            operation=EXECUTE,
            remote_status=answer.status,
        )
    if code in {_NO_INPUTS, _WRONG_INPUTS}:
        return _wrong_inputs(target, answer, takes_some=code == _WRONG_INPUTS)
    try:
        api.raise_for(answer, EXECUTE)
    except ProviderError as error:
        return error
    return _no_id(api, answer)


def _wrong_inputs(target: Target, answer: HttpAnswer, *, takes_some: bool) -> ProviderRefused:
    if not takes_some:
        return _refused(
            f"The scenario “{target.name}” takes no inputs as it is scheduled: {said(answer)}",
            "Set its schedule in Make to “On demand”, or send no inputs.",
            answer,
        )
    declared = ", ".join(sorted(target.inputs)) or "none"
    return _refused(
        f"The scenario “{target.name}” does not accept these inputs: {said(answer)}",
        f"It declares these inputs: {declared}. Give the node the required ones.",
        answer,
    )


def _is_timeout(answer: HttpAnswer) -> bool:
    words = said(answer).lower()
    return answer.status in _TIMEOUTS or any(word in words for word in _TIMEOUT_WORDS)


def _refused(message: str, hint: str, answer: HttpAnswer) -> ProviderRefused:
    return ProviderRefused(
        message, hint=hint, provider=PROVIDER, operation=EXECUTE, remote_status=answer.status
    )
