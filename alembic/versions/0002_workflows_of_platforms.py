"""What is known about the workflows on the platforms, and when their executions are looked at next."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LOOKED_AT = sa.text("look_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("node_run", sa.Column("look_at", sa.BigInteger))
    op.create_index(
        "ix_node_run_look", "node_run", ["look_at"], sqlite_where=LOOKED_AT, postgresql_where=LOOKED_AT
    )
    op.create_table(
        "workflow_cache",
        sa.Column("connection_id", sa.String(36), nullable=False),
        sa.Column("workflow_id", sa.String(255), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("name_folded", sa.Text, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("updated_at", sa.BigInteger),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("team", sa.Text, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("link", sa.Text, nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("seen", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("connection_id", "workflow_id", name="pk_workflow_cache"),
        _of_connection("workflow_cache"),
    )
    op.create_index(
        "ix_workflow_cache_name", "workflow_cache", ["connection_id", "name_folded", "workflow_id"]
    )
    op.create_index(
        "ix_workflow_cache_updated", "workflow_cache", ["connection_id", "updated_at", "workflow_id"]
    )
    op.create_table(
        "workflow_sync",
        sa.Column("connection_id", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("workflows", sa.Integer, nullable=False),
        sa.Column("started_date", sa.BigInteger),
        sa.Column("synced_date", sa.BigInteger),
        sa.Column("failed_date", sa.BigInteger),
        sa.Column("failure", sa.Text),
        sa.PrimaryKeyConstraint("connection_id", name="pk_workflow_sync"),
        _of_connection("workflow_sync"),
    )
    op.create_table(
        "workflow_snapshot",
        sa.Column("connection_id", sa.String(36), nullable=False),
        sa.Column("workflow_id", sa.String(255), nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("is_kept", sa.Boolean, nullable=False),
        sa.Column("preview", sa.Text, nullable=False),
        sa.Column("fetched_date", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("connection_id", "workflow_id", "content_hash", name="pk_workflow_snapshot"),
        _of_connection("workflow_snapshot"),
    )


def _of_connection(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["connection_id"],
        ["provider_connection.id"],
        name=f"fk_{table}_connection_id",
        ondelete="CASCADE",
    )


def downgrade() -> None:
    for table in ("workflow_snapshot", "workflow_sync", "workflow_cache"):
        op.drop_table(table)
    op.drop_index("ix_node_run_look", "node_run")
    op.drop_column("node_run", "look_at")
