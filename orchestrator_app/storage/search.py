"""What people type into a search field, as patterns for SQL's LIKE."""

# Belongs after every LIKE; the texts compared must be in lower case.
ESCAPE = "ESCAPE '!'"


def containing(text: str) -> str:
    """The pattern of texts that contain what was typed."""
    return f"%{_literally(text)}%"


def beginning_with(text: str) -> str:
    """The pattern of texts that begin with what was typed."""
    return f"{_literally(text)}%"


def typed(text: str) -> str:
    """What was typed as it is compared."""
    return text.strip().lower().replace("\0", "")


def _literally(text: str) -> str:
    escaped = typed(text)
    for special in "!%_":
        escaped = escaped.replace(special, f"!{special}")
    return escaped
