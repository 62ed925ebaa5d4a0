"""Signed messages as the specification Standard Webhooks describes them: HMAC-SHA256 over id, time and body."""

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass

SECRET_PREFIX = "whsec_"  # noqa: S105 - how secrets begin, not a secret
TOLERANCE_SECONDS = 300
MAX_ID_LENGTH = 255
# Who rotates a secret signs with both for a while; more than a few are no rotation.
MAX_SIGNATURES = 10
_SECRET_BYTES = 32
_VERSION = "v1,"
_MOST_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Message:
    """What arrived: the headers ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature``, and the body as sent."""

    id: str
    timestamp: str
    signatures: str
    body: bytes


UNSIGNED = Message("", "", "", b"")


def new_signing_secret() -> str:
    """A fresh secret with 256 random bits."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """One entry of the header ``webhook-signature``.

    Raises:
        ValueError: It is no such secret.
    """
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("A signing secret is whsec_ and base64.") from error
    content = f"{message_id}.{timestamp}.".encode() + body
    return _VERSION + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def is_signed(secret: str, message: Message, now_seconds: float) -> bool:
    """Whether the message was signed with the secret, and lately."""
    timestamp = message.timestamp
    if not message.id or len(message.id) > MAX_ID_LENGTH or not message.id.isascii():
        return False
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _MOST_DIGITS):
        return False
    if abs(now_seconds - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    expected = signature(secret, message.id, timestamp, message.body).encode()
    # All are compared, so that the time tells nothing.
    found = [
        hmac.compare_digest(expected, given.encode("utf-8", "surrogatepass"))
        for given in message.signatures.split(" ")[:MAX_SIGNATURES]
    ]
    return any(found)
