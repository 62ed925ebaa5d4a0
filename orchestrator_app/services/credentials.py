"""What may stand in the form of a connection, and which of it is secret."""

from collections.abc import Mapping

from orchestrator_app.errors import InvalidInput
from orchestrator_app.providers.base import Provider
from orchestrator_app.providers.calls import origin_of

MIN_SECRET_LENGTH = 8
MAX_VALUE_LENGTH = 10_000


def secret_keys(provider: Provider) -> frozenset[str]:
    """The fields that hold secrets."""
    return frozenset(field.key for field in provider.credential_fields if field.is_secret)


def checked_values(provider: Provider, credentials: Mapping[str, str]) -> dict[str, str]:
    """The fields that are filled in, without surrounding spaces.

    Raises:
        InvalidInput: With every field that is missing, unknown or not acceptable.
    """
    fields = {field.key: field for field in provider.credential_fields}
    errors = [
        {"field": key, "message": f"{provider.title} has no field “{key[:60]}”."}
        for key in credentials
        if key not in fields
    ]
    values: dict[str, str] = {}
    for key, field in fields.items():
        value = credentials.get(key, "").strip()
        if not value and field.required:
            errors.append({"field": key, "message": f"{field.label} is missing."})
        elif len(value) > MAX_VALUE_LENGTH:
            errors.append(
                {"field": key, "message": f"{field.label} is longer than {MAX_VALUE_LENGTH} characters."}
            )
        elif value and field.is_secret and len(value) < MIN_SECRET_LENGTH:
            errors.append(
                {"field": key, "message": f"{field.label} must have at least {MIN_SECRET_LENGTH} characters."}
            )
        elif value and field.is_origin and not origin_of(value):
            message = f"{field.label} must be a complete address that starts with http:// or https://."
            errors.append({"field": key, "message": message})
        if value:
            values[key] = value
    if errors:
        raise InvalidInput(errors[0]["message"], errors=errors)
    return values
