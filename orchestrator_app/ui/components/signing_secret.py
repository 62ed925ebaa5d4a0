"""Makes, shows once and removes the signing secret of an orchestrator."""

import reflex as rx

# signing_secret.jsx uses the copy button, whose module registers its file.
import orchestrator_app.ui.components.copy_button  # noqa: F401


class SigningSecret(rx.Component):
    """Asks the REST API at ``url`` itself, so that no secret passes an event of Reflex.

    ``is_set`` says whether there is a secret already; ``on_changed`` follows each change. Give it a ``key`` that
    changes with what is edited, so that a secret that was shown is gone.
    """

    library = rx.asset("signing_secret.jsx", shared=True).importable_path
    tag = "SigningSecret"

    url: rx.Var[str]
    is_set: rx.Var[bool]

    on_changed: rx.EventHandler[rx.event.no_args_event_spec]


signing_secret = SigningSecret.create
