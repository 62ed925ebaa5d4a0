"""Connections to a platform: the fields of their form, the opened values an adapter gets, and what a test says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

CheckStatus = Literal["connected", "refused", "unreachable", "untested"]
MODE_FIELD = "mode"


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a field: what is stored, and what is shown."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class CredentialField:
    """One field of a connection's form.

    Attributes:
        key: Name in the request.
        label: Name on screen.
        help: A sentence below it: what it is, and where to find it.
        is_secret: Write-only; sealed before it is stored.
        is_origin: An address to which the secrets are bound; changing it requires them again.
        required: Must be filled in (where ``modes`` says that the field exists).
        placeholder: Shown while empty.
        options: Makes it a choice; the first one is the default. With ``takes_others`` they are suggestions only.
        is_discovered: Its options are found by a test of the connection (``ConnectionCheck.choices``).
        takes_others: A value that is none of the options is accepted too.
        modes: The field exists only if the field ``mode`` has one of these values; empty means always.
    """

    key: str
    label: str
    help: str = ""
    is_secret: bool = False
    is_origin: bool = False
    required: bool = True
    placeholder: str = ""
    options: tuple[Choice, ...] = ()
    is_discovered: bool = False
    takes_others: bool = False
    modes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Connection:
    """An opened connection: what an adapter gets. Never stored, logged or sent to a browser as it is.

    ``updated_date`` tells which version of the stored one it is; what is found out holds for that one only.
    """

    id: str
    provider: str
    name: str
    values: Mapping[str, str] = field(default_factory=dict[str, str])
    updated_date: int = 0


@dataclass(frozen=True, slots=True)
class ConnectionCheck:
    """Outcome of a connection test.

    Attributes:
        status: How the connection fares.
        detail: A sentence that says what works or what to change.
        choices: Options of the fields that are discovered, by the field's key; empty where nothing was found.
        facts: Further things worth showing, as label and text, for instance the permissions of the key.
    """

    status: CheckStatus
    detail: str
    choices: Mapping[str, tuple[Choice, ...]] = field(default_factory=dict[str, tuple[Choice, ...]])
    facts: tuple[tuple[str, str], ...] = ()
