"""The callback of a node as texts, and how to call back from a shell."""

from typing import Any

from orchestrator_app.services.views import CallbackView

# What a shell needs to sign a body as Standard Webhooks describes it.
_SIGNED = """\
SECRET='whsec_…'  # the signing secret of this orchestrator
BODY='{{}}'
ID="msg_$(date +%s)_$$"
AT=$(date +%s)
KEY=$(printf %s "${{SECRET#whsec_}}" | base64 -d | od -An -vtx1 | tr -d ' \\n')
SIGNATURE=$(printf %s "$ID.$AT.$BODY" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$KEY" -binary | base64)
curl -X POST '{address}' -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' \\
  -H "webhook-id: $ID" -H "webhook-timestamp: $AT" -H "webhook-signature: v1,$SIGNATURE" -d "$BODY"
"""
_PLAIN = "curl -X POST '{address}' -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' -d '{{}}'"
NOTHING: dict[str, Any] = {
    "address": "",
    "token": "",
    "curl": "",
    "since": 0,
    "until": 0,
    "must_be_signed": False,
    "arrived": 0,
}


def callback_texts(callback: CallbackView | None) -> dict[str, Any]:
    """A callback as its part of the page shows it; empty texts and zeros stand for nothing."""
    if callback is None:
        return NOTHING
    address, _, token = callback.url.partition("?token=")
    command = _SIGNED if callback.must_be_signed else _PLAIN
    return {
        "address": address,
        "token": token,
        "curl": command.format(address=address, token=token) if address else "",
        "since": callback.since,
        "until": callback.until or 0,
        "must_be_signed": callback.must_be_signed,
        "arrived": callback.arrived_date or 0,
    }
