"""LocalFlow: asks a Flowise flow (or one of the simulated provider) and takes its answer."""

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.node_kinds import is_idempotent, provider_of, setting
from orchestrator_app.domain.open_calls import workflow_of
from orchestrator_app.domain.remote import RemoteCall
from orchestrator_app.runner.handlers.remote_work import (
    RemoteHandler,
    leave_by,
    rendered_inputs,
    with_own_callback,
)
from orchestrator_app.runner.node_context import NodeContext

_INPUT_AS_TEXT = "{{ $string(data) }}"


class LocalFlowHandler(RemoteHandler):
    """A question to a flow, with what else the flow asks for."""

    async def call(self, context: NodeContext, completion: str) -> RemoteCall:
        """Render the question and the inputs."""
        node = context.node
        wait = await context.open_wait() if completion == "callback" else None
        if wait is not None:
            context.scope = with_own_callback(context, wait)
        base_url = str(node.config.get("baseURL") or "")
        return RemoteCall(
            provider=provider_of(node),
            connection_id=str(node.config.get("connectionId") or ""),
            workflow_id=workflow_of(node),
            url=await context.renderer.text(base_url, context.scope) if base_url else "",
            body=await _body(context),
            timeout_seconds=context.milliseconds("timeout") / 1000,
            completion=completion,
            correlation_id=context.correlation_id,
            idempotency_key=context.idempotency_key,
            traceparent=context.traceparent,
            callback_url=context.callback_url(wait.token) if wait else "",
            callback_token=wait.token if wait else "",
            is_idempotent=is_idempotent(node),
            started_at=context.clock.now(),
            leave_by=leave_by(),
        )


async def _body(context: NodeContext) -> JsonObject:
    body = await rendered_inputs(context)
    question = str(context.node.config.get("question") or "") or ("" if body else _INPUT_AS_TEXT)
    if question:
        body["question"] = await context.renderer.text(question, context.scope)
    if setting(context.node, "streaming") is True:
        body["streaming"] = True
    return body
