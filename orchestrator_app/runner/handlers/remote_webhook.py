"""RemoteWebhook: calls a workflow outside and finds out when it is done: by answer, polling or callback."""

from orchestrator_app.domain.json_values import JsonValue
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


def with_callback(body: JsonValue, template: str, url: str, token: str) -> JsonValue:
    """The body with callback address and token, unless it is no object or the template places them itself.

    They win over what the data has under these names: that was handed out by another node for another callback.
    """
    if not isinstance(body, dict) or "callbackUrl" in template or "correlationToken" in template:
        return body
    return body | {"callbackUrl": url, "correlationToken": token}


class RemoteWebhookHandler(RemoteHandler):
    """A call that the user describes in full: address, method, headers and body."""

    async def call(self, context: NodeContext, completion: str) -> RemoteCall:
        """Render address, headers and body."""
        node, renderer = context.node, context.renderer
        if completion == "callback":
            wait = await context.open_wait()
            context.scope = with_own_callback(context, wait)
        else:
            wait = context.awaited_callback()
        scope = context.scope
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
        elif node.config.get("inputs"):
            body = await rendered_inputs(context)
        elif method != "GET":
            body = context.input
        url = context.callback_url(wait.token) if wait else ""
        if wait is not None:
            body = with_callback(body, f"{template} {node.config.get('inputs')}", url, wait.token)
        address = node.config.get("url")
        return RemoteCall(
            provider=provider_of(node),
            connection_id=str(node.config.get("connectionId") or ""),
            workflow_id=workflow_of(node),
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
            leave_by=leave_by(),
        )
