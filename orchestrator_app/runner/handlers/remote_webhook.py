"""RemoteWebhook: calls a workflow outside and finds out when it is done: by answer, polling or callback."""

import random
from dataclasses import replace

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.node_kinds import completion_of, is_idempotent, setting
from orchestrator_app.domain.ports import WaitRecord
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall
from orchestrator_app.errors import NodeFailed, ProviderBusy, ProviderError
from orchestrator_app.runner.handlers.condition import is_true
from orchestrator_app.runner.node_context import Done, NodeContext, Outcome, Parked
from orchestrator_app.runner.sizes import noted

POLL_JITTER = 0.1
# Looks that fail because the platform cannot be reached do not count as looks; this long an outage ends the node.
MAX_OUTAGE_MS = 15 * 60_000
MAX_NOTED_TEXT = 2_000
# A platform may need a moment before it knows of an execution; after so many looks in a row it never will.
MAX_UNKNOWN_LOOKS = 3


def with_callback(body: JsonValue, template: str, url: str, token: str) -> JsonValue:
    """The body with callback address and token, unless it is no object or the template places them itself.

    They win over what the data has under these names: that was handed out by another node for another callback.
    """
    if not isinstance(body, dict) or "callbackUrl" in template or "correlationToken" in template:
        return body
    return body | {"callbackUrl": url, "correlationToken": token}


def response_summary(answer: RemoteAnswer, body: JsonValue) -> JsonObject:
    """What the attempt's record keeps of an answer."""
    summary: JsonObject = {"status": answer.status_code, "headers": dict(answer.headers), "body": noted(body)}
    if answer.remote_id:
        summary["executionId"] = answer.remote_id
    if answer.link:
        summary["link"] = answer.link
    return summary


