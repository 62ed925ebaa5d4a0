"""Rules of polling: what a waiting node knows of its execution outside, and what follows from a look at it."""

from dataclasses import dataclass, replace
from typing import Any

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.remote import RemoteCall, RemoteLook
from orchestrator_app.domain.runs import Failure, LogLevel
from orchestrator_app.errors import OrchestratorError, ProviderBusy, UnreadableAnswer

# Jitter keeps many runs that were started together from asking together for ever.
JITTER = 0.1
GROWTH = 1.25
MOST_INTERVAL_MS = 30_000
# A callback is what is waited for; looks only make sure that a lost one does not hold up the run for long.
FALLBACK_INTERVAL_MS = 30_000
MOST_FALLBACK_INTERVAL_MS = 300_000
# Looks that fail because the platform cannot be reached do not count; this long an outage ends the node. One that
# answers that it is busy can be reached.
MAX_OUTAGE_MS = 15 * 60_000
# A platform may need a moment before it knows of an execution; after so many looks in a row it never will.
MAX_UNKNOWN_LOOKS = 3


@dataclass(frozen=True, slots=True)
class Search:
    """While it is not even known whether the execution exists: its call got no answer.

    Attributes:
        failure: Why the outcome of the call is not known.
        until: When to give up; UTC epoch milliseconds.
        is_first: Whether no earlier attempt carried the same correlation id.
        interval_ms: Pause between looks from then on, when the execution was found.
    """

    failure: Failure
    until: int
    is_first: bool
    interval_ms: int = FALLBACK_INTERVAL_MS


