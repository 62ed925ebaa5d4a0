"""A button that copies a text in the browser."""

import reflex as rx


class CopyButton(rx.Component):
    """Copies ``text`` and shows that it did. ``label`` is its name; ``show_label`` shows it beside the icon."""

    library = rx.asset("copy_button.jsx", shared=True).importable_path
    tag = "CopyButton"

    text: rx.Var[str]
    label: rx.Var[str]
    show_label: rx.Var[bool]


copy_button = CopyButton.create
