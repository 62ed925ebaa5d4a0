// One node on the canvas: what it is, how it is doing, what is wrong with it, and where edges meet it.
import { memo, useEffect, useState, useSyncExternalStore } from "react";
import { Handle, NodeToolbar, Position, useNodeConnections, useUpdateNodeInternals } from "@xyflow/react";
import { CircleAlert, CirclePause, CloudOff, Copy, Ellipsis, GitCompareArrows, Plus, Power, Trash2, TriangleAlert } from "lucide-react";
import { fastClock, formatDuration, stoppedClock } from "./durations.js";
import { ALWAYS_HANDLE, HEADER_HEIGHT, IN_HANDLE, ROW_HEIGHT, errorHandle, hasRows, normalHandles } from "./graph.js";
import { KindIcon, STATES } from "./icons.jsx";
import { shownKeys } from "./keyboard.js";
import { elapsedMs, isLive, useCanvas, useEntry } from "./live.js";

function StatusPill({ id, status }) {
  const look = STATES[status.state] || STATES.PENDING;
  const live = isLive(status);
  const clock = live ? fastClock : stoppedClock;
  const text = useSyncExternalStore(clock.subscribe, () => formatDuration(elapsedMs(status), { live }), () => "");
  return (
    <span className="oc-pill" data-color={look.color} data-testid={`status-${id}`} title={status.note || undefined}>
      <look.Icon size={13} strokeWidth={2.2} aria-hidden="true" className={status.state === "RUNNING" ? "oc-spin" : ""} />
      <span>{look.text}</span>
      {text && <span className="oc-pill-time">{text}</span>}
      {status.attempt > 1 && <span className="oc-pill-attempt" title={`Attempt ${status.attempt}`}>×{status.attempt}</span>}
    </span>
  );
}

function ProblemMark({ problems }) {
  const [open, setOpen] = useState(false);
  const blocking = problems.some((problem) => problem.blocks !== "nothing");
  const Icon = blocking ? CircleAlert : TriangleAlert;
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  return (
    <>
      <span
        className="oc-problem" data-blocking={blocking} role="img"
        aria-label={`${count}: ${problems.map((problem) => problem.message).join(" ")}`}
        onPointerEnter={() => setOpen(true)} onPointerLeave={() => setOpen(false)}
      >
        <Icon size={14} strokeWidth={2.4} aria-hidden="true" />
      </span>
      <NodeToolbar isVisible={open} position={Position.Top} align="start" offset={12} className="oc-tooltip">
        <strong>{count}</strong>
        <ul>{problems.slice(0, 6).map((problem, index) => <li key={index}>{problem.message}</li>)}</ul>
        {problems.length > 6 && <div>and {problems.length - 6} more</div>}
      </NodeToolbar>
    </>
  );
}

const MARKS = {
  deleted: { title: "Workflow is gone", Icon: CloudOff },
  inactive: { title: "Workflow is switched off", Icon: CirclePause },
  changed: { title: "Workflow was changed", Icon: GitCompareArrows },
};

function WorkflowMark({ mark, isSecond }) {
  const [open, setOpen] = useState(false);
  const { title, Icon } = MARKS[mark.state] || MARKS.changed;
  return (
    <>
      <span
        className="oc-mark" data-mark={mark.state} data-second={isSecond} role="img" aria-label={`${title}: ${mark.message}`}
        onPointerEnter={() => setOpen(true)} onPointerLeave={() => setOpen(false)}
      >
        <Icon size={13} strokeWidth={2.4} aria-hidden="true" />
      </span>
      <NodeToolbar isVisible={open} position={Position.Top} align="start" offset={12} className="oc-tooltip">
        <strong>{title}</strong>
        <div>{mark.message}</div>
      </NodeToolbar>
    </>
  );
}

function PlusButton({ nodeId, handle, name }) {
  const { actions } = useCanvas();
  return (
    <button
      type="button" className="oc-plus nodrag nopan" tabIndex={-1}
      aria-label={name ? `Add a node after “${name}”` : "Add a node after this one"} title="Add a node here"
      onPointerDown={(event) => event.stopPropagation()}
      onClick={(event) => {
        event.stopPropagation();
        actions.addAfter(nodeId, handle, event.currentTarget.getBoundingClientRect());
      }}
    >
      <Plus size={14} strokeWidth={2.4} aria-hidden="true" />
    </button>
  );
}

function Output({ nodeId, handle, top, connected, readOnly, className = "", name = "" }) {
  return (
    <>
      <Handle
        type="source" id={handle.id} position={Position.Right} style={{ top }} isConnectable={!readOnly}
        className={`${className} ${connected ? "oc-connected" : ""}`} title={name || undefined}
      />
      {!readOnly && !connected && (
        <span className="oc-plus-place" style={{ top }}><PlusButton nodeId={nodeId} handle={handle.id} name={name} /></span>
      )}
    </>
  );
}

