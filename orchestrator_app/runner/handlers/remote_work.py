"""Remote nodes: a call that starts a workflow outside, and the ways to learn of its end: answer, polling, callback."""

import time
from abc import ABC, abstractmethod
from dataclasses import replace
from random import uniform

from orchestrator_app.domain.inputs import placed_inputs
from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.looks import (
    FALLBACK_INTERVAL_MS,
    JITTER,
    MAX_OUTAGE_MS,
    MOST_FALLBACK_INTERVAL_MS,
    MOST_INTERVAL_MS,
    Watch,
    remote_failure,
)
from orchestrator_app.domain.node_kinds import completion_of, polling_time, setting
from orchestrator_app.domain.open_calls import recalled
from orchestrator_app.domain.ports import WaitRecord
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook
from orchestrator_app.domain.runs import Failure
from orchestrator_app.domain.scope import Scope
from orchestrator_app.errors import NodeFailed, NotSentInTime, ProviderError, UnreadableAnswer
from orchestrator_app.runner.handlers.condition import is_true
from orchestrator_app.runner.node_context import Done, NodeContext, Outcome, Parked
from orchestrator_app.runner.sizes import noted

MAX_NOTED_TEXT = 2_000
# Who is held for longer than this between writing down a call and sending it looks again whether the run is still its
# own. Others wait more than twice as long before they take over.
LEAVE_SECONDS = 4.0
# What a callback means is asked again so soon after the platform could not be asked; the pause doubles.
ASK_AGAIN_MS = 5_000
MOST_ASK_AGAIN_MS = 60_000


