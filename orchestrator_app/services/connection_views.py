"""Connections and platforms as screens and the API see them: without secrets, with what they can do and who uses them."""

from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator_app.domain.json_values import is_list, is_object
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.providers.connection import Connection, CredentialField
from orchestrator_app.services.credentials import secret_keys
from orchestrator_app.services.views import ConnectionView, ProviderView
from orchestrator_app.services.workflow_views import ConnectionUsage, SyncView
from orchestrator_app.storage.connections import ConnectionRow, GraphRow
from orchestrator_app.storage.payloads import loads
from orchestrator_app.storage.workflows import SyncRow


def provider_view(provider: Provider, connections: tuple[ConnectionView, ...]) -> ProviderView:
    """A platform with its connections."""
    return ProviderView(
        key=provider.key,
        title=provider.title,
        capabilities=_names(provider.capabilities),
        fields=tuple(_field(field) for field in provider.credential_fields),
        connections=connections,
        limits=_texts(provider.limits),
        refusals=_texts(provider.refusals),
    )


def connection_view(
    row: ConnectionRow,
    provider: Provider | None,
    values: Mapping[str, str] | None,
    sync: SyncRow | None,
    *,
    unreadable: str,
    is_syncing: bool,
) -> ConnectionView:
    """A connection without its secrets.

    Args:
        row: As it is stored.
        provider: Its platform, if this release knows it.
        values: Its values, or None when no key opens them; then ``unreadable`` says why.
        sync: How its workflows were read last.
        unreadable: A sentence, or empty.
        is_syncing: Whether they are being read now.
    """
    capabilities: frozenset[Capability] = frozenset()
    secrets_set: tuple[str, ...] = ()
    if provider is not None and values is not None:
        opened = Connection(row.id, row.provider, row.name, values)
        capabilities = provider.capabilities_of(opened)
        secrets_set = tuple(sorted(key for key in secret_keys(provider) if values.get(key)))
    return ConnectionView(
        id=row.id,
        provider=row.provider,
        name=row.name,
        settings=loads(row.settings),
        secrets_set=secrets_set,
        status="unreadable" if unreadable else row.status,
        status_detail=unreadable or row.status_detail,
        checked_date=row.checked_date,
        created_date=row.created_date,
        updated_date=row.updated_date,
        capabilities=_names(capabilities),
        sync=_sync(row.id, sync, is_syncing) if sync or Capability.LIST in capabilities else None,
    )


def usage_of(connection_id: str, graphs: Iterable[GraphRow]) -> tuple[ConnectionUsage, ...]:
    """Those of the graphs in which a node uses the connection, with the labels of these nodes."""
    return tuple(
        ConnectionUsage(graph.id, graph.name, labels)
        for graph in graphs
        if (labels := tuple(_labels(connection_id, loads(graph.definition))))
    )


def _labels(connection_id: str, definition: Any) -> Iterable[str]:
    nodes = definition.get("nodes") if is_object(definition) else None
    for node in nodes if is_list(nodes) else []:
        data = node.get("data") if is_object(node) else None
        config = data.get("config") if is_object(data) else None
        if is_object(data) and is_object(config) and config.get("connectionId") == connection_id:
            yield str(data.get("label") or "")


def _sync(connection_id: str, row: SyncRow | None, is_syncing: bool) -> SyncView:  # noqa: FBT001 - a plain value
    if row is None:
        return SyncView(connection_id, is_syncing=is_syncing)
    return SyncView(
        connection_id,
        workflows=row.workflows,
        is_syncing=is_syncing,
        synced_date=row.synced_date,
        failed_date=row.failed_date,
        failure=row.failure or "",
    )


def _field(field: CredentialField) -> dict[str, Any]:
    return {
        "key": field.key,
        "label": field.label,
        "help": field.help,
        "isSecret": field.is_secret,
        "isOrigin": field.is_origin,
        "required": field.required,
        "placeholder": field.placeholder,
        "options": [{"value": option.value, "label": option.label} for option in field.options],
        "isDiscovered": field.is_discovered,
        "takesOthers": field.takes_others,
        "modes": list(field.modes),
    }


def _names(capabilities: Iterable[Capability]) -> tuple[str, ...]:
    return tuple(sorted(capability.value for capability in capabilities))


def _texts(texts: Mapping[Capability, str]) -> dict[str, str]:
    return {capability.value: text for capability, text in texts.items()}
