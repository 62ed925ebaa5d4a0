import pytest

from orchestrator_app.storage.database import Database
from tests.storage.journal import SqlJournal


@pytest.fixture
def journal(database: Database) -> SqlJournal:
    """A journal of runs on a fresh database: the test runs on SQLite and on PostgreSQL."""
    return SqlJournal(database)
