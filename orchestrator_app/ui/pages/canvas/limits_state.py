"""The settings of the orchestrator itself: how many runs at once, how long each may take, signed callbacks."""

import reflex as rx

from orchestrator_app.errors import InvalidInput, OrchestratorError
from orchestrator_app.services.orchestrator_settings import MAX_CONCURRENCY, MAX_DEADLINE_SECONDS, SettingView
from orchestrator_app.ui.access import reads, writes
from orchestrator_app.ui.pages.canvas.state import EditorState
from orchestrator_app.ui.session import application, show_error, workspace_of

UNITS = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400}
_MOST_DIGITS = 9


class LimitsState(EditorState):
    """The dialog behind the gear. ``limits_of`` is the orchestrator for which it is open, or empty."""

    limits_of: str = ""
    limits_opened: int = 0
    concurrency: str = ""
    deadline: str = ""
    deadline_unit: str = "minutes"
    signs_callbacks: bool = False
    limit_problems: dict[str, str] = {"concurrency": "", "deadline": ""}

    @rx.event
    @reads
    async def open_limits(self):
        """Open the dialog with what is set."""
        try:
            view = await application().orchestrator_settings.get(workspace_of(self), self.orchestrator_id)
        except OrchestratorError as error:
            yield show_error(error)
            return
        self._show_limits(view)
        self.limits_of, self.limits_opened = self.orchestrator_id, self.limits_opened + 1

    @rx.event
    @reads
    def show_limits(self, is_open: bool):
        """Open or close the dialog."""
        self.limits_of = self.orchestrator_id if is_open else ""

    @rx.event
    @reads
    def change_concurrency(self, text: str):
        """Type how many runs may be under way."""
        self.concurrency = text

    @rx.event
    @reads
    def change_deadline(self, text: str):
        """Type how long a run may take."""
        self.deadline = text

    @rx.event
    @reads
    def choose_unit(self, unit: str):
        """Choose in which unit the deadline is meant."""
        self.deadline_unit = unit if unit in UNITS else "minutes"

    @rx.event
    @writes
    async def save_limits(self):
        """Keep the limits and close the dialog; what cannot be kept is told beside it."""
        unit = UNITS[self.deadline_unit]
        problems = {
            "concurrency": _problem(self.concurrency, MAX_CONCURRENCY),
            "deadline": _problem(self.deadline, MAX_DEADLINE_SECONDS // unit),
        }
        self.limit_problems = problems
        if any(problems.values()):
            return
        seconds = _number(self.deadline)
        try:
            await application().orchestrator_settings.set_limits(
                workspace_of(self),
                self.limits_of,
                concurrency=_number(self.concurrency),
                deadline_seconds=None if seconds is None else seconds * unit,
            )
        except OrchestratorError as error:
            yield show_error(error)
            return
        self.limits_of = ""
        yield rx.toast.success("Settings saved")

    @rx.event
    @reads
    async def read_signing(self):
        """A secret was made or removed: see how it stands."""
        view = await application().orchestrator_settings.get(workspace_of(self), self.orchestrator_id)
        self.signs_callbacks = view.signs_callbacks

    def _show_limits(self, view: SettingView) -> None:
        self.concurrency = "" if view.concurrency is None else str(view.concurrency)
        self.deadline, self.deadline_unit = _in_unit(view.deadline_seconds)
        self.signs_callbacks = view.signs_callbacks
        self.limit_problems = {"concurrency": "", "deadline": ""}


def _in_unit(seconds: int | None) -> tuple[str, str]:
    """The number and the largest unit that tell it exactly."""
    if seconds is None:
        return "", "minutes"
    unit, size = next((unit, size) for unit, size in reversed(UNITS.items()) if seconds % size == 0)
    return str(seconds // size), unit


def _number(text: str) -> int | None:
    """What was typed; None when it is empty.

    Raises:
        InvalidInput: It is no whole number.
    """
    digits = text.strip()
    if not digits:
        return None
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS):
        raise InvalidInput("A whole number is expected.")
    return int(digits)


def _problem(text: str, most: int) -> str:
    try:
        number = _number(text)
    except InvalidInput:
        number = 0
    is_right = number is None or 1 <= number <= most
    return "" if is_right else f"Enter a whole number from 1 to {most:,}, or nothing for no limit."
