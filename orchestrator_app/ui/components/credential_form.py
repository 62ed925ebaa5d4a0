"""A form for names and secrets that posts to the REST API itself, so that no secret passes an event of Reflex."""

from typing import Any, NotRequired, TypedDict

import reflex as rx


class CredentialField(TypedDict):
    """An input of the form.

    Attributes:
        key: Name in the request.
        label: Name on screen.
        help: A sentence below it.
        isSecret: Typed unseen; when left empty it is not sent, so a stored secret stays.
        required: Refused when empty, before anything is sent.
        placeholder: Shown while empty, for instance ``•••• stored``.
        value: Value at first; never a secret.
        isTopLevel: Sent beside ``credentials`` instead of in it (the connection's name).
        options: Makes it a choice.
    """

    key: str
    label: str
    help: NotRequired[str]
    isSecret: NotRequired[bool]
    required: NotRequired[bool]
    placeholder: NotRequired[str]
    value: NotRequired[str]
    isTopLevel: NotRequired[bool]
    options: NotRequired[list[dict[str, str]]]


class CredentialForm(rx.Component):
    """Sends ``{**extra, **top level fields, "credentials": {key: value}}`` as JSON to ``url``.

    Properties: ``fields`` (``list[CredentialField]``), ``method``, ``url``, ``test_url`` (shows a test button that
    posts the same there and shows the answer's ``message``, good unless its ``ok`` is false), ``extra``,
    ``submit_label``, ``test_label``. Give it a ``key`` that changes with what is edited, so that it starts afresh.

    Events: ``on_done({"ok": bool, "status": int, "body": dict})`` after each save, refused or not (refusals are also
    shown in the form, at the field if the problem's ``errors[].field`` names one); ``on_cancel()`` shows a button.
    """

    library = rx.asset("credential_form.jsx", shared=True).importable_path
    tag = "CredentialForm"

    fields: rx.Var[list[dict[str, Any]]]
    method: rx.Var[str]
    url: rx.Var[str]
    test_url: rx.Var[str]
    extra: rx.Var[dict[str, Any]]
    submit_label: rx.Var[str]
    test_label: rx.Var[str]

    on_done: rx.EventHandler[rx.event.passthrough_event_spec(dict[str, Any])]
    on_cancel: rx.EventHandler[rx.event.no_args_event_spec]


credential_form = CredentialForm.create
