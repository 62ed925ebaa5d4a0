"""Random secrets and ids: callback tokens, their hashes, comparison in constant time, ids that sort by age."""

import hashlib
import hmac
import secrets

import uuid_utils

CALLBACK_PREFIX = "cb_"
_TOKEN_BYTES = 32


def new_callback_token() -> str:
    """A fresh callback token with 256 random bits. Only its hash is stored."""
    return CALLBACK_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)


def token_hash(token: str) -> str:
    """What is stored of a token. No slow hash is needed: 256 random bits cannot be guessed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def same(first: str | None, second: str | None) -> bool:
    """Whether both are the same secret, in constant time. Nothing is never the same, not even as nothing."""
    if not first or not second:
        return False
    return hmac.compare_digest(
        first.encode("utf-8", "surrogatepass"), second.encode("utf-8", "surrogatepass")
    )


def new_id() -> str:
    """A new id (UUID version 7): ids made later sort later."""
    return str(uuid_utils.uuid7())
