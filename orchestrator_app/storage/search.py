"""What people type into a search field, as patterns for SQL's LIKE."""

# Belongs after every LIKE; the texts compared must be in lower case.
ESCAPE = "ESCAPE '!'"


def containing(typed: str) -> str:
    """The pattern of texts that contain what was typed."""
    return f"%{_literally(typed)}%"


def beginning_with(typed: str) -> str:
    """The pattern of texts that begin with what was typed."""
    return f"{_literally(typed)}%"


def _literally(typed: str) -> str:
    escaped = typed.strip().lower().replace("\0", "")
    for special in "!%_":
        escaped = escaped.replace(special, f"!{special}")
    return escaped
