"""An editor for JSON, request bodies, templates and expressions."""

from typing import Any

import reflex as rx

rx.asset("code_languages.js", shared=True)


class CodeEditor(rx.NoSSRComponent):
    """CodeMirror, bundled.

    Properties:
        value: The text. The page may set it at any time; the echo of typed text changes nothing.
        language: ``json`` (checked while typing), ``body`` (JSON with ``{{ }}``), ``template`` (text with ``{{ }}``),
            ``expression`` (JSONata) or ``text``.
        label: Its name for screen readers; always give one.
        id: Id of the editable element.
        name: Name of a hidden input that carries the text in a form.
        placeholder: Shown while empty.
        suggestions: ``[{"label": "data.customer.email", "detail": "text"}]``, offered inside ``{{ }}`` or an expression.
        single_line: Looks and behaves like a text input.
        read_only: Only for reading.
        min_height, max_height: CSS; it grows between them (max 360px).
        debounce_ms: Pause of typing before ``on_change`` (300). Leaving the editor, Ctrl+S and Ctrl+Enter send at once.
        invalid: Marks it as wrong.

    Events:
        on_change: The whole text.
        on_submit: Ctrl+Enter, after ``on_change``.
    """

    library = rx.asset("code_editor.jsx", shared=True).importable_path
    tag = "CodeEditor"
    lib_dependencies: list[str] = [
        "@uiw/react-codemirror@4.25.12",
        "@codemirror/autocomplete@6.20.4",
        "@codemirror/lang-json@6.0.2",
        "@codemirror/language@6.13.1",
        "@codemirror/lint@6.9.8",
        "@codemirror/state@6.7.6",
        "@codemirror/view@6.43.15",
        "@lezer/highlight@1.2.5",
    ]

    value: rx.Var[str]
    language: rx.Var[str]
    label: rx.Var[str]
    name: rx.Var[str]
    placeholder: rx.Var[str]
    suggestions: rx.Var[list[dict[str, Any]]]
    single_line: rx.Var[bool]
    read_only: rx.Var[bool]
    min_height: rx.Var[str]
    max_height: rx.Var[str]
    debounce_ms: rx.Var[int]
    invalid: rx.Var[bool]

    on_change: rx.EventHandler[rx.event.passthrough_event_spec(str)]
    on_submit: rx.EventHandler[rx.event.no_args_event_spec]


code_editor = CodeEditor.create
