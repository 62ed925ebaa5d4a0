"""How the calls of a run are named outside, and how one whose end is not known is found again."""

import re
import zlib
from dataclasses import replace
from functools import lru_cache
from typing import Any

import uuid_utils

from orchestrator_app.domain.definition import Node
from orchestrator_app.domain.looks import Watch
from orchestrator_app.domain.node_kinds import LOCAL_FLOW, REMOTE_WEBHOOK, completion_of, provider_of, setting
from orchestrator_app.domain.remote import OpenCall, RemoteCall

_MOST_SLUG = 60


def correlation_id(run_id: str, node_id: str) -> str:
    """Names run and node in one header-safe word."""
    return f"{run_id}.{_slug(node_id)}"


@lru_cache(maxsize=1024)
def _slug(node_id: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9_-]", "-", node_id)[:_MOST_SLUG]
    return slug if slug == node_id else f"{slug}-{zlib.crc32(node_id.encode()):08x}"


@lru_cache(maxsize=1024)
def idempotency_key(run_id: str, node_id: str) -> str:
    """The same for all attempts of a node in a run."""
    return str(uuid_utils.uuid5(uuid_utils.UUID(run_id), node_id))


def traceparent(run_id: str, node_id: str) -> str:
    """W3C trace context: the run is the trace, the node the span."""
    trace, span = run_id.replace("-", ""), idempotency_key(run_id, node_id).replace("-", "")[:16]
    return f"00-{trace}-{span}-01"


def workflow_of(node: Node) -> str:
    """Id of the workflow on its platform that a node calls, or empty."""
    return str(setting(node, "flowId" if node.kind == LOCAL_FLOW.name else "workflowId") or "")


def recalled(run_id: str, node: Node, *, callback_token: str, started_at: int) -> RemoteCall:
    """A node's call as far as it can be told without its answer."""
    timeout = setting(node, "timeout")
    return RemoteCall(
        provider=provider_of(node),
        connection_id=str(node.config.get("connectionId") or ""),
        workflow_id=workflow_of(node),
        timeout_seconds=(timeout if isinstance(timeout, int) else 0) / 1000,
        completion=completion_of(node),
        correlation_id=correlation_id(run_id, node.id),
        idempotency_key=idempotency_key(run_id, node.id),
        callback_token=callback_token,
        is_idempotent=True,
        started_at=started_at,
    )


def open_call(
    run_id: str, node: Node, memo: dict[str, Any], *, callback_token: str, started_at: int
) -> OpenCall | None:
    """The call of a node that is under way or waits for its end; None when the node makes no calls.

    Args:
        run_id: The run.
        node: The node.
        memo: What the node left when it began to wait; empty when its call is under way.
        callback_token: The token that was handed out with the call, or empty.
        started_at: When the call began; UTC epoch milliseconds.
    """
    if node.kind not in {REMOTE_WEBHOOK.name, LOCAL_FLOW.name}:
        return None
    if memo:
        watch = Watch.from_json(memo, callback_token=callback_token)
        return OpenCall(node.id, watch.call, watch.memo)
    call = recalled(run_id, node, callback_token=callback_token, started_at=started_at)
    return OpenCall(node.id, replace(call, url=_address_of(node)))


def _address_of(node: Node) -> str:
    """The address that a node calls, where it is the same for every run; it may hold secrets, so it is kept nowhere."""
    address = setting(node, "baseURL" if node.kind == LOCAL_FLOW.name else "url")
    return address.strip() if isinstance(address, str) and "{{" not in address else ""
