"""Credentials at rest: sealed with AES-256-GCM, each bound to its own row, so that none can be moved or altered."""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from orchestrator_app.errors import ConfigurationError, CredentialUnreadable

_VERSION = "v1"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_PARTS = 4
_LEAST_DIFFERENT_BYTES = 12  # 32 random bytes have about 30 different ones; an example such as zeros has few
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SETTING = "ORCHESTRATOR_ENCRYPTION_KEY"
_HOW_TO_MAKE = (
    'make one with: python -c "import base64, os; print(base64.b64encode(os.urandom(32)).decode())"'
)
_HINT = "Enter the credential again."


class Vault:
    """Seals and opens texts with one key.

    A sealed text is ``v1.<key id>.<nonce>.<ciphertext>``. The row it belongs to is authenticated with it: a text that
    is copied to another row, column or workspace cannot be opened there.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._cipher = AESGCM(key)
        self._key_id = hmac.digest(key, b"orchestrator key id", hashlib.sha256).hex()[:8]

    @classmethod
    def open(cls, key_b64: str | None, key_file: Path) -> Self:
        """The vault with the given key, else that of the file, which is made if it does not exist.

        Raises:
            ConfigurationError: The key is wrong, or the file is open to others.
        """
        if key_b64:
            return cls(_decode(key_b64, _SETTING))
        try:
            content = _create(key_file) or _read(key_file)
        except OSError as error:
            raise ConfigurationError(
                [
                    f"The key file {key_file} cannot be used: {error.strerror}. Check its folder, or set {_SETTING}."
                ]
            ) from error
        return cls(_decode(content, f"The key file {key_file}"))

    def seal(self, text: str, *, row: str) -> str:
        """The sealed text. ``row`` is ``table|column|row id|workspace id`` of where it will be stored."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, text.encode("utf-8", "surrogatepass"), _bound_to(row))
        return f"{_VERSION}.{self._key_id}.{_to_text(nonce)}.{_to_text(sealed)}"

    def open_sealed(self, sealed: str, *, row: str) -> str:
        """The text again.

        Raises:
            CredentialUnreadable: Sealed with another key, for another row, or changed since.
        """
        parts = sealed.split(".")
        if len(parts) != _PARTS or parts[0] != _VERSION:
            raise CredentialUnreadable("A stored credential is damaged.", hint=_HINT)
        if parts[1] != self._key_id:
            raise CredentialUnreadable(
                "A stored credential was encrypted with another key.",
                hint=f"Start with the key of that time ({_SETTING} or the key file), or enter the credential again.",
            )
        try:
            nonce, content = _from_text(parts[2]), _from_text(parts[3])
            return self._cipher.decrypt(nonce, content, _bound_to(row)).decode("utf-8", "surrogatepass")
        except (InvalidTag, ValueError) as error:
            raise CredentialUnreadable(
                "A stored credential was changed, or belongs to another place.", hint=_HINT
            ) from error

    def key_check(self) -> str:
        """A value that only this key gives. Stored in the database, it tells a wrong key at the start."""
        return hmac.digest(self._key, b"orchestrator key check", hashlib.sha256).hex()

    def __repr__(self) -> str:
        return f"Vault(key id {self._key_id})"


def _bound_to(row: str) -> bytes:
    return f"{_VERSION}|{row}".encode()


def _create(key_file: Path) -> str:
    """Make the file with a new key and return its content; an empty text if it exists already."""
    key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return ""
    content = base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(content + "\n")
        file.flush()
        # Credentials sealed with a key that a power cut then takes away would be lost.
        os.fsync(file.fileno())
    return content


def _read(key_file: Path) -> str:
    with key_file.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & _OTHERS:
            raise ConfigurationError(
                [f"The key file {key_file} can be read or changed by other users. Run: chmod 600 {key_file}"]
            )
        content = file.read(1024)
    return content.decode("ascii", errors="replace")


def _decode(text: str, source: str) -> bytes:
    """The key as bytes; the sentence about a wrong one never repeats it."""
    compact = text.strip().replace("-", "+").replace("_", "/").rstrip("=")
    try:
        key = base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError(
            [f"{source} does not hold base64 text. Restore the key, or {_HOW_TO_MAKE}"]
        ) from error
    if len(key) != _KEY_BYTES:
        raise ConfigurationError(
            [f"{source} holds {len(key)} bytes instead of {_KEY_BYTES}. Restore the key, or {_HOW_TO_MAKE}"]
        )
    if len(set(key)) < _LEAST_DIFFERENT_BYTES:
        raise ConfigurationError(
            [f"{source} holds an example, not a secret. Restore the key, or {_HOW_TO_MAKE}"]
        )
    return key


def _to_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _from_text(text: str) -> bytes:
    data = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    if _to_text(data) != text:  # the last character has bits that base64 ignores
        raise ValueError("not the one way to write these bytes")
    return data
