"""A form for names and secrets that posts to the REST API itself, so that no secret passes an event of Reflex."""

from typing import Any, NotRequired, TypedDict

import reflex as rx

# Reflex links each file beside the others, so that they import each other by plain relative paths.
for _file in ("credential_answers.js", "credential_field.jsx"):
    rx.asset(_file, shared=True)


class FieldOption(TypedDict):
    """One option of a field: what is sent, and what is shown."""

    value: str
    label: str


class FormField(TypedDict):
    """An input of the form.

    Attributes:
        key: Name in the request.
        label: Name on screen.
        help: A sentence below it.
        isSecret: Typed unseen; when left empty it is not sent, so a stored secret stays.
        isOrigin: An address to which the secrets are bound; when it changes, they are wanted again.
        isStored: A secret of which one is stored already; one that is not required can be removed (sent as null).
        isTopLevel: Sent beside ``credentials`` instead of in it (the connection's name).
        required: Refused when empty and not stored, before anything is sent.
        placeholder: Shown while empty, for instance ``•••• stored``.
        value: Value at first; never a secret.
        options: Makes it a choice; the first one is the default. Two or three are shown side by side.
        takesOthers: Another value than the options may be typed.
        isDiscovered: Its options are found by a test; until then only what is stored can be chosen.
        modes: It is there only while the field ``mode`` has one of these values; empty means always.
    """

    key: str
    label: str
    help: NotRequired[str]
    isSecret: NotRequired[bool]
    isOrigin: NotRequired[bool]
    isStored: NotRequired[bool]
    isTopLevel: NotRequired[bool]
    required: NotRequired[bool]
    placeholder: NotRequired[str]
    value: NotRequired[str]
    options: NotRequired[list[FieldOption]]
    takesOthers: NotRequired[bool]
    isDiscovered: NotRequired[bool]
    modes: NotRequired[list[str]]


class CredentialForm(rx.Component):
    """Sends ``{**top level fields, "credentials": {key: value}}`` as JSON to ``url``, once a test of it went well.

    The test posts ``{"credentials": …, "connectionId": …}`` to ``test_url`` and shows what the answer says:
    ``{"status", "detail", "choices": {key: options}, "facts": [{"label", "text"}]}``. A connection that the test finds
    wanting is stored only on a second word ("Save anyway"). More than two optional fields are folded.

    Properties: ``fields`` (``list[FormField]``), ``method``, ``url``, ``test_url``, ``connection_id`` (of a stored
    connection, whose secrets stand in for those left empty). Give it a ``key`` that changes with what is edited, so
    that it starts afresh.

    Events: ``on_done({"ok": bool, "status": int, "body": dict})`` after each save, refused or not (refusals are also
    shown in the form, at the field if the problem's ``errors[].field`` names one); ``on_cancel()``.
    """

    library = rx.asset("credential_form.jsx", shared=True).importable_path
    tag = "CredentialForm"

    fields: rx.Var[list[dict[str, Any]]]
    method: rx.Var[str]
    url: rx.Var[str]
    test_url: rx.Var[str]
    connection_id: rx.Var[str]

    on_done: rx.EventHandler[rx.event.passthrough_event_spec(dict[str, Any])]
    on_cancel: rx.EventHandler[rx.event.no_args_event_spec]


credential_form = CredentialForm.create
