"""Runs migrations: inside the program on the connection it hands over, by hand on the database of the settings."""

from alembic import context
from sqlalchemy import Connection

from orchestrator_app.config import load_settings
from orchestrator_app.storage.database import database_url
from orchestrator_app.storage.models import Table
from orchestrator_app.storage.schema_upgrade import migration_engine


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Table.metadata,
        # SQLite can undo schema changes too, and alters a table by making it anew.
        transactional_ddl=True,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _run_by_hand() -> None:
    settings = load_settings()
    engine = migration_engine(database_url(settings.database_url, settings.data_dir))
    with engine.connect() as connection:
        _run(connection)


_given: Connection | None = context.config.attributes.get("connection")
if _given is not None:
    _run(_given)
else:
    _run_by_hand()
