"""How a transaction begins on a connection that may have been lost meanwhile, and how it is undone."""

from collections.abc import Callable

from orchestrator_app.storage.sql import Connection, DatabaseError


def begun(kept: Connection | None, words: str, open_another: Callable[[], Connection]) -> Connection:
    """The connection in a new transaction; another one when it was lost since it was used last."""
    if kept is not None:
        try:
            kept.command(words)
        except DatabaseError as error:
            kept.close()
            if not error.is_lost:
                raise
        else:
            return kept
    opened = open_another()
    try:
        opened.command(words)
    except DatabaseError:
        opened.close()
        raise
    return opened


def is_undone(connection: Connection) -> bool:
    """Undo what was begun; False when the connection is of no more use."""
    try:
        if _is_in_transaction(connection):
            connection.command("ROLLBACK")
    except DatabaseError:
        return False
    return True


def _is_in_transaction(connection: Connection) -> bool:
    # SQLite ends a transaction by itself when the disk is full; to undo it again would be an error of its own.
    return bool(getattr(connection.driver, "in_transaction", True))
