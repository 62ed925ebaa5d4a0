"""The list of orchestrators, used as a page uses it."""

from orchestrator_app.services.application import DEFAULT_WORKSPACE, Application
from orchestrator_app.ui.pages.orchestrators.state import OrchestratorsState
from tests.ui.tabs import Tabs


async def test_the_list_shows_what_there_is(application: Application, tabs: Tabs):
    await application.orchestrators.create(DEFAULT_WORKSPACE, name="Orders")
    tab = await tabs.open("/")
    assert [row["name"] for row in tab.shows(OrchestratorsState, "rows")] == ["Orders"]
    await tab.send(OrchestratorsState.search, "nothing")
    assert tab.shows(OrchestratorsState, "rows") == []
