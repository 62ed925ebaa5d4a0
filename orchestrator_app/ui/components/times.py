"""Times and durations on screen. They update in the browser, without any event."""

import reflex as rx

# The canvas registers durations.js, which these share with it.
import orchestrator_app.ui.canvas.flow_canvas  # noqa: F401

_FILE = rx.asset("times.jsx", shared=True)


class TimeAgo(rx.Component):
    """``5 min ago``, with the exact time on hover. ``ms`` is epoch milliseconds; 0 shows ``empty``."""

    library = _FILE.importable_path
    tag = "TimeAgo"

    ms: rx.Var[int]
    empty: rx.Var[str]


class ExactTime(rx.Component):
    """``2026-03-01 10:20:30.123 UTC+01:00`` in the viewer's time zone. 0 shows ``empty``."""

    library = _FILE.importable_path
    tag = "ExactTime"

    ms: rx.Var[int]
    empty: rx.Var[str]


class Duration(rx.Component):
    """``1.2 s``. While ``live``, it counts from ``since`` (epoch milliseconds). A negative ``ms`` shows ``empty``."""

    library = _FILE.importable_path
    tag = "Duration"

    ms: rx.Var[int]
    since: rx.Var[int]
    live: rx.Var[bool]
    empty: rx.Var[str]


time_ago = TimeAgo.create
exact_time = ExactTime.create
duration = Duration.create