function QuickActions({ id, data }) {
  const { actions } = useCanvas();
  return (
    <NodeToolbar position={Position.Top} align="end" offset={16} className="oc-toolbar" role="toolbar" aria-label={`${data.label}: actions`}>
      <button type="button" aria-label="Duplicate" title={`Duplicate (${shownKeys("Ctrl+D")})`} onClick={() => actions.duplicate([id])}>
        <Copy size={15} aria-hidden="true" />
      </button>
      <button
        type="button" aria-label={data.disabled ? "Enable" : "Disable"} title={data.disabled ? "Enable" : "Disable"}
        aria-pressed={data.disabled} onClick={() => actions.setDisabled([id], !data.disabled)}
      >
        <Power size={15} aria-hidden="true" />
      </button>
      <button type="button" aria-label="Delete" title="Delete (Del)" onClick={() => actions.remove([id], [])}>
        <Trash2 size={15} aria-hidden="true" />
      </button>
      <button
        type="button" aria-label="More actions" title="More actions" aria-haspopup="menu"
        onClick={(event) => actions.openNodeMenu(id, event.currentTarget.getBoundingClientRect())}
      >
        <Ellipsis size={15} aria-hidden="true" />
      </button>
    </NodeToolbar>
  );
}

export const NodeCard = memo(function NodeCard({ id, data, selected, dragging }) {
  const { statuses, problems, marks, kinds, readOnly, soleSelected } = useCanvas();
  const kind = kinds.get(data.kind);
  const status = useEntry(statuses, id);
  const own = useEntry(problems, id);
  const mark = useEntry(marks, id);
  const sole = useSyncExternalStore(soleSelected.subscribe, () => soleSelected.get() === id, () => false);
  const connections = useNodeConnections({ id, handleType: "source" });
  const used = new Set(connections.map((connection) => connection.sourceHandle));

  const rows = hasRows(data);
  const normal = normalHandles(data);
  const error = errorHandle(data);
  const known = new Set((data.handles || []).map((handle) => handle.id));
  const lost = [...used].filter((handle) => handle && !known.has(handle));
  const updateInternals = useUpdateNodeInternals();
  const layoutKey = [...known, "|", ...lost].join("\n");
  useEffect(() => { updateInternals(id); }, [id, layoutKey, updateInternals]);

  const rowTop = (index) => HEADER_HEIGHT + index * ROW_HEIGHT + ROW_HEIGHT / 2 - (rows ? 0 : 8);
  const state = status?.state || "";
  return (
    <div
      className="oc-node" data-testid={`node-${id}`} data-state={state} data-kind={data.kind}
      data-selected={selected} data-disabled={data.disabled} data-dragging={dragging}
    >
      <Handle type="target" id={IN_HANDLE} position={Position.Left} style={{ top: HEADER_HEIGHT / 2 }} isConnectable={!readOnly} />
      <div className="oc-head">
        <KindIcon kind={kind} />
        <div className="oc-text">
          <div className="oc-label" title={data.label}>{data.label}</div>
          <div className="oc-summary" title={data.summary || undefined}>
            <span className="oc-kind">{data.disabled ? "Disabled" : kind?.title || data.kind}</span>
            {data.summary && <span className="oc-detail">{data.summary}</span>}
          </div>
        </div>
      </div>
      {rows && (
        <div className="oc-rows">
          {normal.map((handle) => <div key={handle.id} className="oc-row" title={handle.label}>{handle.label || handle.id}</div>)}
        </div>
      )}
      {lost.map((handle) => (
        <div key={handle} className="oc-row oc-lost" title="This branch no longer exists. Connect the edge to another one.">
          {handle === ALWAYS_HANDLE ? "always" : `${handle} (gone)`}
        </div>
      ))}
      {normal.map((handle, index) => (
        <Output
          key={handle.id} nodeId={id} handle={handle} top={rows ? rowTop(index) : HEADER_HEIGHT / 2}
          connected={used.has(handle.id)} readOnly={readOnly} name={rows ? handle.label || handle.id : ""}
        />
      ))}
      {lost.map((handle, index) => (
        <Handle
          key={handle} type="source" id={handle} position={Position.Right} isConnectable={false}
          className="oc-lost-handle" style={{ top: rowTop(rows ? normal.length + index : index) }}
        />
      ))}
      {error && (
        <span className="oc-error" data-connected={used.has(error.id)}>
          <span className="oc-error-name">{error.label || "error"}</span>
          <Handle
            type="source" id={error.id} position={Position.Bottom} isConnectable={!readOnly} className="oc-error-handle"
            title="Where the run goes on when this node fails"
          />
        </span>
      )}
      {own?.length > 0 && <ProblemMark problems={own} />}
      {mark && <WorkflowMark mark={mark} isSecond={own?.length > 0} />}
      {state && <StatusPill id={id} status={status} />}
      {sole && !readOnly && !dragging && <QuickActions id={id} data={data} />}
    </div>
  );
});
