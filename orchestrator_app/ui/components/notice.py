"""What the browser notices for the server: something on the page that several handlers can change."""

import reflex as rx


class Notice(rx.Component):
    """Draws nothing. ``on_notice`` is called when the page opens, and whenever ``value`` has become another one."""

    library = rx.asset("notice.jsx", shared=True).importable_path
    tag = "Notice"

    value: rx.Var[str]

    on_notice: rx.EventHandler[rx.event.no_args_event_spec]


notice = Notice.create
