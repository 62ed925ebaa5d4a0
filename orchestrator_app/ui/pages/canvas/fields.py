"""The controls of the drawer, one per type of config field; forms are made from the catalog of node kinds."""

from typing import Any

import reflex as rx

from orchestrator_app.domain.node_kinds import ConfigField, NodeKind
from orchestrator_app.ui.components.code_editor import code_editor
from orchestrator_app.ui.components.inputs import choice
from orchestrator_app.ui.components.panels import form_field
from orchestrator_app.ui.pages.canvas.input_offers import about_input, input_offers
from orchestrator_app.ui.pages.canvas.remote_shapes import PLATFORM_TITLES
from orchestrator_app.ui.pages.canvas.settings_state import SettingsState
from orchestrator_app.ui.routes import connect_path
from orchestrator_app.ui.theme import ICON_SMALL
from orchestrator_app.ui.workflows.shapes import COMPLETION_TITLES
from orchestrator_app.ui.workflows.state import BrowserState

# At run time the attributes of a state are Vars, which their declared types do not say.
State: Any = SettingsState
Browser: Any = BrowserState

CHANGE_PAUSE_MS = 250
_CHOICE_TEXTS = {
    **COMPLETION_TITLES,
    **PLATFORM_TITLES,
    "fail": "Fail",
    "continue": "Go on",
    "replace": "Only the mapped values",
    "extend": "Input plus mapped values",
}


def field_control(kind: NodeKind, field: ConfigField) -> rx.Component:
    """A field with label, help and complaint."""
    control_id = f"field-{kind.name}-{field.key}"
    is_labelled = field.type in {"text", "milliseconds", "integer", "choice", "boolean", "connection"}
    return form_field(
        field.label,
        _control(kind, field, control_id),
        control_id=control_id if is_labelled else "",
        help=field.help,
        error=_problem_of(field.key),
        required=field.required,
    )


def _problem_of(key: str) -> Any:
    return rx.cond(State.field_problems.contains(key), State.field_problems[key], "")


def _key(name: str) -> rx.Var[str]:
    """Changes whenever the form must show other values, so that inputs start afresh."""
    return State.selected_id + "/" + State.form_revision.to_string() + "/" + name


def _control(kind: NodeKind, field: ConfigField, control_id: str) -> rx.Component:  # noqa: PLR0911 - one per type
    match field.type:
        case "text":
            control = _text(field, control_id)
            return _with_chooser(kind, control) if field.key in {"workflowId", "flowId"} else control
        case "milliseconds" | "integer":
            return _number(field, control_id)
        case "choice":
            return _choice(field, control_id)
        case "boolean":
            return _boolean(field, control_id)
        case "connection":
            return _connection(kind, control_id)
        case "headers":
            return _rows(
                "headers", State.headers, (("name", "Header", "text"), ("value", "Value", "template"))
            )
        case "inputs":
            return rx.fragment(
                _rows("inputs", State.inputs, (("name", "Input", "text"), ("value", "Value", "template"))),
                input_offers(),
            )
        case "mappings":
            return _rows("mappings", State.mappings, (("from", "From", "expression"), ("to", "To", "text")))
        case "cases":
            return _rows(
                "cases", State.cases, (("expression", "If", "expression"), ("handle", "Branch", "text"))
            )
        case _:
            return _code(field)


def _text(field: ConfigField, control_id: str) -> rx.Component:
    return rx.input(
        id=control_id,
        key=_key(field.key),
        default_value=State.values[field.key],
        placeholder=str(field.default or ""),
        on_change=lambda text: State.change_field(field.key, text).debounce(CHANGE_PAUSE_MS),
        on_blur=lambda text: State.change_field(field.key, text),
        width="100%",
        spell_check=False,
    )


def _with_chooser(kind: NodeKind, control: rx.Component) -> rx.Component:
    """The id of a workflow, and a button that finds it in the browser of workflows."""
    provider: Any = "flowise" if kind.name == "LocalFlow" else State.values["provider"]
    choose = rx.button(
        rx.icon("library", size=ICON_SMALL),
        "Choose",
        type="button",
        variant="surface",
        on_click=Browser.choose_for(
            State.selected_id, State.selected_label, provider, State.values["connectionId"]
        ),
    )
    return rx.el.div(
        control,
        choose if isinstance(provider, str) else rx.cond(provider != "custom", choose),
        class_name="o-joined",
    )


def _number(field: ConfigField, control_id: str) -> rx.Component:
    unit = rx.input.slot("ms", side="right") if field.type == "milliseconds" else rx.fragment()
    return rx.input(
        unit,
        id=control_id,
        key=_key(field.key),
        default_value=State.values[field.key],
        input_mode="numeric",
        on_change=lambda text: State.change_field(field.key, text).debounce(CHANGE_PAUSE_MS),
        on_blur=lambda text: State.change_field(field.key, text),
        width="100%",
        class_name="o-number-input",
    )


