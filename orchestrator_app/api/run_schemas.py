"""The shapes of runs: their history, one run with all its nodes, and how it fares while it is followed."""

from dataclasses import fields
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import Field

from orchestrator_app.api.schemas import Definition, Filter, Input, Json, Output, PageFilter, Time, TimeFilter
from orchestrator_app.domain.runs import NodeState, RunState
from orchestrator_app.services import views

MAX_WAIT_SECONDS = 60


class RunHistoryFilter(PageFilter):
    """Which runs of one orchestrator."""

    status: list[str] = Field(
        [], description="Only runs in these states; several, or one text with commas.", examples=[["FAILED"]]
    )
    from_: TimeFilter | None = Field(
        None, alias="from", description="Only runs created at this time or later."
    )
    to: TimeFilter | None = Field(None, description="Only runs created before this time.")

    @property
    def states(self) -> list[str]:
        """The states asked for."""
        return [part.strip().upper() for text in self.status for part in text.split(",") if part.strip()]


class RunFilter(RunHistoryFilter):
    """Which runs."""

    orchestrator_id: str = Field("", description="Only runs of this orchestrator, also of a deleted one.")


class WaitFilter(Filter):
    """How long to wait for the end."""

    wait: float = Field(
        0,
        ge=0,
        le=MAX_WAIT_SECONDS,
        allow_inf_nan=False,
        description="Seconds to wait for the run's end; in time, the answer is 200 with everything about the run.",
    )


WaitQuery = Annotated[WaitFilter, Query()]


class Rerun(Input):
    """How to run again."""

    input: Json = Field(None, description="Other input; absent or null: the same as before.")
    definition: Literal["same", "newest"] = Field(
        "newest", description="Which version runs: that of the earlier run, or the newest."
    )


class Failure(Output):
    """Why something failed."""

    code: str
    message: str
    hint: str = ""
    detail: dict[str, Any] = {}


class Run(Output):
    """A row of the history."""

    id: str
    workspace_id: str
    orchestrator_id: str
    orchestrator_name: str
    version: int = Field(description="The version of the orchestrator that runs.")
    status: RunState = Field(validation_alias="state")
    trigger: str = Field(description="Who started it: ui or api.")
    seq: int = Field(description="Counts the run's changes.")
    created_date: Time
    started_date: Time | None
    ended_date: Time | None
    wake_at: Time | None = Field(description="When a waiting run looks again by itself.")
    parent_run_id: str | None = Field(description="The run that this one repeats.")
    failure: Failure | None


class RunPage(Output):
    """One page of the history, newest first."""

    items: list[Run]
    next_cursor: str | None = Field(description="Leads to the next page; null at the end.")


class Attempt(Output):
    """One call of a node."""

    number: int
    request: dict[str, Any] = Field(description="Summary of what was sent, without secrets.")
    response: dict[str, Any] | None
    status_code: int | None
    failure: Failure | None
    next_try_at: Time | None
    started_date: Time
    ended_date: Time | None


class NodeRun(Output):
    """A node of a run. It has a callback address only while its callback is awaited."""

    node_id: str
    label: str
    node_type: str = Field(validation_alias="kind")
    status: NodeState = Field(validation_alias="state")
    attempt: int
    input: Json
    output: Json
    handles: list[str] = Field(description="The outputs that were taken.")
    failure: Failure | None
    wait_reason: Literal["callback", "poll", "retry"] | None
    wake_at: Time | None
    started_date: Time | None
    ended_date: Time | None
    attempts: list[Attempt]
    callback_url: str = Field(description="The whole address, token included; else empty.")
    needs_decision: bool = Field(
        description="Whether the run has failed because nobody knows what became of this node's call."
    )


class LogLine(Output):
    """A line of a run's log."""

    at: Time
    level: str
    message: str
    node_id: str
    node_label: str


class RunDetail(Run):
    """A run with everything known about it; nodes are in the order in which they come."""

    input: Json
    output: Json
    definition: Definition
    nodes: list[NodeRun]
    edges: dict[str, Literal["open", "taken", "not_taken"]]
    logs: list[LogLine]

    @classmethod
    def of(cls, view: views.RunDetail) -> "RunDetail":
        """The run as its view shows it."""
        values = {field.name: getattr(view, field.name) for field in fields(view)}
        summary = values.pop("summary")
        return cls.model_validate(
            values | {field.name: getattr(summary, field.name) for field in fields(summary)}
        )


class NodeStatus(Output):
    """How a node fares."""

    node_id: str
    status: NodeState = Field(validation_alias="state")
    attempt: int
    started_date: Time | None
    ended_date: Time | None
    wait_reason: Literal["callback", "poll", "retry"] | None
    message: str


class RunLive(Output):
    """How a run fares: what each event of its stream carries. Nodes that have not begun are left out."""

    run: Run = Field(validation_alias="summary")
    nodes: list[NodeStatus] = Field(validation_alias="statuses")
    edges: dict[str, Literal["open", "taken", "not_taken"]]


class CallbackAnswer(Output):
    """What became of a callback."""

    status: Literal["accepted", "duplicate"]
