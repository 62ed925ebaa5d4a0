"""Rules of looking for a call whose answer never came: what follows from a look at what its correlation id finds."""

from dataclasses import replace

from orchestrator_app.domain.looks import (
    GROWTH,
    MAX_OUTAGE_MS,
    MOST_INTERVAL_MS,
    Search,
    Seen,
    Watch,
    after_look,
    look_after,
    may_pass,
    outage_until,
    wanted_pause_ms,
)
from orchestrator_app.domain.remote import RemoteLook
from orchestrator_app.domain.runs import Failure
from orchestrator_app.errors import OrchestratorError

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
        found = replace(watch, search=None, interval_ms=search.interval_ms)
        seen = after_look(found, look, now, jitter)
        where = " ".join(part for part in (look.remote_id, look.link) if part)
        what = f"execution {where}" if where else "its execution"
        says = f"The call that got no answer was found on {provider}: {what} ({look.state})."
        return replace(seen, says=f"{says} {look.message}".rstrip(), is_news=True)
    search = replace(search, until=search.until + outage_until(watch, now))
    next_watch = replace(
        watch,
        memo=look.memo,
        looks=watch.looks + 1,
        interval_ms=int(watch.interval_ms * GROWTH),
        outage_since=None,
        link=look.link or watch.link,
        search=search,
    )
    if now >= search.until:
        why = f"It was looked for on {provider} and not found. {look.message}".rstrip()
        if watch.is_fallback and look.state == "unknown":
            # The platform cannot tell; if the call arrived, its workflow still calls back.
            lost = replace(search, failure=_failure(next_watch, search, why))
            says = f"{why} Its callback is still awaited."
            return Seen(replace(next_watch, search=lost), None, says=says, level="warning", is_news=True)
        return _given_up(next_watch, search, why)
    return Seen(next_watch, min(look_after(now, watch.interval_ms, jitter), search.until))


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
    provider = watch.call.provider
    since = watch.outage_since if watch.outage_since is not None else now
    if not may_pass(error) or now - since >= MAX_OUTAGE_MS:
        return _given_up(watch, search, f"It could not be looked for on {provider}: {error.message}")
    # What cut the call often keeps the platform away for longer than a search lasts: that time does not count.
    is_first = watch.outage_since is None
    interval_ms = min(int(watch.interval_ms * GROWTH), MOST_INTERVAL_MS)
    look_at = max(look_after(now, watch.interval_ms, jitter), now + wanted_pause_ms(error))
    says = f"The call cannot be looked for on {provider} yet: {error.message}" if is_first else ""
    next_watch = replace(watch, outage_since=since, interval_ms=interval_ms)
    look_at = min(look_at, since + MAX_OUTAGE_MS)
    return Seen(next_watch, look_at, says=says, level="warning", is_news=is_first)


def _is_found(search: Search, look: RemoteLook) -> bool:
    """Whether it is certainly the execution of this very call."""
    if look.state == "unknown" or not look.is_certain:
        return False
    # Attempts share their correlation id. One that has failed may be an earlier one, of which that was known.
    is_bad_end = look.state in {"failed", "cancelled"}
    return search.is_first or not is_bad_end


def _given_up(watch: Watch, search: Search, why: str) -> Seen:
    """The outcome stays unknown, and a person has to decide."""
    return Seen(replace(watch, failure=_failure(watch, search, why)), None, is_news=True)


def _failure(watch: Watch, search: Search, why: str) -> Failure:
    lost = search.failure
    detail = lost.detail | ({"link": watch.link} if watch.link else {})
    return Failure(lost.code, f"{lost.message} {why}", lost.hint, detail)
