"""What is set for single orchestrators: how many runs at once, how long a run may take, signed callbacks."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

OPEN = sa.text("state IN ('PENDING', 'RUNNING', 'WAITING')")


def upgrade() -> None:
    op.create_table(
        "orchestrator_setting",
        sa.Column("orchestrator_id", sa.String(36), nullable=False),
        sa.Column("workspace_id", sa.String(36), nullable=False),
        sa.Column("concurrency", sa.Integer),
        sa.Column("deadline_ms", sa.BigInteger),
        sa.Column("signing_secret", sa.Text),
        sa.Column("updated_date", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("orchestrator_id", name="pk_orchestrator_setting"),
        sa.ForeignKeyConstraint(
            ["orchestrator_id"], ["orchestrator.id"], name="fk_orchestrator_setting_orchestrator_id"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_orchestrator_setting_workspace_id"
        ),
    )
    op.add_column("orchestrator_run", sa.Column("deadline_at", sa.BigInteger))
    op.create_index(
        "ix_run_queue",
        "orchestrator_run",
        ["orchestrator_id", "state", "id"],
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.add_column("callback_wait", sa.Column("webhook_id", sa.String(255)))


def downgrade() -> None:
    op.drop_column("callback_wait", "webhook_id")
    op.drop_index("ix_run_queue", "orchestrator_run")
    op.drop_column("orchestrator_run", "deadline_at")
    op.drop_table("orchestrator_setting")
