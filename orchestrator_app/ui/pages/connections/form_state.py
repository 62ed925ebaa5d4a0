"""The form of a connection. Secrets never pass through here: the form posts to the REST API itself."""

from typing import Any

import reflex as rx

from orchestrator_app.services.views import ConnectionView, ProviderView
from orchestrator_app.ui.access import reads
from orchestrator_app.ui.session import application, workspace_of

API = "/api/v1/orchestrator"
_STORED = "•••••••• stored; leave empty to keep it"


class ConnectionFormState(rx.State):
    """The form that is open in one tab, for a new connection or a stored one."""

    is_open: bool = False
    title: str = ""
    fields: list[dict[str, Any]] = []
    method: str = "POST"
    url: str = ""
    test_url: str = ""
    connection_id: str = ""
    form_key: str = ""

    @rx.event
    @reads
    async def open_new(self, provider: str):
        """Open the form for a new connection."""
        view = await self._provider(provider)
        if view is None or not view.fields:
            return
        self.title, self.method = f"Connect {view.title}", "POST"
        self.fields = [_name_field(_free_name(view)), *view.fields]
        self.url, self.test_url = f"{API}/providers/{view.key}/connect", f"{API}/providers/{view.key}/test"
        self.connection_id, self.form_key, self.is_open = "", f"new-{view.key}", True

    @rx.event
    @reads
    async def open_existing(self, connection_id: str):
        """Open the form of a stored connection; its secrets stay unless they are entered again."""
        stored = await application().connections.get(workspace_of(self), connection_id)
        view = await self._provider(stored.provider)
        if view is None:
            return
        self.title, self.method = f"Edit {stored.name}", "PUT"
        self.fields = [_name_field(stored.name), *(_filled(field, stored) for field in view.fields)]
        self.url, self.test_url = f"{API}/connections/{stored.id}", f"{API}/providers/{view.key}/test"
        self.connection_id, self.is_open = stored.id, True
        self.form_key = f"edit-{stored.id}-{stored.updated_date}"

    @rx.event
    @reads
    def show_form(self, is_open: bool):
        """Open or close the form."""
        self.is_open = is_open

    @rx.event
    @reads
    def stored(self, result: dict[str, Any]):
        """The form has posted; the API's answer says how it went. The page learns of the connection by itself."""
        if result.get("ok") is not True:
            return
        self.is_open = False
        body = result.get("body")
        told: dict[str, Any] = body if isinstance(body, dict) else {}
        if told.get("status") in {"connected", "untested"}:
            yield rx.toast.success("Connection saved")
        else:
            yield rx.toast.warning(
                "Saved, but it does not work yet", description=str(told.get("statusDetail", ""))
            )

    async def _provider(self, key: str) -> ProviderView | None:
        found = await application().connections.providers(workspace_of(self))
        return next((view for view in found if view.key == key), None)


def _name_field(value: str) -> dict[str, Any]:
    return {"key": "name", "label": "Name", "value": value, "required": True, "isTopLevel": True}


def _free_name(view: ProviderView) -> str:
    """A name that no connection of the platform has yet."""
    taken = {connection.name for connection in view.connections}
    numbered = (f"{view.title} {number}" for number in range(2, len(taken) + 2))
    return view.title if view.title not in taken else next(name for name in numbered if name not in taken)


def _filled(field: dict[str, Any], stored: ConnectionView) -> dict[str, Any]:
    """The field with what is stored; of a secret only that it is."""
    is_stored = field["key"] in stored.secrets_set
    return field | {
        "value": stored.settings.get(field["key"], ""),
        "isStored": is_stored,
        "placeholder": _STORED if is_stored else field["placeholder"],
    }
