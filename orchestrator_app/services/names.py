"""What people may call the things they make."""

from orchestrator_app.errors import InvalidInput

MAX_NAME_LENGTH = 200


def checked_name(name: str) -> str:
    """The name without surrounding spaces.

    Raises:
        InvalidInput: It is empty or too long.
    """
    name = name.strip()
    if not name or len(name) > MAX_NAME_LENGTH:
        message = f"The name must have 1 to {MAX_NAME_LENGTH} characters."
        raise InvalidInput(message, errors=[{"field": "name", "message": message}])
    return name
