"""LocalFlow: asks a Flowise flow (or one of the simulated provider) and takes its answer."""

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.node_kinds import is_idempotent, setting
from orchestrator_app.domain.remote import RemoteCall
from orchestrator_app.errors import NodeFailed
from orchestrator_app.runner.handlers.remote_webhook import response_summary
from orchestrator_app.runner.node_context import Done, NodeContext, Outcome
from orchestrator_app.runner.sizes import noted

BUILT_IN_CONNECTION = "simulated"


class LocalFlowHandler:
    """One call, answered when the flow is through."""

    async def work(self, context: NodeContext) -> Outcome:
        """Ask and take the answer."""
        node = context.node
        connection_id = str(node.config.get("connectionId") or "")
        question = str(node.config.get("question") or "{{ $string(data) }}")
        base_url = str(node.config.get("baseURL") or "")
        call = RemoteCall(
            provider="simulated" if connection_id == BUILT_IN_CONNECTION else "flowise",
            connection_id=connection_id,
            workflow_id=str(setting(node, "flowId")),
            url=await context.renderer.text(base_url, context.scope) if base_url else "",
            body={"question": await context.renderer.text(question, context.scope)},
            timeout_seconds=context.milliseconds("timeout") / 1000,
            correlation_id=context.correlation_id,
            idempotency_key=context.idempotency_key,
            traceparent=context.traceparent,
            is_idempotent=is_idempotent(node),
            started_at=context.clock.now(),
        )
        summary: JsonObject = {
            "method": call.method,
            "url": call.url,
            "flowId": call.workflow_id,
            "body": noted(call.body),
        }
        redacted = context.gateway.redact(context.run.workspace_id, call, summary)
        await context.begin_attempt(redacted if isinstance(redacted, dict) else {})
        answer = await context.gateway.execute(context.run.workspace_id, call)
        kept = context.gateway.redact(context.run.workspace_id, call, answer.output)
        context.note_answer(answer.status_code, response_summary(answer, kept))
        if answer.state in {"failed", "cancelled"}:
            raise NodeFailed(
                f"The flow failed: {answer.message}",
                code="remote_failed",
                hint="Look at the flow in Flowise.",
                context={"remoteStatus": answer.status_code},
            )
        return Done(answer.output)
