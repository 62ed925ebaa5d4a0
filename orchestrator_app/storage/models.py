"""All tables. Times are UTC epoch milliseconds, ids UUIDv7 text, JSON is text; nothing here leaves storage."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

ID_LENGTH = 36
OPEN_STATES = "('PENDING', 'RUNNING', 'WAITING')"


class Table(SQLModel):
    """Base of all tables. Every constraint has a name, because SQLite's can only be changed later by name."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
        }
    )


def _time(name: str, *, nullable: bool = True) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _text(name: str, *, nullable: bool = True) -> Column[str]:
    return Column(name, Text, nullable=nullable)


class Setting(Table, table=True):
    """Facts about the installation itself, for instance the check value of the encryption key."""

    __tablename__ = "setting"  # pyright: ignore[reportAssignmentType]

    name: str = Field(primary_key=True, max_length=100)
    value: str = Field(sa_column=_text("value", nullable=False))


class Workspace(Table, table=True):
    """Owner of everything else; one row, ``default``, until accounts exist."""

    __tablename__ = "workspace"  # pyright: ignore[reportAssignmentType]

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    name: str = Field(max_length=200)
    created_date: int = Field(sa_column=_time("created_date", nullable=False))


class Orchestrator(Table, table=True):
    """An orchestrator; its graph is that of its newest version. Deleted ones stay for the history's sake."""

    __tablename__ = "orchestrator"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (Index("ix_orchestrator_list", "workspace_id", "updated_date", "id"),)

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    workspace_id: str = Field(foreign_key="workspace.id", max_length=ID_LENGTH)
    name: str = Field(max_length=200)
    description: str = Field(sa_column=_text("description", nullable=False))
    version: int
    version_id: str = Field(max_length=ID_LENGTH)
    node_count: int
    created_date: int = Field(sa_column=_time("created_date", nullable=False))
    updated_date: int = Field(sa_column=_time("updated_date", nullable=False))
    deleted_date: int | None = Field(default=None, sa_column=_time("deleted_date"))


class OrchestratorVersion(Table, table=True):
    """An immutable snapshot of a graph; runs point at the one they run."""

    __tablename__ = "orchestrator_version"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (UniqueConstraint("orchestrator_id", "version", name="uq_orchestrator_version"),)

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    orchestrator_id: str = Field(foreign_key="orchestrator.id", max_length=ID_LENGTH)
    version: int
    definition: str = Field(sa_column=_text("definition", nullable=False))
    created_date: int = Field(sa_column=_time("created_date", nullable=False))


class OrchestratorSetting(Table, table=True):
    """What is set for one orchestrator and counts for all its versions; ``signing_secret`` is sealed."""

    __tablename__ = "orchestrator_setting"  # pyright: ignore[reportAssignmentType]

    orchestrator_id: str = Field(primary_key=True, foreign_key="orchestrator.id", max_length=ID_LENGTH)
    workspace_id: str = Field(foreign_key="workspace.id", max_length=ID_LENGTH)
    concurrency: int | None = None
    deadline_ms: int | None = Field(default=None, sa_column=_time("deadline_ms"))
    signing_secret: str | None = Field(default=None, sa_column=_text("signing_secret"))
    updated_date: int = Field(sa_column=_time("updated_date", nullable=False))


class OrchestratorRun(Table, table=True):
    """A run: the checkpoint's head. ``epoch`` fences writers, ``wake`` counts events, ``seq`` counts changes."""

    __tablename__ = "orchestrator_run"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        UniqueConstraint("orchestrator_id", "idempotency_key", name="uq_run_idempotency"),
        Index("ix_run_list", "workspace_id", "id", "created_date"),
        Index("ix_run_of_orchestrator", "orchestrator_id", "id"),
        Index("ix_run_state", "workspace_id", "state", "id"),
        Index("ix_run_name", "workspace_id", "orchestrator_name", "id"),
        Index(
            "ix_run_open",
            "state",
            "wake_at",
            sqlite_where=text(f"state IN {OPEN_STATES}"),
            postgresql_where=text(f"state IN {OPEN_STATES}"),
        ),
        Index(
            "ix_run_queue",
            "orchestrator_id",
            "state",
            "id",
            sqlite_where=text(f"state IN {OPEN_STATES}"),
            postgresql_where=text(f"state IN {OPEN_STATES}"),
        ),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    workspace_id: str = Field(foreign_key="workspace.id", max_length=ID_LENGTH)
    orchestrator_id: str = Field(foreign_key="orchestrator.id", max_length=ID_LENGTH)
    orchestrator_name: str = Field(max_length=200)
    version_id: str = Field(foreign_key="orchestrator_version.id", max_length=ID_LENGTH)
    version: int
    state: str = Field(max_length=12)
    trigger: str = Field(max_length=20)
    epoch: int = 0
    wake: int = 0
    seq: int = 0
    owner: str = Field(default="", max_length=64)
    wake_at: int | None = Field(default=None, sa_column=_time("wake_at"))
    deadline_at: int | None = Field(default=None, sa_column=_time("deadline_at"))
    idempotency_key: str | None = Field(default=None, max_length=255)
    input_digest: str = Field(default="", max_length=64)
    parent_run_id: str | None = Field(default=None, max_length=ID_LENGTH)
    input: str | None = Field(default=None, sa_column=_text("input"))
    output: str | None = Field(default=None, sa_column=_text("output"))
    failure: str | None = Field(default=None, sa_column=_text("failure"))
    created_date: int = Field(sa_column=_time("created_date", nullable=False))
    started_date: int | None = Field(default=None, sa_column=_time("started_date"))
    ended_date: int | None = Field(default=None, sa_column=_time("ended_date"))