def _choice(field: ConfigField, control_id: str) -> rx.Component:
    options = [(value, _CHOICE_TEXTS.get(value, value)) for value in field.choices]
    return _chosen(options, field.key, control_id)


def _boolean(field: ConfigField, control_id: str) -> rx.Component:
    automatic = [("", "Automatic")] if field.default is None else []
    return _chosen([*automatic, ("true", "Yes"), ("false", "No")], field.key, control_id)


def _chosen(options: list[tuple[str, str]] | rx.Component, key: str, control_id: str) -> rx.Component:
    return choice(
        options, id=control_id, value=State.values[key], on_change=lambda text: State.change_field(key, text)
    )


def _connection(kind: NodeKind, control_id: str) -> rx.Component:
    is_flow = kind.name == "LocalFlow"

    def option(item: Any) -> rx.Component:
        fits = item["provider"] == ("flowise" if is_flow else State.values["provider"])
        return rx.cond(fits, rx.el.option(item["name"], value=item["id"]))

    built_in = rx.el.option("Simulated (built in)", value="simulated") if is_flow else rx.fragment()
    options = rx.fragment(rx.el.option("None", value=""), built_in, rx.foreach(State.connections, option))
    return rx.fragment(_chosen(options, "connectionId", control_id), _without_connection(kind))


def _without_connection(kind: NodeKind) -> rx.Component:
    """The way to a first connection of the platform, where there is none to choose."""
    provider: Any = "flowise" if kind.name == "LocalFlow" else State.values["provider"]
    has_none = ~State.connections.pluck("provider").contains(provider)
    if not isinstance(provider, str):
        has_none &= (provider != "custom") & (provider != "simulated")
    return rx.cond(
        has_none,
        rx.el.p(
            "There is none for this platform yet. ",
            rx.link("Connect it", href=connect_path(provider)),
            class_name="o-field-help",
        ),
    )


def _code(field: ConfigField) -> rx.Component:
    language = {"template": "template", "body": "body", "expression": "expression", "json": "json"}[
        field.type
    ]
    is_short = field.type in {"template", "expression"} and field.key != "question"
    return code_editor(
        key=_key(field.key),
        value=State.values[field.key],
        language=language,
        label=field.label,
        single_line=is_short,
        suggestions=State.suggestions,
        invalid=State.field_problems.contains(field.key),
        on_change=lambda text: State.change_field(field.key, text),
        **({} if is_short else {"min_height": "96px", "max_height": "320px"}),
    )


def _rows(name: str, rows: Any, columns: tuple[tuple[str, str, str], ...]) -> rx.Component:
    def cell(row: Any, column: str, label: str, language: str) -> rx.Component:
        return code_editor(
            value=row[column],
            language=language,
            label=label,
            placeholder=label,
            single_line=True,
            suggestions=State.suggestions if language != "text" else [],
            on_change=lambda text: State.change_row(name, row["id"], column, text),
        )

    def row_view(row: Any, index: rx.Var[int]) -> rx.Component:
        place = name + "[" + index.to_string() + "]"
        return rx.el.li(
            rx.el.div(
                *[rx.el.div(cell(row, *column), class_name="o-row-cell") for column in columns],
                class_name="o-row-cells",
            ),
            rx.el.div(
                _row_button("arrow-up", "Move up", State.move_row(name, row["id"], -1))
                if name not in {"headers", "inputs"}
                else rx.fragment(),
                _row_button("x", "Remove", State.remove_row(name, row["id"])),
                class_name="o-row-buttons",
            ),
            about_input(row["name"]) if name == "inputs" else rx.fragment(),
            rx.cond(
                State.row_problems.contains(place),
                rx.el.p(State.row_problems[place], class_name="o-field-error", role="alert"),
            ),
            key=row["id"],
            class_name="o-row",
        )

    return rx.el.div(
        rx.el.ul(rx.foreach(rows, row_view), class_name="o-rows"),
        rx.button(
            rx.icon("plus", size=ICON_SMALL),
            {"headers": "Add header", "inputs": "Add input", "mappings": "Add mapping", "cases": "Add case"}[
                name
            ],
            type="button",
            variant="surface",
            color_scheme="gray",
            size="1",
            on_click=State.add_row(name),
            custom_attrs={"data-testid": f"add-{name}"},
        ),
    )


def _row_button(icon: str, label: str, event: rx.event.EventSpec) -> rx.Component:
    return rx.icon_button(
        rx.icon(icon, size=ICON_SMALL),
        type="button",
        variant="ghost",
        color_scheme="gray",
        size="1",
        aria_label=label,
        title=label,
        on_click=event,
    )
