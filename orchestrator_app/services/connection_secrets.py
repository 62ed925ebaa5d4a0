"""The values of connections as they are stored: what is secret sealed, and bound to its row."""

from collections.abc import Mapping

from orchestrator_app.errors import CredentialUnreadable
from orchestrator_app.providers.base import Provider
from orchestrator_app.security.vault import Vault
from orchestrator_app.services.credentials import secret_keys
from orchestrator_app.storage.connections import ConnectionRow
from orchestrator_app.storage.payloads import dumps, loads


class ConnectionSecrets:
    """Seals the values of connections, and opens them."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def seal(
        self, provider: Provider, values: Mapping[str, str], workspace_id: str, connection_id: str
    ) -> tuple[str, str]:
        """What is plain as JSON text, and what is secret as sealed text."""
        keys = secret_keys(provider)
        plain = {key: value for key, value in values.items() if key not in keys}
        secret = {key: value for key, value in values.items() if key in keys}
        sealed = self._vault.seal(dumps(dict(secret)), row=_vault_row(workspace_id, connection_id))
        return dumps(dict(plain)), sealed

    def values(self, row: ConnectionRow) -> dict[str, str]:
        """All values of a connection.

        Raises:
            CredentialUnreadable: No key opens its secrets.
        """
        opened = self._vault.open_sealed(row.secrets, row=_vault_row(row.workspace_id, row.id))
        plain: dict[str, str] = loads(row.settings)
        secret: dict[str, str] = loads(opened)
        return plain | secret

    def readable_values(self, row: ConnectionRow) -> dict[str, str]:
        """The values; of a row that no key opens those that are no secrets, so that the others can be entered anew."""
        try:
            return self.values(row)
        except CredentialUnreadable:
            plain: dict[str, str] = loads(row.settings)
            return plain


def _vault_row(workspace_id: str, connection_id: str) -> str:
    return f"provider_connection|secrets|{connection_id}|{workspace_id}"
