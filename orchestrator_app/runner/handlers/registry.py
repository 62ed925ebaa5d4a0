"""Which handler works on which node kind."""

from orchestrator_app.domain.definition import Node
from orchestrator_app.runner.handlers.base import Handler
from orchestrator_app.runner.handlers.condition import ConditionHandler
from orchestrator_app.runner.handlers.data_mapper import DataMapperHandler
from orchestrator_app.runner.handlers.error_boundary import ErrorBoundaryHandler
from orchestrator_app.runner.handlers.local_flow import LocalFlowHandler
from orchestrator_app.runner.handlers.pass_through import PassThroughHandler
from orchestrator_app.runner.handlers.remote_webhook import RemoteWebhookHandler
from orchestrator_app.runner.handlers.wait_for_callback import WaitForCallbackHandler

HANDLERS: dict[str, Handler] = {
    "RemoteWebhook": RemoteWebhookHandler(),
    "LocalFlow": LocalFlowHandler(),
    "DataMapper": DataMapperHandler(),
    "WaitForCallback": WaitForCallbackHandler(),
    "Condition": ConditionHandler(),
    "ErrorBoundary": ErrorBoundaryHandler(),
    "Parallel": PassThroughHandler(),
}
_DISABLED = PassThroughHandler()


def handler_for(node: Node) -> Handler:
    """The handler of a node; a disabled node only hands on its input."""
    return _DISABLED if node.disabled else HANDLERS[node.kind]
