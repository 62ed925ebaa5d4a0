"""Rules of looking for a call whose answer never came: what follows from a look at what its correlation id finds."""

from dataclasses import replace

from orchestrator_app.domain.looks import GROWTH, Search, Seen, Watch, after_look, look_after
from orchestrator_app.domain.remote import RemoteLook
from orchestrator_app.domain.runs import Failure
from orchestrator_app.errors import OrchestratorError, ProviderBusy

# A platform lists an execution soon after it has begun, or never; that makes about five looks.
SEARCH_MS = 30_000
SEARCH_INTERVAL_MS = 3_000


def after_search(watch: Watch, search: Search, look: RemoteLook, now: int, jitter: float) -> Seen:
    """What follows from a look that worked, while the execution has not been found.

    Args:
        watch: What was known before.
        search: The search in it.
        look: What it saw.
        now: UTC epoch milliseconds.
        jitter: Drawn at random from -JITTER to JITTER.
    """
    provider = watch.call.provider
    if _is_found(search, look):
        seen = after_look(replace(watch, search=None), look, now, jitter)
        where = " ".join(part for part in (look.remote_id, look.link) if part)
        what = f"execution {where}" if where else "its execution"
        says = f"The call that got no answer was found on {provider}: {what} ({look.state})."
        return replace(seen, says=f"{says} {look.message}".rstrip(), is_news=True)
    why = f"It was looked for on {provider} and not found. {look.message}".rstrip()
    next_watch = replace(watch, memo=look.memo, link=look.link or watch.link)
    return _not_yet(next_watch, search, why, now, jitter)


def after_missed_search(
    watch: Watch, search: Search, error: OrchestratorError, now: int, jitter: float
) -> Seen:
    """What follows from a look that could not be made, while the execution has not been found.

    Args:
        watch: What was known before.
        search: The search in it.
        error: Why it could not be made.
        now: UTC epoch milliseconds.
        jitter: Drawn at random from -JITTER to JITTER.
    """
    why = f"It could not be looked for on {watch.call.provider}: {error.message}"
    pause = error.retry_after_seconds if isinstance(error, ProviderBusy) else None
    return _not_yet(
        watch, search, why, now, jitter, pause_ms=int((pause or 0) * 1000), is_over=not error.retryable
    )


def _is_found(search: Search, look: RemoteLook) -> bool:
    """Whether it is certainly the execution of this very call."""
    if look.state == "unknown" or not look.is_certain:
        return False
    # Attempts share their correlation id. One that has failed may be an earlier one, of which that was known.
    is_bad_end = look.state in {"failed", "cancelled"}
    return search.is_first or not is_bad_end


def _not_yet(
    watch: Watch,
    search: Search,
    why: str,
    now: int,
    jitter: float,
    *,
    pause_ms: int = 0,
    is_over: bool = False,
) -> Seen:
    next_watch = replace(watch, looks=watch.looks + 1, interval_ms=int(watch.interval_ms * GROWTH))
    if is_over or now >= search.until:
        lost = search.failure
        detail = lost.detail | ({"link": watch.link} if watch.link else {})
        failure = Failure(lost.code, f"{lost.message} {why}", lost.hint, detail)
        return Seen(replace(next_watch, failure=failure), None, is_news=True)
    look_at = max(look_after(now, watch.interval_ms, jitter), now + pause_ms)
    return Seen(next_watch, min(look_at, search.until))