@dataclass(frozen=True, slots=True)
class Watch:
    """What a waiting node remembers of its execution outside; it is on disk as the node's memo.

    Attributes:
        call: The call that started it, reduced.
        memo: The provider's own.
        interval_ms: Pause before the next look.
        most_interval_ms: Up to which it grows.
        deadline: When waiting is over, without the time of outages; UTC epoch milliseconds.
        done_condition: JSONata over what a look at a plain address brought: whether it is the end.
        failed_condition: The same for a bad end.
        looks: How many looks there were.
        unknown: How many in a row found nothing.
        outage_since: When the looks began to fail, if the last one did.
        is_busy: Whether the platform wanted to be asked less often when it was asked last.
        remote_id: Execution id on the platform, or empty.
        link: Address of the execution in the platform's own UI, or empty.
        says: What the last look said.
        result: The end as a look saw it.
        failure: Why there is nothing more to look at.
        search: There until the execution is found, when the answer of its call never came.
    """

    call: RemoteCall
    memo: JsonObject
    interval_ms: int
    most_interval_ms: int
    deadline: int
    done_condition: str = ""
    failed_condition: str = ""
    looks: int = 0
    unknown: int = 0
    outage_since: int | None = None
    is_busy: bool = False
    remote_id: str = ""
    link: str = ""
    says: str = ""
    result: RemoteLook | None = None
    failure: Failure | None = None
    search: Search | None = None

    @property
    def is_fallback(self) -> bool:
        """Whether a callback is waited for, and looks are only made in case it is lost."""
        return self.call.completion == "callback"

    @property
    def is_over(self) -> bool:
        """Whether a look has seen the end."""
        return self.result is not None or self.failure is not None

    def first_look(self, now: int, jitter: float) -> int:
        """When to look for the first time, or anew."""
        return min(look_after(now, self.interval_ms, jitter), max(now, self.deadline))

    def as_json(self) -> JsonObject:
        """The memo of the node."""
        kept: JsonObject = {
            "call": self.call.reduced(url=self.call.url),
            "memo": self.memo,
            "intervalMs": self.interval_ms,
            "mostIntervalMs": self.most_interval_ms,
            "deadline": self.deadline,
            "doneCondition": self.done_condition,
            "failedCondition": self.failed_condition,
            "looks": self.looks,
            "unknown": self.unknown,
            "outageSince": self.outage_since,
            "isBusy": self.is_busy,
            "remoteId": self.remote_id,
            "link": self.link,
            "says": self.says,
        }
        if self.result is not None:
            kept["result"] = {
                "output": self.result.output,
                "message": self.result.message,
                "isCertain": self.result.is_certain,
            }
        if self.failure is not None:
            kept["failure"] = self.failure.as_json()
        if self.search is not None:
            kept["search"] = {
                "failure": self.search.failure.as_json(),
                "until": self.search.until,
                "isFirst": self.search.is_first,
                "intervalMs": self.search.interval_ms,
            }
        return kept

    @classmethod
    def from_json(cls, kept: dict[str, Any], *, callback_token: str = "") -> "Watch":
        """Read back what ``as_json`` made; the token is no part of it."""
        result, failure, search = kept.get("result"), kept.get("failure"), kept.get("search")
        return cls(
            call=RemoteCall.from_reduced(kept["call"], callback_token=callback_token),
            memo=kept["memo"],
            interval_ms=kept["intervalMs"],
            most_interval_ms=kept["mostIntervalMs"],
            deadline=kept["deadline"],
            done_condition=kept["doneCondition"],
            failed_condition=kept["failedCondition"],
            looks=kept["looks"],
            unknown=kept["unknown"],
            outage_since=kept["outageSince"],
            is_busy=kept.get("isBusy", False),
            remote_id=kept["remoteId"],
            link=kept["link"],
            says=kept["says"],
            result=None
            if result is None
            else RemoteLook(
                "completed",
                result["output"],
                remote_id=kept["remoteId"],
                link=kept["link"],
                message=result["message"],
                is_certain=result["isCertain"],
            ),
            failure=None if failure is None else Failure.from_json(failure),
            search=None
            if search is None
            else Search(
                Failure.from_json(search["failure"]),
                search["until"],
                search["isFirst"],
                search.get("intervalMs", FALLBACK_INTERVAL_MS),
            ),
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """What follows from a look.

    Attributes:
        watch: What the node remembers from now on.
        look_at: When to look again; None when there is nothing more to look at.
        says: A line for the run's log, or empty.
        level: Of that line.
        is_news: Whether open pages should learn of it.
    """

    watch: Watch
    look_at: int | None
    says: str = ""
    level: LogLevel = "info"
    is_news: bool = False


def after_look(watch: Watch, look: RemoteLook, now: int, jitter: float) -> Seen:
    """What follows from a look that worked.

    Args:
        watch: What was known before.
        look: What it saw.
        now: UTC epoch milliseconds.
        jitter: Drawn at random from -JITTER to JITTER.
    """
    next_watch = replace(
        watch,
        memo=look.memo,
        deadline=watch.deadline + outage_until(watch, now),
        looks=watch.looks + 1,
        unknown=watch.unknown + 1 if look.state == "unknown" else 0,
        outage_since=None,
        is_busy=False,
        remote_id=look.remote_id or watch.remote_id,
        link=look.link or watch.link,
        says=look.message,
    )
    if look.state == "completed":
        return Seen(replace(next_watch, result=look), None, is_news=True)
    failure = _end_without_result(next_watch, look, now)
    if failure is not None:
        return Seen(replace(next_watch, failure=failure), None, is_news=True)
    if watch.is_fallback and now >= next_watch.deadline:
        return Seen(next_watch, None)
    look_at = min(look_after(now, watch.interval_ms, jitter), next_watch.deadline)
    is_news = look.message != watch.says
    return Seen(
        replace(next_watch, interval_ms=_grown(watch)),
        look_at,
        says=look.message if is_news else "",
        is_news=is_news,
    )


def _end_without_result(watch: Watch, look: RemoteLook, now: int) -> Failure | None:
    """Why the node ends without a result, if it does."""
    detail = _where(watch)
    if look.state in {"failed", "cancelled"}:
        return remote_failure(look.state, look.message, detail)
    if watch.is_fallback:
        return None
    if watch.unknown >= MAX_UNKNOWN_LOOKS:
        return Failure(
            "outcome_unknown",
            look.message or "The platform cannot tell how the workflow fared.",
            "Look at the workflow on its platform before you run this again.",
            detail,
        )
    if now >= watch.deadline:
        return _timed_out(watch, look.message or "The remote workflow is still running.")
    return None


def _timed_out(watch: Watch, what: str) -> Failure:
    times = "one look" if watch.looks == 1 else f"{watch.looks} looks"
    return Failure(
        "poll_timeout",
        f"After {times} there was no result. {what}",
        "Allow a longer polling timeout, or look at the workflow on its platform.",
        _where(watch),
    )


def _where(watch: Watch) -> JsonObject:
    """Where a person finds the execution."""
    facts: JsonObject = {"executionId": watch.remote_id, "link": watch.link}
    return {key: value for key, value in facts.items() if value}


def after_miss(watch: Watch, error: OrchestratorError, failure: Failure, now: int, jitter: float) -> Seen:
    """What follows from a look that could not be made.

    Args:
        watch: What was known before.
        error: Why it could not be made.
        failure: The same for the journal.
        now: UTC epoch milliseconds.
        jitter: Drawn at random from -JITTER to JITTER.
    """
    if isinstance(error, ProviderBusy):
        return _after_busy(watch, error, now, jitter)
    since = watch.outage_since if watch.outage_since is not None else now
    if watch.is_fallback and not may_pass(error):
        says = f"It is not looked at any more, only the callback is awaited: {error.message}"
        return Seen(watch, None, says=says, level="warning", is_news=True)
    if not watch.is_fallback and (not may_pass(error) or now - since > MAX_OUTAGE_MS):
        return Seen(replace(watch, failure=failure), None, is_news=True)
    is_first = watch.outage_since is None
    look_at = look_after(now, watch.interval_ms, jitter)
    if watch.is_fallback:
        # Its outages do not count: when the wait for the callback is over, nothing more is to be seen.
        return Seen(watch, look_at if look_at < watch.deadline else None)
    says = f"Polling goes on although a look failed: {error.message}" if is_first else ""
    return Seen(replace(watch, outage_since=since), look_at, says=says, level="warning", is_news=is_first)


def _after_busy(watch: Watch, error: ProviderBusy, now: int, jitter: float) -> Seen:
    """The platform can be reached, and wants to be asked less often: the time of the node goes on."""
    next_watch = replace(
        watch,
        deadline=watch.deadline + outage_until(watch, now),
        interval_ms=_grown(watch),
        looks=watch.looks + 1,
        outage_since=None,
        is_busy=True,
    )
    usual = look_after(now, watch.interval_ms, jitter)
    pause_ends_at = now + wanted_pause_ms(error)
    if watch.is_fallback:
        look_at = max(usual, pause_ends_at)
        return Seen(next_watch, look_at if look_at < next_watch.deadline else None)
    if now >= next_watch.deadline:
        return Seen(replace(next_watch, failure=_timed_out(next_watch, error.message)), None, is_news=True)
    says = "" if watch.is_busy else f"Polling goes on, less often: {error.message}"
    look_at = max(min(usual, next_watch.deadline), pause_ends_at)
    return Seen(next_watch, look_at, says=says, level="warning", is_news=not watch.is_busy)


def wanted_pause_ms(error: OrchestratorError) -> int:
    """How long the platform wants to be left alone; 0 when it says nothing about that."""
    seconds = error.retry_after_seconds if isinstance(error, ProviderBusy) else None
    return int((seconds or 0) * 1000)


def outage_until(watch: Watch, now: int) -> int:
    """How long the outage has lasted that ends now; 0 when there is none."""
    # A clock that was set back meanwhile must not bring the deadline nearer.
    return max(0, now - watch.outage_since) if watch.outage_since is not None else 0


def _grown(watch: Watch) -> int:
    return min(int(watch.interval_ms * GROWTH), watch.most_interval_ms)


def may_pass(error: OrchestratorError) -> bool:
    """Whether a later look may see more. A web page instead of data is what many servers show while they are mended."""
    return error.retryable or isinstance(error, UnreadableAnswer)


def remote_failure(state: str, message: str, detail: JsonObject) -> Failure:
    """The failure of a node whose workflow failed or was cancelled on its platform."""
    verb = "was cancelled" if state == "cancelled" else "failed"
    return Failure(
        f"remote_{state}",
        f"The remote workflow {verb}: {message}" if message else f"The remote workflow {verb}.",
        "Look at the execution on its platform.",
        detail,
    )


def look_after(now: int, interval_ms: int, jitter: float) -> int:
    """When the pause that follows a look is over."""
    return now + int(interval_ms * (1 + jitter))