class NodeRun(Table, table=True):
    """One node of one run. Rows appear when a node starts, waits or ends; absent means PENDING.

    ``wake_at`` is when the run must go on with it; ``look_at`` is when the poller looks at its remote execution next.
    """

    __tablename__ = "node_run"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        ForeignKeyConstraint(["run_id"], ["orchestrator_run.id"], ondelete="CASCADE"),
        Index(
            "ix_node_run_look",
            "look_at",
            sqlite_where=text("look_at IS NOT NULL"),
            postgresql_where=text("look_at IS NOT NULL"),
        ),
    )

    run_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    node_id: str = Field(primary_key=True, max_length=200)
    iteration: int = Field(primary_key=True, default=0)
    state: str = Field(max_length=12)
    attempt: int = 0
    seq: int = 0
    input: str | None = Field(default=None, sa_column=_text("input"))
    output: str | None = Field(default=None, sa_column=_text("output"))
    handles: str | None = Field(default=None, sa_column=_text("handles"))
    failure: str | None = Field(default=None, sa_column=_text("failure"))
    wait_reason: str | None = Field(default=None, max_length=10)
    wake_at: int | None = Field(default=None, sa_column=_time("wake_at"))
    look_at: int | None = Field(default=None, sa_column=_time("look_at"))
    memo: str | None = Field(default=None, sa_column=_text("memo"))
    started_date: int | None = Field(default=None, sa_column=_time("started_date"))
    ended_date: int | None = Field(default=None, sa_column=_time("ended_date"))


class Attempt(Table, table=True):
    """One call of a node: written before it leaves, completed when its outcome is known."""

    __tablename__ = "attempt"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (ForeignKeyConstraint(["run_id"], ["orchestrator_run.id"], ondelete="CASCADE"),)

    run_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    node_id: str = Field(primary_key=True, max_length=200)
    iteration: int = Field(primary_key=True, default=0)
    number: int = Field(primary_key=True)
    request: str = Field(sa_column=_text("request", nullable=False))
    response: str | None = Field(default=None, sa_column=_text("response"))
    status_code: int | None = None
    failure: str | None = Field(default=None, sa_column=_text("failure"))
    next_try_at: int | None = Field(default=None, sa_column=_time("next_try_at"))
    started_date: int = Field(sa_column=_time("started_date", nullable=False))
    ended_date: int | None = Field(default=None, sa_column=_time("ended_date"))


class RunLog(Table, table=True):
    """A line of a run's log; ``number`` is its place within the run."""

    __tablename__ = "run_log"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (ForeignKeyConstraint(["run_id"], ["orchestrator_run.id"], ondelete="CASCADE"),)

    run_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    seq: int = Field(primary_key=True)
    number: int = Field(primary_key=True)
    node_id: str = Field(default="", max_length=200)
    level: str = Field(max_length=8)
    message: str = Field(sa_column=_text("message", nullable=False))
    at: int = Field(sa_column=_time("at", nullable=False))


