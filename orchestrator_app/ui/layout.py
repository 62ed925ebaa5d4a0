"""The frame around every page: navigation, header, main part, and what is said when the connection is lost."""

from typing import Any

import reflex as rx

from orchestrator_app.ui.routes import NAVIGATION, ORCHESTRATORS, NavigationItem
from orchestrator_app.ui.theme import FONT_PACKAGES, FONT_STYLES, ICON


class _Fonts(rx.Fragment):
    """The two typefaces, bundled with the pages: nothing is loaded from elsewhere."""

    lib_dependencies: list[str] = list(FONT_PACKAGES)

    def add_imports(self) -> dict[str, Any]:
        """Load the stylesheets of the typefaces."""
        return {"": list(FONT_STYLES)}


def _navigation_item(item: NavigationItem, active: str) -> rx.Component:
    is_active = item.key == active
    return rx.link(
        rx.icon(item.icon, size=18, aria_hidden="true"),
        rx.el.span(item.label),
        href=item.path,
        underline="none",
        class_name="o-nav-item",
        title=item.label,
        custom_attrs={"aria-current": "page"} if is_active else {},
    )


def _color_mode_toggle() -> rx.Component:
    return rx.el.button(
        rx.color_mode_cond(light=rx.icon("moon", size=18), dark=rx.icon("sun", size=18)),
        rx.el.span(rx.color_mode_cond(light="Dark", dark="Light")),
        type="button",
        class_name="o-nav-item",
        on_click=rx.toggle_color_mode,
        title="Switch between light and dark",
        aria_label=rx.color_mode_cond(light="Switch to dark colours", dark="Switch to light colours"),
    )


def _navigation(active: str) -> rx.Component:
    return rx.el.nav(
        rx.link(
            rx.image(src="/logo.svg", alt="", width="28px", height="28px"),
            rx.el.span("Orchestrator"),
            href=ORCHESTRATORS,
            underline="none",
            class_name="o-brand",
            aria_label="Orchestrator, start page",
        ),
        rx.el.div(*[_navigation_item(item, active) for item in NAVIGATION], class_name="o-nav-items"),
        rx.el.div(_color_mode_toggle(), class_name="o-nav-foot"),
        class_name="o-nav",
        aria_label="Main",
    )


def connection_banner() -> rx.Component:
    """What is said, after a moment, while the server cannot be reached."""
    return rx.connection_banner(
        rx.el.div(
            rx.icon("wifi-off", size=ICON, aria_hidden="true"),
            rx.el.span(
                "The connection to the server is lost. What you do is kept here and sent when it is back."
            ),
            class_name="o-offline",
            role="alert",
        )
    )


def toaster() -> rx.Component:
    """Where results of actions appear; for ``rx.App(toaster=…)``."""
    return rx.toast.provider(
        position="bottom-center", offset="80px", rich_colors=True, close_button=True, visible_toasts=3
    )


def _back_link(path: str | rx.Var[str], label: str) -> rx.Component:
    return rx.link(
        rx.icon("chevron-left", size=18, aria_hidden="true"),
        href=path,
        underline="none",
        class_name="o-back",
        aria_label=label,
        title=label,
    )


def page_template(
    title: str | rx.Var[str],
    content: rx.Component,
    *,
    active: str,
    actions: rx.Component | None = None,
    heading: rx.Component | None = None,
    back: tuple[str | rx.Var[str], str] | None = None,
    rail: bool = False,
    flush: bool = False,
) -> rx.Component:
    """Frame a page.

    Args:
        title: The page's ``h1``.
        content: What stands in ``main``.
        active: Key of the navigation entry to mark (``routes.NAVIGATION``).
        actions: Buttons at the right of the header; on small screens only their icons if each button's text is in
            ``rx.el.span(class_name="o-button-text")``.
        heading: Stands beside the title instead of text alone, for instance a name that can be edited. It must hold
            an ``h1`` of its own; ``title`` is then not shown.
        back: Address and label of a link before the title.
        rail: Show the navigation as icons only, to leave room for a canvas.
        flush: Let the content fill the whole area without padding or scrolling of its own.
    """
    return rx.el.div(
        _Fonts.create(),
        rx.el.a("Skip to content", href="#main", class_name="o-skip"),
        _navigation(active),
        rx.el.div(
            connection_banner(),
            rx.el.header(
                rx.el.div(
                    _back_link(*back) if back else rx.fragment(),
                    heading or rx.el.h1(title, class_name="o-title"),
                    class_name="o-header-start",
                ),
                rx.el.div(actions, class_name="o-header-actions") if actions else rx.fragment(),
                class_name="o-header",
            ),
            rx.el.main(
                content if flush else rx.el.div(content, class_name="o-content"),
                id="main",
                tab_index=-1,
                class_name="o-main o-main-flush" if flush else "o-main",
            ),
            class_name="o-page",
        ),
        class_name="o-shell o-shell-rail" if rail else "o-shell",
    )
