"""What callers are told when the database does not do what it was asked for."""

from orchestrator_app.errors import InvalidInput, Unavailable
from orchestrator_app.storage.sql import DatabaseError, Unfit, Violation, WrongStatement

# The work was wrong, not the database.
_WRONG_WORK = (Unfit, Violation, WrongStatement)


def is_trouble(error: BaseException | None) -> bool:
    """Whether it is the database that cannot, and not the work that is wrong."""
    return isinstance(error, DatabaseError) and (error.is_lost or not isinstance(error, _WRONG_WORK))


def translated(error: DatabaseError) -> Exception:
    """The error for the caller; a mistake of the program itself stays as it is."""
    if isinstance(error, Unfit):
        return InvalidInput(
            "The database cannot hold this: a text is too long or contains a character that is none.",
            hint="Shorten it, or remove control characters.",
            context={"reason": str(error)},
        )
    if not is_trouble(error):
        return error
    return Unavailable(
        "The database cannot be used right now.",
        hint="Check its disk space, its permissions and whether it is running; then try again.",
        context={"reason": str(error)},
    )


def closed() -> Unavailable:
    """The error for work that comes too late."""
    return Unavailable("Orchestrator is shutting down.", hint="Try again in a moment.")
