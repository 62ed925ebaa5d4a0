"""The first tables, and the one workspace that owns everything until accounts exist."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

OPEN_STATES = sa.text("state IN ('PENDING', 'RUNNING', 'WAITING')")


def upgrade() -> None:
    op.create_table(
        "setting",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_setting"),
    )
    workspace = op.create_table(
        "workspace",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("created_date", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workspace"),
    )
    op.bulk_insert(workspace, [{"id": "default", "name": "Default", "created_date": int(time.time() * 1000)}])
    _create_orchestrators()
    _create_runs()
    _create_parts_of_runs()
    op.create_table(
        "provider_connection",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("workspace_id", sa.String(36), nullable=False),
        sa.Column("provider", sa.String(20), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("secrets", sa.Text, nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("status_detail", sa.Text, nullable=False),
        sa.Column("checked_date", sa.BigInteger),
        sa.Column("created_date", sa.BigInteger, nullable=False),
        sa.Column("updated_date", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_provider_connection"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_provider_connection_workspace_id"
        ),
        sa.UniqueConstraint("workspace_id", "provider", "name", name="uq_connection_name"),
    )
    _create_drafts()


def _create_drafts() -> None:
    op.create_table(
        "editor_draft",
        sa.Column("tab", sa.String(64), nullable=False),
        sa.Column("orchestrator_id", sa.String(36), nullable=False),
        sa.Column("workspace_id", sa.String(36), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("updated_date", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("tab", "orchestrator_id", name="pk_editor_draft"),
        sa.ForeignKeyConstraint(
            ["orchestrator_id"], ["orchestrator.id"], name="fk_editor_draft_orchestrator_id"
        ),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name="fk_editor_draft_workspace_id"),
    )
    op.create_index("ix_editor_draft_age", "editor_draft", ["updated_date"])


def _create_orchestrators() -> None:
    op.create_table(
        "orchestrator",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("workspace_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("version_id", sa.String(36), nullable=False),
        sa.Column("node_count", sa.Integer, nullable=False),
        sa.Column("created_date", sa.BigInteger, nullable=False),
        sa.Column("updated_date", sa.BigInteger, nullable=False),
        sa.Column("deleted_date", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_orchestrator"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name="fk_orchestrator_workspace_id"),
    )
    op.create_index("ix_orchestrator_list", "orchestrator", ["workspace_id", "updated_date", "id"])
    op.create_table(
        "orchestrator_version",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("orchestrator_id", sa.String(36), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("created_date", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_orchestrator_version"),
        sa.ForeignKeyConstraint(
            ["orchestrator_id"], ["orchestrator.id"], name="fk_orchestrator_version_orchestrator_id"
        ),
        sa.UniqueConstraint("orchestrator_id", "version", name="uq_orchestrator_version"),
    )


def _create_runs() -> None:
    op.create_table(
        "orchestrator_run",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("workspace_id", sa.String(36), nullable=False),
        sa.Column("orchestrator_id", sa.String(36), nullable=False),
        sa.Column("orchestrator_name", sa.String(200), nullable=False),
        sa.Column("version_id", sa.String(36), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("trigger", sa.String(20), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("wake", sa.Integer, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("wake_at", sa.BigInteger),
        sa.Column("idempotency_key", sa.String(255)),
        sa.Column("input_digest", sa.String(64), nullable=False),
        sa.Column("parent_run_id", sa.String(36)),
        sa.Column("input", sa.Text),
        sa.Column("output", sa.Text),
        sa.Column("failure", sa.Text),
        sa.Column("created_date", sa.BigInteger, nullable=False),
        sa.Column("started_date", sa.BigInteger),
        sa.Column("ended_date", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_orchestrator_run"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name="fk_orchestrator_run_workspace_id"),
        sa.ForeignKeyConstraint(
            ["orchestrator_id"], ["orchestrator.id"], name="fk_orchestrator_run_orchestrator_id"
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["orchestrator_version.id"], name="fk_orchestrator_run_version_id"
        ),
        sa.UniqueConstraint("orchestrator_id", "idempotency_key", name="uq_run_idempotency"),
    )
    op.create_index("ix_run_list", "orchestrator_run", ["workspace_id", "id", "created_date"])
    op.create_index("ix_run_of_orchestrator", "orchestrator_run", ["orchestrator_id", "id"])
    op.create_index("ix_run_state", "orchestrator_run", ["workspace_id", "state", "id"])
    op.create_index(
        "ix_run_open",
        "orchestrator_run",
        ["state", "wake_at"],
        sqlite_where=OPEN_STATES,
        postgresql_where=OPEN_STATES,
    )


def _create_parts_of_runs() -> None:
    _create_part(
        "node_run",
        ("run_id", "node_id", "iteration"),
        sa.Column("node_id", sa.String(200), nullable=False),
        sa.Column("iteration", sa.Integer, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("input", sa.Text),
        sa.Column("output", sa.Text),
        sa.Column("handles", sa.Text),
        sa.Column("failure", sa.Text),
        sa.Column("wait_reason", sa.String(10)),
        sa.Column("wake_at", sa.BigInteger),
        sa.Column("memo", sa.Text),
        sa.Column("started_date", sa.BigInteger),
        sa.Column("ended_date", sa.BigInteger),
    )
    _create_part(
        "attempt",
        ("run_id", "node_id", "iteration", "number"),
        sa.Column("node_id", sa.String(200), nullable=False),
        sa.Column("iteration", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("response", sa.Text),
        sa.Column("status_code", sa.Integer),
        sa.Column("failure", sa.Text),
        sa.Column("next_try_at", sa.BigInteger),
        sa.Column("started_date", sa.BigInteger, nullable=False),
        sa.Column("ended_date", sa.BigInteger),
    )
    _create_part(
        "run_log",
        ("run_id", "seq", "number"),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("node_id", sa.String(200), nullable=False),
        sa.Column("level", sa.String(8), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    _create_part(
        "payload",
        ("run_id", "digest"),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    _create_part(
        "callback_wait",
        ("id",),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("node_id", sa.String(200), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("token_sealed", sa.Text, nullable=False),
        sa.Column("body", sa.Text),
        sa.Column("created_date", sa.BigInteger, nullable=False),
        sa.Column("received_date", sa.BigInteger),
        sa.Column("closed_date", sa.BigInteger),
        sa.UniqueConstraint("token_hash", name="uq_callback_wait_token_hash"),
    )
    op.create_index("ix_callback_wait_run", "callback_wait", ["run_id"])


def _create_part(table: str, key: tuple[str, ...], *columns: sa.Column[object] | sa.Constraint) -> None:
    """A table whose rows go when their run goes."""
    op.create_table(
        table,
        sa.Column("run_id", sa.String(36), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint(*key, name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["run_id"], ["orchestrator_run.id"], ondelete="CASCADE", name=f"fk_{table}_run_id"
        ),
    )


def downgrade() -> None:
    for table in (
        "editor_draft",
        "provider_connection",
        "callback_wait",
        "payload",
        "run_log",
        "attempt",
        "node_run",
        "orchestrator_run",
        "orchestrator_version",
        "orchestrator",
        "workspace",
        "setting",
    ):
        op.drop_table(table)