class RemoteHandler(ABC):
    """Journals each call before it leaves, and never sends a call again whose outcome is unclear and not harmless."""

    @abstractmethod
    async def call(self, context: NodeContext, completion: str) -> RemoteCall:
        """The call with all that the user's config says; whatever is the same for all nodes is in it already."""

    async def work(self, context: NodeContext) -> Outcome:
        """Send the call; after a wait take what a look or a callback has brought."""
        return await (self._go_on(context) if context.is_resumed else self._send(context))

    async def _send(self, context: NodeContext) -> Outcome:
        """Render the request, journal it, send it."""
        completion = completion_of(context.node)
        call = await self.call(context, completion)
        workspace_id = context.run.workspace_id
        capabilities = await context.gateway.capabilities(workspace_id, call)
        if completion != "response" and completion not in capabilities:
            raise await context.gateway.refusal(workspace_id, call, completion)
        redacted = await context.gateway.redact(workspace_id, call, request_summary(call))
        summary: JsonObject = redacted if isinstance(redacted, dict) else {}
        await context.begin_attempt(summary)
        answer = await self._execute(context, call)
        kept = await context.gateway.redact(workspace_id, call, answer.output)
        context.note_answer(answer.status_code, response_summary(answer, kept))
        if answer.state in {"failed", "cancelled"}:
            raise _remote_failure(answer)
        goes_on = answer.state == "running" and _can_look(context, call, capabilities)
        if goes_on:
            call = replace(call, status_url=await self._status_url(context, call, answer))
        if completion == "callback" or goes_on:
            # What is kept while it goes on holds no secrets.
            call = replace(call, url=str(summary.get("url", "")))
        if completion == "callback":
            return self._await_callback(context, call, answer, is_looked_at=goes_on)
        if goes_on:
            return self._watch_for(context, call, answer)
        await check_success(context, answer.output)
        return Done(answer.output)

    async def _execute(self, context: NodeContext, call: RemoteCall) -> RemoteAnswer:
        """Send the call at once, or make sure first that nobody else has taken over the run meanwhile."""
        while True:
            try:
                return await context.gateway.execute(context.run.workspace_id, call)
            except NotSentInTime:
                call = replace(call, leave_by=leave_by())
                await context.make_sure()

    async def _status_url(self, context: NodeContext, call: RemoteCall, answer: RemoteAnswer) -> str:
        """Where to ask for the state of what a plain address has started; empty when the platform has an API."""
        if call.provider != "custom":
            return ""
        template = str(context.node.config.get("statusUrl") or "").strip()
        if template:
            scope = replace(context.scope, data=answer.output)
            address = (await context.renderer.text(template, scope)).strip()
            return context.gateway.sealed_address(call, address)
        if not answer.location:
            raise UnreadableAnswer(
                "The answer has no header Location, so it is not known where to ask for the state.",
                hint="Enter the status address in the node.",
                provider=call.provider,
                operation="execute",
                remote_status=answer.status_code,
            )
        return answer.location

    def _watch_for(self, context: NodeContext, call: RemoteCall, answer: RemoteAnswer) -> Outcome:
        """Wait until looks at the execution see its end."""
        now, interval = context.clock.now(), context.milliseconds("pollingInterval")
        watch = Watch(
            # Also one that should have been told by the answer is now polled.
            call=replace(call, completion="poll"),
            memo=answer.memo,
            interval_ms=interval,
            most_interval_ms=max(interval, MOST_INTERVAL_MS),
            deadline=now + polling_time(context.node),
            done_condition=_condition(context, call, "doneCondition"),
            failed_condition=_condition(context, call, "failedCondition"),
            remote_id=answer.remote_id,
            link=answer.link,
            says=answer.message,
        )
        what = answer.message or f"Started on {call.provider}; polling for the result."
        # The poller wakes the run when there is something to do.
        return Parked("poll", None, watch.as_json(), what, watch.first_look(now, _jitter()))

    def _await_callback(
        self, context: NodeContext, call: RemoteCall, answer: RemoteAnswer, *, is_looked_at: bool
    ) -> Outcome:
        """Wait for the callback; where the platform can be asked, looks make sure that a lost one is noticed."""
        now = context.clock.now()
        watch = Watch(
            call=call,
            memo=answer.memo,
            interval_ms=FALLBACK_INTERVAL_MS,
            most_interval_ms=MOST_FALLBACK_INTERVAL_MS,
            deadline=now + context.milliseconds("callbackTimeout"),
            done_condition=_condition(context, call, "doneCondition"),
            failed_condition=_condition(context, call, "failedCondition"),
            remote_id=answer.remote_id,
            link=answer.link,
            says=answer.message,
        )
        look_at = watch.first_look(now, _jitter()) if is_looked_at else None
        log = answer.message or "Waiting for the call back."
        return Parked("callback", watch.deadline, watch.as_json(), log, look_at)

    async def _go_on(self, context: NodeContext) -> Outcome:
        """Take what a look or a callback has brought, or notice that none came in time."""
        token = next((wait.token for wait in context.waits), "")
        watch = Watch.from_json(context.memo, callback_token=token) if context.memo else None
        if watch is not None and watch.is_over:
            return await self._take_look(context, watch)
        arrived = next((wait for wait in context.waits if wait.has_arrived), None)
        if arrived is not None:
            return await self._take_callback(context, arrived, watch or self._interrupted(context, token))
        if watch is not None and watch.search is not None:
            raise failed(watch.search.failure)
        raise NodeFailed(
            f"The workflow was started but did not call back within {context.milliseconds('callbackTimeout')} ms.",
            code="callback_timeout",
            hint="Allow more time, or check on the platform that the workflow reaches its callback step.",
        )

    def _interrupted(self, context: NodeContext, token: str) -> Watch:
        """What is known of a call whose answer never came, but whose workflow has called back."""
        now = context.clock.now()
        return Watch(
            call=recalled(context.run.run_id, context.node, callback_token=token, started_at=now),
            memo={},
            interval_ms=FALLBACK_INTERVAL_MS,
            most_interval_ms=MOST_FALLBACK_INTERVAL_MS,
            deadline=now + context.milliseconds("callbackTimeout"),
        )

    async def _take_look(self, context: NodeContext, watch: Watch) -> Outcome:
        failure, look = watch.failure, watch.result
        if failure is not None:
            raise failed(failure)
        output = look.output if look else None
        await check_success(context, output)
        if watch.remote_id:
            where = f"execution {watch.remote_id} {watch.link}".rstrip()
            context.say(f"The result is that of {where}.", "info")
        if look is not None and not look.is_certain:
            doubt = look.message or "It is not certain that this is the execution that was started."
            context.say(doubt, "warning")
        return Done(output)

    async def _take_callback(self, context: NodeContext, arrived: WaitRecord, watch: Watch) -> Outcome:
        """Ask the provider what the callback means."""
        now = context.clock.now()
        try:
            look = await context.gateway.called_back(
                context.run.workspace_id, watch.call, watch.memo, arrived.body
            )
        except ProviderError as error:
            since = watch.outage_since if watch.outage_since is not None else now
            if not error.retryable or now - since > MAX_OUTAGE_MS:
                raise
            if watch.outage_since is None:
                context.say(f"What was called back cannot be looked up yet: {error.message}", "warning")
            pause = min(max(ASK_AGAIN_MS, now - since), MOST_ASK_AGAIN_MS)
            memo = replace(watch, outage_since=since).as_json() | {"asksAgain": True}
            return Parked("callback", now + pause, memo)
        if look.state == "completed":
            await check_success(context, look.output)
            return Done(look.output)
        if look.state in {"failed", "cancelled"}:
            raise _remote_failure(look)
        return await self._wait_on(context, arrived, watch, look)

    async def _wait_on(
        self, context: NodeContext, arrived: WaitRecord, watch: Watch, look: RemoteLook
    ) -> Outcome:
        """The callback was only news of the way: the token may be used again, and the execution is looked at."""
        context.reopen_wait(arrived)
        interval = context.milliseconds("pollingInterval")
        watch = replace(
            watch,
            memo=look.memo,
            interval_ms=interval,
            outage_since=None,
            remote_id=look.remote_id or watch.remote_id,
            link=look.link or watch.link,
            says=look.message,
        )
        capabilities = await context.gateway.capabilities(context.run.workspace_id, watch.call)
        look_at = watch.first_look(context.clock.now(), _jitter()) if "poll" in capabilities else None
        log = look.message or "The workflow called back, but goes on."
        return Parked("callback", watch.deadline, watch.as_json(), log, look_at)


