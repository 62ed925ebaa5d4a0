"""Every error that Orchestrator raises on purpose.

    OrchestratorError            code, http_status, a sentence for a person, a hint, retryable
    ├─ UserError                 the caller can fix it
    │  ├─ NotFound 404
    │  ├─ Conflict 409
    │  │  ├─ OutdatedVersion 412 somebody saved in between
    │  │  └─ OutcomeUndecided    a call may have had its effect, and a person has to decide first
    │  ├─ NotSignedIn 401
    │  ├─ NotAllowed 403
    │  ├─ FeatureDisabled 404    the whole feature is switched off by its setting
    │  ├─ BadRequest 400         the request itself cannot be read
    │  │  ├─ TooLarge 413
    │  │  └─ UnsupportedMedia 415
    │  └─ InvalidInput 422       understood, but not acceptable
    │     └─ InvalidDefinition   carries every problem of the graph with its place
    ├─ Unavailable 503           the service cannot take work now: storage trouble, shutting down
    ├─ ExpressionError           a template or expression did not work; carries the place
    ├─ ProviderError 502         provider, operation, remote status
    │  ├─ ProviderUnavailable    timeout, connection, 5xx: retryable
    │  ├─ ProviderBusy           429, carries retry_after_seconds: retryable
    │  ├─ ProviderRefused        4xx: our request is wrong
    │  ├─ CredentialRefused      401/403 from the provider: the user must reconnect
    │  ├─ UnreadableAnswer       the answer is not what the provider documents
    │  ├─ AddressNotAllowed      the network guard refuses the address
    │  ├─ OutcomeUnknown         the request left, no answer came: it may have had its effect
    │  └─ NotSupported           the provider has no such capability; raised before any call
    ├─ RunError
    │  ├─ NodeFailed             a node ended in failure: code and cause
    │  └─ LeaseLost              another worker owns the run: stop, write nothing more
    └─ CredentialUnreadable      no key opens it

ConfigurationError stands outside the tree on purpose: no handler may swallow it; it stops the start.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class ConfigurationError(Exception):
    """The settings, the key file or the data folder do not allow a start. One sentence per problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class OrchestratorError(Exception):
    """Base of everything raised on purpose.

    Attributes:
        code: Stable machine-readable name; each has a heading in ``docs/errors.md``.
        http_status: Status of the REST answer.
        message: A sentence for a person: what happened.
        hint: What to do about it, or empty.
        retryable: Whether trying again later may help.
        context: Further facts for logs and journals, never secrets.
    """

    code: ClassVar[str] = "internal_error"
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "", context: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.context = dict(context or {})


class UserError(OrchestratorError):
    """The caller can fix it."""

    code = "user_error"
    http_status = 400


class NotFound(UserError):
    """Nothing by that id in this workspace (also when it exists in another one)."""

    code = "not_found"
    http_status = 404


class Conflict(UserError):
    """The request collides with the present state."""

    code = "conflict"
    http_status = 409


class OutdatedVersion(Conflict):
    """Somebody else saved since the caller read."""

    code = "outdated_version"
    http_status = 412


class OutcomeUndecided(Conflict):
    """A call may or may not have had its effect; somebody has to decide about it first."""

    code = "outcome_undecided"


class NotSignedIn(UserError):
    """Nobody is signed in."""

    code = "not_signed_in"
    http_status = 401


class NotAllowed(UserError):
    """Signed in, but not permitted."""

    code = "not_allowed"
    http_status = 403


class FeatureDisabled(UserError):
    """ORCHESTRATOR_ENABLED is false."""

    code = "feature_disabled"
    http_status = 404


class BadRequest(UserError):
    """The request cannot be read at all, for instance broken JSON."""

    code = "bad_request"


class TooLarge(BadRequest):
    """More bytes, depth or elements than allowed."""

    code = "too_large"
    http_status = 413


class UnsupportedMedia(BadRequest):
    """The content type is not the one this address takes."""

    code = "unsupported_media_type"
    http_status = 415


class InvalidInput(UserError):
    """Readable, but not acceptable. ``errors`` has one entry per field: field, message."""

    code = "invalid_input"
    http_status = 422

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        errors: Sequence[Mapping[str, Any]] = (),
        context: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, context=context)
        self.errors = [dict(e) for e in errors]


class InvalidDefinition(InvalidInput):
    """The graph has problems; ``errors`` carries all of them (see ``domain.definition.Problem``)."""

    code = "invalid_definition"


class Unavailable(OrchestratorError):
    """No work can be taken now."""

    code = "unavailable"
    http_status = 503
    retryable = True


class ExpressionError(OrchestratorError):
    """A template, path or expression could not be read or gave no value."""

    code = "expression_error"
    http_status = 422


class ProviderError(OrchestratorError):
    """A platform outside did not do what was asked."""

    code = "provider_error"
    http_status = 502

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        provider: str = "",
        operation: str = "",
        remote_status: int | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, context=context)
        self.provider = provider
        self.operation = operation
        self.remote_status = remote_status


class ProviderUnavailable(ProviderError):
    """No connection, or the provider answered that it is down; nothing was done there."""

    code = "provider_unavailable"
    retryable = True


class NotSentInTime(ProviderUnavailable):
    """The call did not leave before its time was over; nothing was sent."""


class ProviderBusy(ProviderError):
    """The provider limits the rate (429)."""

    code = "provider_busy"
    retryable = True

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        provider: str = "",
        operation: str = "",
        remote_status: int | None = None,
        retry_after_seconds: float | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            message,
            hint=hint,
            provider=provider,
            operation=operation,
            remote_status=remote_status,
            context=context,
        )
        self.retry_after_seconds = retry_after_seconds


class ProviderRefused(ProviderError):
    """The provider says that the request is wrong (4xx)."""

    code = "provider_refused"


class CredentialRefused(ProviderError):
    """The provider does not accept the key, or (``lacks_permission``) accepts it for other things than this."""

    code = "credential_refused"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        provider: str = "",
        operation: str = "",
        remote_status: int | None = None,
        lacks_permission: bool = False,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            message,
            hint=hint,
            provider=provider,
            operation=operation,
            remote_status=remote_status,
            context=context,
        )
        self.lacks_permission = lacks_permission


class UnreadableAnswer(ProviderError):
    """The answer is not what the provider documents: HTML, broken JSON, too large."""

    code = "unreadable_answer"


class AddressNotAllowed(ProviderError):
    """The network guard refuses this address."""

    code = "address_not_allowed"
    http_status = 422


class OutcomeUnknown(ProviderError):
    """The request left, and no answer came: it may or may not have had its effect."""

    code = "outcome_unknown"


class NotSupported(ProviderError):
    """The provider cannot do this; raised before any call."""

    code = "not_supported"
    http_status = 422


class RunError(OrchestratorError):
    """Something about a run."""

    code = "run_error"


class NodeFailed(RunError):
    """A node ended in failure for a reason of its own (timeout, condition, wrong data)."""

    code = "node_failed"

    def __init__(
        self,
        message: str,
        *,
        code: str = "node_failed",
        hint: str = "",
        context: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, context=context)
        self.reason = code


class LeaseLost(RunError):
    """Another worker owns the run, or it was cancelled: stop and write nothing more."""

    code = "lease_lost"


class CredentialUnreadable(OrchestratorError):
    """No key opens the stored credential."""

    code = "credential_unreadable"
    http_status = 409
