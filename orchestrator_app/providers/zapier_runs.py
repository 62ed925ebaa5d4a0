"""Runs in the history of Zaps: which one a call started, and how it fares."""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.remote import RemoteCall, RemoteLook, RemoteState
from orchestrator_app.providers.answers import HttpAnswer
from orchestrator_app.providers.correlation import carries
from orchestrator_app.providers.json_reading import number_at, objects_at, text_at, time_at

HISTORY_LINK = "https://zapier.com/app/history"

_MARGIN_MS = 60_000
_NARROW_LOOKS = 3
_GOES_ON = {
    "scheduled": "Zapier has put the run on its schedule.",
    "pending": "The run is under way in Zapier.",
    "delayed": "The Zap waits in a Delay step.",
    "throttled": "Zapier starts the run later, for too many came at once.",
    "held": "Zapier holds the run back until somebody resumes it in the Zap history: the Zap is paused, one of its "
    "connections is broken, or the account has no tasks left.",
}
_ENDED_WELL = {
    "success": "",
    "filtered": "A filter of the Zap stopped the run on purpose.",
    "halted": "A step of the Zap stopped the run without an error, for instance because a search found nothing.",
    "skipped": "The Zap skipped the run on purpose.",
    "error_handled": "A step of the Zap failed, and its error handler took over.",
}
_NOT_LISTED = (
    "Zapier does not list a run of this call yet. Runs appear there with some delay; of a Zap that is switched off, "
    "none ever comes."
)
_REASONS = ("error", "error_message", "message", "detail", "title")


@dataclass(frozen=True, slots=True)
class Memo:
    """What polling remembers between two looks. Never the Catch Hook address.

    Attributes:
        since: When the run began at the earliest, in UTC epoch milliseconds by Zapier's clock.
        zap: Number of the Zap in the history; empty when there is none to be found, None while nobody looked.
        misses: Looks that found no run.
    """

    since: int | None = None
    zap: str | None = None
    misses: int = 0

    @classmethod
    def read(cls, raw: JsonObject, call: RemoteCall) -> "Memo":
        """What ``as_json`` made; an empty one for a call whose answer never came."""
        zap = raw.get("zap")
        return cls(
            since=int(number_at(raw, "since")) or _earliest(call),
            zap=zap if isinstance(zap, str) else None,
            misses=int(number_at(raw, "misses")),
        )

    @classmethod
    def of_call(cls, call: RemoteCall, answer: HttpAnswer, elapsed_seconds: float) -> "Memo":
        """The memo right after the call. The answer shows Zapier's clock, which may differ from ours."""
        try:
            shown = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
        except ValueError:
            return cls(since=_earliest(call))
        return cls(since=round((shown - elapsed_seconds) * 1000) - _MARGIN_MS)

    @property
    def narrow_zap(self) -> str:
        """The Zap to look in; after some misses all of them, for the address may be that of another Zap."""
        return (self.zap or "") if self.misses < _NARROW_LOOKS else ""

    def as_json(self) -> JsonObject:
        """The memo as it is stored."""
        return {"since": self.since, "zap": self.zap, "misses": self.misses}


def look_at(rows: list[JsonObject], correlation_id: str, known: Memo) -> RemoteLook:
    """How the run fares that got this correlation id, if it is among these."""
    exact = [row for row in rows if carries(row.get("data_in"), correlation_id)]
    # Zapier found the text in what it does not show us: in the data that came in, or in another place.
    found = exact or [row for row in rows if not row.get("data_in")]
    if not found:
        missed = Memo(known.since, known.zap, known.misses + 1)
        return RemoteLook("running", message=_NOT_LISTED, is_certain=False, memo=missed.as_json())
    run = max(found, key=lambda row: time_at(row, "start_time") or 0)
    state, message = _state(run)
    doubts = _doubts(run, len(found), known, is_exact=bool(exact))
    run_id = text_at(run, "id")
    return RemoteLook(
        state,
        output=run.get("data_out") if state == "completed" else None,
        remote_id=run_id,
        link=link_to_run(run_id),
        message=" ".join(part for part in (message, doubts) if part),
        is_certain=not doubts and state != "unknown",
        memo=known.as_json(),
    )


def link_to_run(run_id: str) -> str:
    """Address of a run in Zapier's own pages."""
    return f"{HISTORY_LINK}/{quote(run_id, safe='')}" if run_id else HISTORY_LINK


def link_to_history(zap: str) -> str:
    """Address of the runs of a Zap, or of all runs where its number is not known."""
    return f"{HISTORY_LINK}?root_id={zap}" if zap else HISTORY_LINK


def _state(run: JsonObject) -> tuple[RemoteState, str]:
    status = text_at(run, "status").lower()
    if status in _GOES_ON:
        return "running", _GOES_ON[status]
    if status in _ENDED_WELL:
        return "completed", _ENDED_WELL[status]
    if status == "error":
        return "failed", _failure(run)
    if not text_at(run, "end_time"):
        return "running", f"Zapier calls the state of the run “{status}”."
    return "unknown", f"Zapier calls the state of the run “{status}”, and says no more about it."


def _failure(run: JsonObject) -> str:
    """Which step failed, and why, where Zapier tells it."""
    for number, step in enumerate(objects_at(run, "steps"), start=1):
        if text_at(step, "status").lower() in {"error", "failed"}:
            reason = _reason(step)
            return f"step {number}: {reason}" if reason else f"step {number}. {_SAYS_NOT_WHY}"
    return _reason(run) or _SAYS_NOT_WHY


_SAYS_NOT_WHY = "Zapier does not say why here: open the run in the Zap history."


def _reason(value: JsonObject) -> str:
    for name in _REASONS:
        found = value.get(name)
        inner = _reason(found) if isinstance(found, dict) else text_at(value, name)
        if inner:
            return inner
    errors = objects_at(value, "errors")
    return _reason(errors[0]) if errors else ""


def _doubts(run: JsonObject, count: int, known: Memo, *, is_exact: bool) -> str:
    """Why this may not be the run of the call, in words, or empty."""
    doubts: list[str] = []
    ran = text_at(run, "zap_id")
    if known.zap and ran and ran != known.zap:
        title = text_at(run, "zap_title") or ran
        doubts.append(
            f"The Catch Hook address started another Zap than the one of the node: “{title}”. Enter the address of "
            "the right one."
        )
    if count > 1:
        doubts.append(f"{count} runs have the id of this call; this is the newest.")
    if not is_exact:
        doubts.append("Zapier does not show the data of the run, so it was found by Zapier's search alone.")
    return " ".join(doubts)


def _earliest(call: RemoteCall) -> int | None:
    return call.started_at - _MARGIN_MS if call.started_at else None
