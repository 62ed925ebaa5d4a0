// What can be dragged onto the canvas, by the names under which browsers hand it over.
export const DRAGGED_KIND = "application/x-orchestrator-node-kind";
export const DRAGGED_WORKFLOW = "application/x-orchestrator-workflow";

// The workflow that is dropped, or null when something else is.
export function droppedWorkflow(text) {
  try {
    const dropped = JSON.parse(text);
    const isWhole = ["provider", "connectionId", "workflowId", "name"].every((key) => typeof dropped?.[key] === "string");
    return isWhole && dropped.provider && dropped.workflowId ? dropped : null;
  } catch {
    return null;
  }
}