class RemoteWebhookHandler:
    """Journals each call before it leaves, and never sends a call again whose outcome is unclear and not harmless."""

    async def work(self, context: NodeContext) -> Outcome:
        """Send the call; after a wait look again, or take the callback."""
        if not context.is_resumed:
            return await self._send(context)
        return await (self._look(context) if "looks" in context.memo else self._called_back(context))

    async def _send(self, context: NodeContext) -> Outcome:
        """Render the request, journal it, send it."""
        completion = completion_of(context.node)
        wait = await self._awaited(context, completion)
        call = await self._call(context, completion, wait)
        summary: JsonObject = {
            "method": call.method,
            "url": call.url,
            "headers": {name: value for name, value in call.headers.items()},  # noqa: C416 - a copy of JSON values
            "body": noted(call.text_body if call.text_body is not None else call.body),
            "provider": call.provider,
            "workflowId": call.workflow_id,
            "correlationId": call.correlation_id,
            "idempotencyKey": call.idempotency_key,
        }
        redacted = context.gateway.redact(context.run.workspace_id, call, summary)
        await context.begin_attempt(redacted if isinstance(redacted, dict) else {})
        answer = await context.gateway.execute(context.run.workspace_id, call)
        kept = context.gateway.redact(context.run.workspace_id, call, answer.output)
        context.note_answer(answer.status_code, response_summary(answer, kept))
        if answer.state == "running" and completion == "poll":
            memo: JsonObject = {
                "memo": answer.memo,
                "remoteId": answer.remote_id,
                "looks": 0,
                "startedAt": call.started_at,
            }
            return Parked(
                "poll",
                self._next_look(context),
                memo,
                log=f"Started on {call.provider}; polling for the result.",
            )
        if answer.state in {"failed", "cancelled"}:
            raise self._remote_failure(
                answer.state, answer.message, answer.link, answer.remote_id, answer.status_code
            )
        if completion == "callback":
            deadline = context.clock.now() + context.milliseconds("callbackTimeout")
            return Parked("callback", deadline, log="Waiting for the call back.")
        await self._check_success(context, answer.output)
        return Done(answer.output)

    async def _awaited(self, context: NodeContext, completion: str) -> WaitRecord | None:
        if completion == "callback":
            return await context.open_wait()
        return context.awaited_callback()

    async def _call(self, context: NodeContext, completion: str, wait: WaitRecord | None) -> RemoteCall:
        node, renderer = context.node, context.renderer
        scope = context.scope
        if wait is not None and completion == "callback":
            own: JsonObject = {
                "callbackUrl": context.callback_url(wait.token),
                "correlationToken": wait.token,
            }
            names = {node.id} if node.label in context.graph.nodes else {node.id, node.label}
            nodes = scope.nodes | {name: scope.nodes.get(name, {}) | own for name in names}
            scope = replace(scope, run=scope.run | own, nodes=nodes)
        headers_config = setting(node, "headers")
        headers = {
            name: await renderer.text(str(value), scope)
            for name, value in (headers_config.items() if isinstance(headers_config, dict) else ())
        }
        template = str(node.config.get("bodyTemplate") or "")
        method = str(setting(node, "method"))
        content_type = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
        body: JsonValue = None
        text_body: str | None = None
        if template.strip():
            if content_type and "json" not in content_type.lower():
                text_body = await renderer.text(template, scope)
            else:
                body = await renderer.json_body(template, scope)
        elif method != "GET":
            body = context.input
        url = context.callback_url(wait.token) if wait else ""
        if wait is not None:
            body = with_callback(body, template, url, wait.token)
        address = node.config.get("url")
        return RemoteCall(
            provider=str(setting(node, "provider")),
            connection_id=str(node.config.get("connectionId") or ""),
            workflow_id=str(node.config.get("workflowId") or ""),
            url=(await renderer.text(str(address), scope)).strip() if address else "",
            method=method,
            headers=headers,
            body=body,
            text_body=text_body,
            timeout_seconds=context.milliseconds("timeout") / 1000,
            completion=completion,
            correlation_id=context.correlation_id,
            idempotency_key=context.idempotency_key,
            traceparent=context.traceparent,
            callback_url=url,
            callback_token=wait.token if wait else "",
            is_idempotent=is_idempotent(node),
            started_at=context.clock.now(),
        )

    def _next_look(self, context: NodeContext) -> int:
        interval = context.milliseconds("pollingInterval")
        # Jitter keeps many runs that were started together from asking together for ever.
        return context.clock.now() + int(interval * (1 + random.uniform(-POLL_JITTER, POLL_JITTER)))  # noqa: S311

    async def _look(self, context: NodeContext) -> Outcome:
        memo, node = context.memo, context.node
        inner = memo.get("memo")
        started = memo.get("startedAt")
        call = RemoteCall(
            provider=str(setting(node, "provider")),
            connection_id=str(node.config.get("connectionId") or ""),
            workflow_id=str(node.config.get("workflowId") or ""),
            timeout_seconds=context.milliseconds("timeout") / 1000,
            completion="poll",
            correlation_id=context.correlation_id,
            idempotency_key=context.idempotency_key,
            is_idempotent=True,
            started_at=int(started) if isinstance(started, int) else 0,
        )
        try:
            look = await context.gateway.poll(
                context.run.workspace_id, call, inner if isinstance(inner, dict) else {}
            )
        except ProviderError as error:
            return self._missed_look(context, error)
        kept: JsonObject = {key: value for key, value in memo.items() if key != "outageSince"}
        looks = int(str(memo["looks"])) + 1
        kept |= {"memo": look.memo, "looks": looks, "remoteId": look.remote_id or memo.get("remoteId", "")}
        if look.state == "completed":
            await self._check_success(context, look.output)
            if look.remote_id:
                where = f"execution {look.remote_id} {look.link}".rstrip()
                context.say(f"The result is that of {where}.", "info")
            return Done(look.output)
        if look.state in {"failed", "cancelled"}:
            raise self._remote_failure(look.state, look.message, look.link, look.remote_id, None)
        unknown = kept["unknown"] = int(str(memo.get("unknown", 0))) + 1 if look.state == "unknown" else 0
        if unknown >= MAX_UNKNOWN_LOOKS:
            raise NodeFailed(
                look.message or "The platform cannot tell how the workflow fared.",
                code="outcome_unknown",
                hint="Look at the workflow on its platform before you run this again.",
                context={"executionId": look.remote_id, "link": look.link},
            )
        most = setting(node, "maxPollingAttempts")
        if looks >= (int(most) if isinstance(most, int) else 1):
            what = look.message or "The remote workflow is still running."
            raise NodeFailed(
                f"After {looks} looks there was no result. {what}",
                code="poll_timeout",
                hint="Allow more polls or a longer interval, or look at the workflow on its platform.",
                context={"executionId": look.remote_id, "link": look.link},
            )
        return Parked("poll", self._next_look(context), kept)

    def _missed_look(self, context: NodeContext, error: ProviderError) -> Outcome:
        now = context.clock.now()
        since = context.memo.get("outageSince")
        first = int(since) if isinstance(since, int) else now
        if not error.retryable or now - first > MAX_OUTAGE_MS:
            raise error
        if since is None:
            context.say(f"Polling goes on although a look failed: {error.message}", "warning")
        next_look = self._next_look(context)
        if isinstance(error, ProviderBusy) and error.retry_after_seconds is not None:
            next_look = max(next_look, now + int(error.retry_after_seconds * 1000))
        return Parked("poll", next_look, context.memo | {"outageSince": first})

    async def _called_back(self, context: NodeContext) -> Outcome:
        arrived = next((wait for wait in context.waits if wait.has_arrived), None)
        if arrived is not None:
            await self._check_success(context, arrived.body)
            return Done(arrived.body)
        raise NodeFailed(
            f"The workflow was started but did not call back within {context.milliseconds('callbackTimeout')} ms.",
            code="callback_timeout",
            hint="Allow more time, or check on the platform that the workflow reaches its callback step.",
        )

    async def _check_success(self, context: NodeContext, output: JsonValue) -> None:
        condition = context.node.config.get("successCondition")
        if not isinstance(condition, str) or not condition.strip():
            return
        verdict = await context.renderer.expression(condition, replace(context.scope, data=output))
        if not is_true(verdict):
            raise NodeFailed(
                f"The answer does not meet the success condition: {condition[:200]}",
                code="success_condition",
                hint="Look at the answer in the attempt, and correct the condition or the remote workflow.",
                context={"answer": str(output)[:MAX_NOTED_TEXT]},
            )

    def _remote_failure(
        self, state: str, message: str, link: str, remote_id: str, status_code: int | None
    ) -> NodeFailed:
        verb = "was cancelled" if state == "cancelled" else "failed"
        facts = {"link": link, "executionId": remote_id, "remoteStatus": status_code}
        return NodeFailed(
            f"The remote workflow {verb}: {message}" if message else f"The remote workflow {verb}.",
            code=f"remote_{state}",
            hint="Look at the execution on its platform.",
            context={key: value for key, value in facts.items() if value},
        )
