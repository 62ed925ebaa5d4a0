"""Runs can be found by the name of their orchestrator without a look at each of them."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_run_name", "orchestrator_run", ["workspace_id", "orchestrator_name", "id"])


def downgrade() -> None:
    op.drop_index("ix_run_name", "orchestrator_run")
