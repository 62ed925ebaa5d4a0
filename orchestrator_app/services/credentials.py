"""What may stand in the form of a connection, which of it is secret, and what of it stays when it is changed."""

from collections.abc import Mapping

from orchestrator_app.errors import InvalidInput
from orchestrator_app.providers.base import Provider
from orchestrator_app.providers.calls import origin_of
from orchestrator_app.providers.connection import MODE_FIELD, CredentialField

MIN_SECRET_LENGTH = 8
MAX_VALUE_LENGTH = 10_000


def secret_keys(provider: Provider) -> frozenset[str]:
    """The fields that hold secrets."""
    return frozenset(field.key for field in provider.credential_fields if field.is_secret)


def fields_of_mode(provider: Provider, credentials: Mapping[str, str]) -> tuple[CredentialField, ...]:
    """The fields that exist in the mode that the form is in."""
    modes = next((field for field in provider.credential_fields if field.key == MODE_FIELD), None)
    mode = (credentials.get(MODE_FIELD, "").strip() or _default(modes)) if modes else ""
    return tuple(field for field in provider.credential_fields if not field.modes or mode in field.modes)


def checked_values(provider: Provider, credentials: Mapping[str, str]) -> dict[str, str]:
    """The fields that are filled in, without surrounding spaces; those of another mode are left out.

    Raises:
        InvalidInput: With every field that is missing, unknown or not acceptable.
    """
    known = {field.key for field in provider.credential_fields}
    errors = [
        {"field": key, "message": f"{provider.title} has no field “{key[:60]}”."}
        for key in credentials
        if key not in known
    ]
    values: dict[str, str] = {}
    for field in fields_of_mode(provider, credentials):
        value = credentials.get(field.key, "").strip() or _default(field)
        if problem := _problem(field, value):
            errors.append({"field": field.key, "message": problem})
        if value:
            values[field.key] = value
    named = {error["field"] for error in errors}
    errors += [
        {"field": key, "message": message}
        for key, message in provider.problems(values).items()
        if key not in named
    ]
    if errors:
        raise InvalidInput(errors[0]["message"], errors=errors)
    return values


def changed_values(
    provider: Provider, present: Mapping[str, str], credentials: Mapping[str, str | None]
) -> dict[str, str]:
    """The values after a change. What is not given stays, and so does a secret given empty; None takes it away.

    Raises:
        InvalidInput: A field is not acceptable, or an address changed to which the secrets are bound, and one of them
            was not entered again.
    """
    hidden = secret_keys(provider)
    given = {
        key: value or ""
        for key, value in credentials.items()
        if value is None or value.strip() or key not in hidden
    }
    changed = {**present, **given}
    fields = fields_of_mode(provider, changed)
    moved = [
        field.label
        for field in fields
        if field.is_origin
        and (address := given.get(field.key, "").strip())
        and _place(address) != _place(present.get(field.key, ""))
    ]
    kept = [
        field for field in fields if field.is_secret and present.get(field.key) and field.key not in given
    ]
    if moved and kept:
        message = f"{' and '.join(moved)} changed, so enter {kept[0].label} again."
        raise InvalidInput(
            message,
            hint="A key is only ever sent to the address it was entered for.",
            errors=[{"field": kept[0].key, "message": message}],
        )
    return checked_values(provider, changed)


def leads_elsewhere(provider: Provider, before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Whether an address was changed to that of another server."""
    return any(
        _place(before.get(field.key, "")) != _place(after.get(field.key, ""))
        for field in provider.credential_fields
        if field.is_origin
    )


def _default(field: CredentialField | None) -> str:
    """What counts as chosen while nothing is: the first option, unless the options are suggestions or not all."""
    if field is None or not field.options or field.takes_others or field.is_discovered:
        return ""
    return field.options[0].value


def _problem(field: CredentialField, value: str) -> str:
    """What is wrong with a field, as a sentence; empty when nothing is."""
    is_closed = field.options and not field.takes_others and not field.is_discovered
    if not value:
        return f"{field.label} is missing." if field.required else ""
    if len(value) > MAX_VALUE_LENGTH:
        return f"{field.label} is longer than {MAX_VALUE_LENGTH} characters."
    if field.is_secret and len(value) < MIN_SECRET_LENGTH:
        return f"{field.label} must have at least {MIN_SECRET_LENGTH} characters."
    if field.is_origin and not origin_of(value):
        return f"{field.label} must be a complete address that starts with http:// or https://."
    if is_closed and all(option.value != value for option in field.options):
        labels = ", ".join(option.label for option in field.options)
        return f"{field.label} must be one of: {labels}."
    return ""


def _place(address: str) -> str:
    """An address in one spelling, as far as it says where secrets go."""
    return origin_of(address) or address.strip()
