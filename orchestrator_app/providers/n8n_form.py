"""What n8n's Form and Chat triggers ask for, and a filled-in form as n8n takes it."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.errors import ProviderRefused
from orchestrator_app.providers.json_reading import objects_at, text_at
from orchestrator_app.providers.remote_workflow import FormField, FormFieldType

CHAT_FIELDS = (
    FormField("chatInput", "Message", "longtext", required=True),
    FormField("sessionId", "Session", help="Keeps a conversation together. Empty: each call is a new one."),
)

_TYPES: dict[str, FormFieldType] = {
    "textarea": "longtext",
    "number": "number",
    "date": "date",
    "email": "email",
    "dropdown": "choice",
    "radio": "choice",
    "checkbox": "choice",
    "file": "file",
}
_LISTS = frozenset({"radio", "checkbox"})  # n8n parses what these send as JSON


@dataclass(frozen=True, slots=True)
class FormInput:
    """One input of a form.

    Attributes:
        name: What n8n calls it in what is sent: ``field-0`` and so on, by its place.
        names: What it may be called in the data of a call, best first.
        kind: n8n's own type.
        field: As shown to the user.
        is_list: Several values can be chosen, or n8n wants the one in a list.
    """

    name: str
    names: tuple[str, ...]
    kind: str
    field: FormField
    is_list: bool = False


def form_inputs(node: JsonObject) -> tuple[FormInput, ...]:
    """The inputs of a Form trigger. What only shows text keeps its place in the numbering."""
    listed = objects_at(node, "parameters", "formFields", "values")
    return tuple(
        _form_input(number, raw) for number, raw in enumerate(listed) if text_at(raw, "fieldType") != "html"
    )


def form_content(inputs: Sequence[FormInput], data: JsonValue, workflow: str) -> tuple[bytes, str]:
    """The data as a filled-in form, and its content type.

    Data is taken by the label of a field, by its name, or by its place (``field-0``). What the form does not ask
    for is left out, as the page in n8n would.

    Raises:
        ProviderRefused: A required field is empty, or a file is asked for; nothing was sent.
    """
    boundary = f"form-{secrets.token_hex(16)}"
    parts: list[bytes] = []
    for asked in inputs:
        value = _value_of(asked, data, is_only=len(inputs) == 1)
        if value in (None, "", []):
            if asked.field.required:
                raise _refused(
                    f"The form of {workflow} asks for “{asked.field.label}”, and the data has none."
                )
            continue
        if asked.kind == "file":
            raise _refused(
                f"The form of {workflow} takes a file in “{asked.field.label}”, which cannot be sent from here."
            )
        parts.append(_part(boundary, asked.name, _text_of(asked, value)))
    if not parts:
        parts.append(
            _part(boundary, "nothing", "")
        )  # a form without any part cannot be read; this one is ignored
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _part(boundary: str, name: str, text: str) -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
    return head.encode() + text.encode(errors="replace") + b"\r\n"


def _form_input(number: int, raw: JsonObject) -> FormInput:
    name = f"field-{number}"
    kind = text_at(raw, "fieldType") or "text"
    given = (text_at(raw, "fieldName"), text_at(raw, "fieldLabel"), name)
    names = tuple(dict.fromkeys(text for text in given if text))
    is_several = raw.get("multiselect") is True or kind == "checkbox"
    return FormInput(
        name,
        names,
        kind,
        FormField(
            # A dot in a path would make an object of it.
            path=next(text for text in names if "." not in text),
            label=text_at(raw, "fieldLabel") or names[0],
            type=_TYPES.get(kind, "text"),
            required=raw.get("requiredField") is True,
            default=text_at(raw, "defaultValue") or text_at(raw, "fieldValue") or None,
            options=tuple(text_at(option, "option") for option in objects_at(raw, "fieldOptions", "values")),
            help=_help(kind, text_at(raw, "placeholder"), is_several=is_several),
        ),
        is_list=is_several or kind in _LISTS,
    )


def _help(kind: str, placeholder: str, *, is_several: bool) -> str:
    if kind == "file":
        return "Files cannot be sent from here."
    if is_several:
        return "Several values: give a list."
    return placeholder


def _value_of(asked: FormInput, data: JsonValue, *, is_only: bool) -> JsonValue:
    if isinstance(data, dict):
        found = next((data[name] for name in asked.names if name in data), None)
    else:
        found = data if is_only else None
    return asked.field.default if found is None else found


def _text_of(asked: FormInput, value: JsonValue) -> str:
    if asked.is_list:
        return json.dumps(value if isinstance(value, list) else [value], ensure_ascii=False)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _refused(message: str) -> ProviderRefused:
    return ProviderRefused(
        message, hint="Fill in the inputs of the node.", provider="n8n", operation="execute"
    )
