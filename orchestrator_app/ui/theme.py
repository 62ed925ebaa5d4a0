"""Colours and sizes that Python and the stylesheets share, and how states look."""

from dataclasses import dataclass

ACCENT_COLOR = "indigo"
GRAY_COLOR = "slate"
RADIUS = "large"

ICON_SMALL = 14
ICON = 16
ICON_LARGE = 28

FONT_PACKAGES = ("@fontsource-variable/inter@5.3.0", "@fontsource-variable/jetbrains-mono@5.3.0")
FONT_STYLES = ("@fontsource-variable/inter/index.css", "@fontsource-variable/jetbrains-mono/index.css")

STYLESHEET = "/orchestrator.css"


@dataclass(frozen=True, slots=True)
class StateLook:
    """How a state of a run or node is shown: by word, icon and colour, so that colour alone never tells."""

    text: str
    icon: str
    color: str


STATES: dict[str, StateLook] = {
    "PENDING": StateLook("Pending", "circle-dashed", "gray"),
    "RUNNING": StateLook("Running", "loader-circle", "blue"),
    "WAITING": StateLook("Waiting", "clock", "amber"),
    "COMPLETED": StateLook("Completed", "circle-check", "green"),
    "FAILED": StateLook("Failed", "circle-x", "red"),
    "SKIPPED": StateLook("Skipped", "circle-minus", "gray"),
    "CANCELLED": StateLook("Cancelled", "ban", "gray"),
}
