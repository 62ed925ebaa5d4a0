"""Refusals that only HTTP knows."""

from orchestrator_app.errors import UserError


class MethodNotAllowed(UserError):
    """The address exists, but not for this method."""

    code = "method_not_allowed"
    http_status = 405


class PreconditionRequired(UserError):
    """A change must say on which version it is based."""

    code = "precondition_required"
    http_status = 428
