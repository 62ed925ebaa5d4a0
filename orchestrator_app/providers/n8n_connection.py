"""A connection to n8n: the fields of its form, and the two addresses that it names."""

from orchestrator_app.providers.connection import Connection, CredentialField

CREDENTIAL_FIELDS = (
    CredentialField(
        "baseUrl",
        "Address of n8n",
        help="As you open it in the browser.",
        is_origin=True,
        placeholder="https://n8n.example.com",
    ),
    CredentialField(
        "apiKey",
        "API key",
        help="Made in n8n under Settings, n8n API. Needs the permissions to list and read workflows and "
        "executions, and to stop executions.",
        is_secret=True,
    ),
    CredentialField(
        "webhookBaseUrl",
        "Address of webhooks",
        help="Only if webhooks are reached at another address (n8n's WEBHOOK_URL).",
        is_origin=True,
        required=False,
    ),
    CredentialField(
        "webhookHeaderName",
        "Webhook header",
        help="Only for webhooks with header authentication: the header's name.",
        required=False,
    ),
    CredentialField(
        "webhookHeaderValue",
        "Webhook header value",
        help="And its value.",
        is_secret=True,
        required=False,
    ),
    CredentialField(
        "webhookUser", "Webhook user", help="Only for webhooks with basic authentication.", required=False
    ),
    CredentialField(
        "webhookPassword", "Webhook password", help="And its password.", is_secret=True, required=False
    ),
)


def base_url(connection: Connection) -> str:
    """Address of n8n, without what is often pasted along with it."""
    address = connection.values.get("baseUrl", "").strip().rstrip("/")
    return address.removesuffix("/api/v1").rstrip("/")


def webhook_base_url(connection: Connection) -> str:
    """Address at which n8n's webhooks are reached."""
    return connection.values.get("webhookBaseUrl", "").strip().rstrip("/") or base_url(connection)