def leave_by() -> float:
    """When a call that is about to be written down must have left."""
    return time.monotonic() + LEAVE_SECONDS


def request_summary(call: RemoteCall) -> JsonObject:
    """What the attempt's record keeps of a call; secrets are still in it."""
    return {
        "method": call.method,
        "url": call.url,
        "headers": {name: value for name, value in call.headers.items()},  # noqa: C416 - a copy of JSON values
        "body": noted(call.text_body if call.text_body is not None else call.body),
        "provider": call.provider,
        "connectionId": call.connection_id,
        "workflowId": call.workflow_id,
        "correlationId": call.correlation_id,
        "idempotencyKey": call.idempotency_key,
    }


def response_summary(answer: RemoteAnswer, body: JsonValue) -> JsonObject:
    """What the attempt's record keeps of an answer."""
    summary: JsonObject = {"status": answer.status_code, "headers": dict(answer.headers), "body": noted(body)}
    if answer.remote_id:
        summary["executionId"] = answer.remote_id
    if answer.link:
        summary["link"] = answer.link
    return summary


def _can_look(context: NodeContext, call: RemoteCall, capabilities: frozenset[str]) -> bool:
    """Whether the end of what was started can be looked for."""
    if "poll" not in capabilities:
        return False
    if call.provider != "custom" or call.completion == "poll":
        return True
    # In case a callback is lost, a plain address can be asked only if the node says where, and how to judge it.
    return bool(context.node.config.get("statusUrl") and context.node.config.get("doneCondition"))


def _condition(context: NodeContext, call: RemoteCall, key: str) -> str:
    """How looks at a plain address are judged. A node that was one before may still have conditions."""
    return str(context.node.config.get(key) or "") if call.status_url else ""


async def rendered_inputs(context: NodeContext) -> JsonObject:
    """The object that the inputs of a node make."""
    inputs = setting(context.node, "inputs")
    return placed_inputs(
        {
            name: await context.renderer.value(str(template), context.scope)
            for name, template in (inputs.items() if isinstance(inputs, dict) else ())
        }
    )


def with_own_callback(context: NodeContext, wait: WaitRecord) -> Scope:
    """What the node's templates see when it is called back itself: its own address under every name."""
    node, scope = context.node, context.scope
    own: JsonObject = {"callbackUrl": context.callback_url(wait.token), "correlationToken": wait.token}
    names = {node.id} if node.label in context.graph.nodes else {node.id, node.label}
    nodes = scope.nodes | {name: scope.nodes.get(name, {}) | own for name in names}
    return replace(scope, run=scope.run | own, nodes=nodes)


async def check_success(context: NodeContext, output: JsonValue) -> None:
    """Hold an output against the node's success condition.

    Raises:
        NodeFailed: It is not met.
    """
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


def failed(failure: Failure) -> NodeFailed:
    """The error that becomes this very failure again."""
    return NodeFailed(failure.message, code=failure.code, hint=failure.hint, context=failure.detail)


def _remote_failure(seen: RemoteAnswer | RemoteLook) -> NodeFailed:
    status = seen.status_code if isinstance(seen, RemoteAnswer) else None
    facts: JsonObject = {"link": seen.link, "executionId": seen.remote_id, "remoteStatus": status}
    detail: JsonObject = {key: value for key, value in facts.items() if value}
    return failed(remote_failure(seen.state, seen.message, detail))


def _jitter() -> float:
    return uniform(-JITTER, JITTER)  # noqa: S311 - spreads looks, hides nothing
