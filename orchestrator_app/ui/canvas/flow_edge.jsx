// An edge: its way, the arrow, what the run made of it, and the two buttons that appear under the pointer.
import { memo, useRef, useState, useSyncExternalStore } from "react";
import { BaseEdge, EdgeLabelRenderer, getBezierPath, getSmoothStepPath } from "@xyflow/react";
import { Plus, Trash2 } from "lucide-react";
import { useCanvas, useEntry } from "./live.js";

const LEAVE_MS = 250;

function way(props) {
  const { sourceX, targetX } = props;
  // A curve that has to turn back would run through both nodes; steps go around them.
  return targetX > sourceX + 24 ? getBezierPath(props) : getSmoothStepPath({ ...props, borderRadius: 12, offset: 28 });
}

export const FlowEdge = memo(function FlowEdge({
  id, source, target, sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, selected, sourceHandleId,
}) {
  const { actions, edgeStates, statuses, readOnly, dropEdge } = useCanvas();
  const state = useEntry(edgeStates, id) || "";
  const flowing = useEntry(statuses, target)?.state === "RUNNING" && state === "taken";
  const isDropTarget = useSyncExternalStore(dropEdge.subscribe, () => dropEdge.get() === id, () => false);
  const [hovered, setHovered] = useState(false);
  const leaving = useRef(null);
  const enter = () => { clearTimeout(leaving.current); setHovered(true); };
  const leave = () => { leaving.current = setTimeout(() => setHovered(false), LEAVE_MS); };

  const [path, labelX, labelY] = way({
    sourceX, sourceY, sourcePosition, targetX: targetX - 6, targetY, targetPosition,
  });
  const isActive = hovered || selected;
  return (
    <g
      className="oc-edge" data-edge-state={state} data-flowing={flowing} data-error={sourceHandleId === "error"}
      data-active={isActive || isDropTarget} onPointerEnter={enter} onPointerLeave={leave}
    >
      <BaseEdge id={id} path={path} interactionWidth={22} />
      <path className="oc-arrow" d={`M${targetX - 12},${targetY - 5} L${targetX - 4},${targetY} L${targetX - 12},${targetY + 5} Z`} />
      {isActive && !readOnly && (
        <EdgeLabelRenderer>
          <div
            className="oc-edge-tools nodrag nopan" onPointerEnter={enter} onPointerLeave={leave}
            style={{ transform: `translate(-50%, -50%) translate(${labelX}px, ${labelY}px)` }}
          >
            <button
              type="button" aria-label="Insert a node into this connection" title="Insert a node"
              onClick={(event) => actions.insertInto(id, event.currentTarget.getBoundingClientRect())}
            >
              <Plus size={14} strokeWidth={2.4} aria-hidden="true" />
            </button>
            <button type="button" aria-label="Delete this connection" title="Delete" onClick={() => actions.remove([], [id])}>
              <Trash2 size={13} strokeWidth={2.2} aria-hidden="true" />
            </button>
          </div>
        </EdgeLabelRenderer>
      )}
    </g>
  );
});

// The line that follows the pointer while a connection is drawn, with the reason if it may not end there.
export function ConnectionLine({ fromX, fromY, toX, toY, fromPosition, toPosition, connectionStatus, fromHandle, toHandle }) {
  const { actions } = useCanvas();
  const reason = connectionStatus === "invalid" && toHandle ? actions.reasonAgainst(fromHandle, toHandle) : "";
  const [path] = getBezierPath({ sourceX: fromX, sourceY: fromY, sourcePosition: fromPosition, targetX: toX, targetY: toY, targetPosition: toPosition });
  return (
    <g className="oc-drawing" data-status={connectionStatus || ""}>
      <path d={path} className="oc-drawing-path" />
      <circle cx={toX} cy={toY} r={4} />
      {reason && (
        <foreignObject x={toX + 12} y={toY + 8} width={260} height={90} style={{ overflow: "visible" }}>
          <div className="oc-reason">{reason}</div>
        </foreignObject>
      )}
    </g>
  );
}