class CallbackWait(Table, table=True):
    """A callback token: hashed to be checked, sealed to be handed out again after a restart; and what arrived."""

    __tablename__ = "callback_wait"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        ForeignKeyConstraint(["run_id"], ["orchestrator_run.id"], ondelete="CASCADE"),
        Index("ix_callback_wait_run", "run_id"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    run_id: str = Field(max_length=ID_LENGTH)
    node_id: str = Field(max_length=200)
    number: int
    token_hash: str = Field(unique=True, max_length=64)
    token_sealed: str = Field(sa_column=_text("token_sealed", nullable=False))
    body: str | None = Field(default=None, sa_column=_text("body"))
    created_date: int = Field(sa_column=_time("created_date", nullable=False))
    received_date: int | None = Field(default=None, sa_column=_time("received_date"))
    closed_date: int | None = Field(default=None, sa_column=_time("closed_date"))
    webhook_id: str | None = Field(default=None, max_length=255)


class Payload(Table, table=True):
    """A large JSON value, kept once per run and apart from the rows that lists read; named by its SHA-256."""

    __tablename__ = "payload"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (ForeignKeyConstraint(["run_id"], ["orchestrator_run.id"], ondelete="CASCADE"),)

    run_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    digest: str = Field(primary_key=True, max_length=64)
    content: str = Field(sa_column=_text("content", nullable=False))


class ProviderConnection(Table, table=True):
    """A stored connection. ``settings`` is plain JSON, ``secrets`` sealed JSON bound to this row."""

    __tablename__ = "provider_connection"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (UniqueConstraint("workspace_id", "provider", "name", name="uq_connection_name"),)

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    workspace_id: str = Field(foreign_key="workspace.id", max_length=ID_LENGTH)
    provider: str = Field(max_length=20)
    name: str = Field(max_length=200)
    settings: str = Field(sa_column=_text("settings", nullable=False))
    secrets: str = Field(sa_column=_text("secrets", nullable=False))
    status: str = Field(default="untested", max_length=12)
    status_detail: str = Field(default="", sa_column=_text("status_detail", nullable=False))
    checked_date: int | None = Field(default=None, sa_column=_time("checked_date"))
    created_date: int = Field(sa_column=_time("created_date", nullable=False))
    updated_date: int = Field(sa_column=_time("updated_date", nullable=False))


class EditorDraft(Table, table=True):
    """What one browser tab has drawn and not saved, so that neither a reload nor a restart loses it."""

    __tablename__ = "editor_draft"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (Index("ix_editor_draft_age", "updated_date"),)

    tab: str = Field(primary_key=True, max_length=64)
    orchestrator_id: str = Field(primary_key=True, foreign_key="orchestrator.id", max_length=ID_LENGTH)
    workspace_id: str = Field(foreign_key="workspace.id", max_length=ID_LENGTH)
    version: int
    definition: str = Field(sa_column=_text("definition", nullable=False))
    updated_date: int = Field(sa_column=_time("updated_date", nullable=False))


class WorkflowCache(Table, table=True):
    """A workflow on a platform, as it was listed last. ``seen`` numbers the sync that saw it."""

    __tablename__ = "workflow_cache"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        ForeignKeyConstraint(["connection_id"], ["provider_connection.id"], ondelete="CASCADE"),
        Index("ix_workflow_cache_name", "connection_id", "name_folded", "workflow_id"),
        Index("ix_workflow_cache_updated", "connection_id", "updated_at", "workflow_id"),
    )

    connection_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    workflow_id: str = Field(primary_key=True, max_length=255)
    name: str = Field(sa_column=_text("name", nullable=False))
    name_folded: str = Field(sa_column=_text("name_folded", nullable=False))
    is_active: bool
    updated_at: int | None = Field(default=None, sa_column=_time("updated_at"))
    tags: str = Field(sa_column=_text("tags", nullable=False))
    folder: str = Field(sa_column=_text("folder", nullable=False))
    team: str = Field(sa_column=_text("team", nullable=False))
    kind: str = Field(max_length=40)
    note: str = Field(sa_column=_text("note", nullable=False))
    link: str = Field(sa_column=_text("link", nullable=False))
    content_hash: str = Field(max_length=64)
    seen: int


class WorkflowSync(Table, table=True):
    """How the list of a connection's workflows was read last, and what went wrong with it."""

    __tablename__ = "workflow_sync"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        ForeignKeyConstraint(["connection_id"], ["provider_connection.id"], ondelete="CASCADE"),
    )

    connection_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    number: int = 0
    workflows: int = 0
    started_date: int | None = Field(default=None, sa_column=_time("started_date"))
    synced_date: int | None = Field(default=None, sa_column=_time("synced_date"))
    failed_date: int | None = Field(default=None, sa_column=_time("failed_date"))
    failure: str | None = Field(default=None, sa_column=_text("failure"))


class WorkflowSnapshot(Table, table=True):
    """The graph of a workflow at one content; kept while a node was made from it, or while it is the newest seen."""

    __tablename__ = "workflow_snapshot"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        ForeignKeyConstraint(["connection_id"], ["provider_connection.id"], ondelete="CASCADE"),
    )

    connection_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    workflow_id: str = Field(primary_key=True, max_length=255)
    content_hash: str = Field(primary_key=True, max_length=64)
    is_kept: bool
    preview: str = Field(sa_column=_text("preview", nullable=False))
    fetched_date: int = Field(sa_column=_time("fetched_date", nullable=False))
