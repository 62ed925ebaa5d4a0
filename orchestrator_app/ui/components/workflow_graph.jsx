// The graph of a remote workflow: cards and ways, to look at, move around and zoom.
import { memo, useEffect, useMemo, useRef } from "react";
import { Background, BackgroundVariant, Handle, MarkerType, Panel, Position, ReactFlow, ReactFlowProvider, useReactFlow } from "@xyflow/react";
import { Bot, Box, Globe, Maximize, Minus, Plus, Split, Zap } from "lucide-react";
import "@xyflow/react/dist/base.css";
import { placesOfSteps } from "$/public/external/orchestrator_app/ui/canvas/flow_canvas/layout.js";
import { STEP_HEIGHT, STEP_WIDTH } from "$/public/external/orchestrator_app/ui/canvas/flow_canvas/tools.js";
import { motionMs } from "$/public/external/orchestrator_app/ui/canvas/flow_canvas/view.js";

const LEAST_READABLE_ZOOM = 0.5;
const READABLE_ZOOM = 0.7;
const MARGIN_PX = 24;
const TOOLS_PX = 40;
const MANY_STEPS = 150;

const ICONS = [
  [/trigger|webhook|start|hook/i, Zap],
  [/http|request|url/i, Globe],
  [/if$|switch|router|filter|condition|branch/i, Split],
  [/agent|llm|openai|anthropic|chat|model|langchain/i, Bot],
];
const iconOf = ({ isTrigger, kind }) => (isTrigger ? Zap : ICONS.find(([words]) => words.test(kind))?.[1] ?? Box);

// Colour alone does not tell what changed.
const CHANGES = { added: "Added", removed: "Removed", changed: "Changed" };

// "n8n-nodes-base.httpRequest" and "http:ActionSendData" are read as "httpRequest" and "ActionSendData".
const shortKind = (kind) => kind.split(/[.:]/).filter(Boolean).at(-1) ?? "";

const Step = memo(function Step({ data }) {
  const Icon = iconOf(data);
  return (
    <div
      className="o-step" data-disabled={data.isDisabled} data-trigger={data.isTrigger} data-change={data.change}
      title={data.notes || undefined}
      style={{ width: STEP_WIDTH, height: STEP_HEIGHT }}
    >
      <Handle type="target" id="in" position={Position.Left} isConnectable={false} />
      <Handle type="target" id="tools" position={Position.Bottom} isConnectable={false} />
      <span className="o-step-icon" data-color={data.isTrigger ? "amber" : "indigo"}><Icon size={16} aria-hidden="true" /></span>
      <span className="o-step-text">
        <span className="o-step-name">{data.label}</span>
        <span className="o-step-kind">{[CHANGES[data.change], data.isTrigger && "Trigger", data.isDisabled && "Disabled", shortKind(data.kind)].filter(Boolean).join(" · ")}</span>
      </span>
      <Handle type="source" id="out" position={Position.Right} isConnectable={false} />
      <Handle type="source" id="serves" position={Position.Top} isConnectable={false} />
    </div>
  );
});
const NODE_TYPES = { step: Step };

function drawn(graph) {
  const nodes = graph?.nodes ?? [];
  const known = new Set(nodes.map((node) => node.id));
  const edges = (graph?.edges ?? []).filter((edge) => known.has(edge.source) && known.has(edge.target));
  const places = placesOfSteps(nodes, edges);
  return {
    nodes: nodes.map((node) => ({
      id: node.id, type: "step", position: places.get(node.id), data: node, width: STEP_WIDTH, height: STEP_HEIGHT,
    })),
    edges: edges.map(({ source, target, label, kind }, index) => {
      const isTool = kind === "tool";
      // A tool that hangs below what it serves is met from below; one that stands in the main way, from the side.
      const hangs = isTool && places.get(source).y > places.get(target).y;
      return {
        id: String(index), source, target, label: label || undefined, className: `o-way o-way-${kind}`,
        sourceHandle: hangs ? "serves" : "out", targetHandle: hangs ? "tools" : "in",
        ...(!isTool && { markerEnd: { type: MarkerType.ArrowClosed, width: 16, height: 16, color: kind === "error" ? "var(--red-9)" : "var(--gray-9)" } }),
        labelBgPadding: [6, 3], labelBgBorderRadius: 6,
      };
    }),
  };
}

// A long workflow would shrink to specks: then its beginning is shown in readable size.
function fit(flow, frame, nodes, duration) {
  if (!nodes.length || !frame?.clientWidth) return;
  const left = Math.min(...nodes.map((node) => node.position.x));
  const right = Math.max(...nodes.map((node) => node.position.x)) + STEP_WIDTH;
  const top = Math.min(...nodes.map((node) => node.position.y));
  const bottom = Math.max(...nodes.map((node) => node.position.y)) + STEP_HEIGHT;
  const width = frame.clientWidth;
  const height = frame.clientHeight - TOOLS_PX;
  const whole = Math.min((width - 2 * MARGIN_PX) / (right - left), (height - 2 * MARGIN_PX) / (bottom - top), 1);
  const isWhole = whole >= LEAST_READABLE_ZOOM;
  const zoom = isWhole ? whole : READABLE_ZOOM;
  const first = nodes.reduce((best, node) => (node.position.x < best.position.x ? node : best));
  const middle = isWhole ? (top + bottom) / 2 : first.position.y + STEP_HEIGHT / 2;
  const x = isWhole ? width / 2 - ((left + right) / 2) * zoom : MARGIN_PX - left * zoom;
  flow.setViewport({ x, y: height / 2 - middle * zoom, zoom }, { duration });
}

function Graph({ graph, colorMode, label }) {
  const flow = useReactFlow();
  const frame = useRef(null);
  const text = JSON.stringify(graph ?? {});
  const { nodes, edges } = useMemo(() => drawn(JSON.parse(text)), [text]);
  useEffect(() => {
    const observer = new ResizeObserver(() => fit(flow, frame.current, nodes, 0));
    observer.observe(frame.current);
    return () => observer.disconnect();
  }, [flow, nodes]);
  const whole = () => flow.fitView({ padding: 0.08, maxZoom: 1, duration: motionMs() });
  return (
    <div ref={frame} className="o-steps" role="group" aria-label={label}>
      <ReactFlow
        nodes={nodes} edges={edges} nodeTypes={NODE_TYPES} colorMode={colorMode} minZoom={0.1} maxZoom={1.5}
        nodesDraggable={false} nodesConnectable={false} nodesFocusable={false} edgesFocusable={false} elementsSelectable={false}
        zoomOnScroll={false} preventScrolling={false} zoomOnDoubleClick={false} deleteKeyCode={null} disableKeyboardA11y
        onlyRenderVisibleElements={nodes.length > MANY_STEPS}
      >
        <Background variant={BackgroundVariant.Dots} gap={16} size={1} />
        <Panel position="bottom-left" className="o-steps-tools">
          <button type="button" aria-label="Zoom out" title="Zoom out" onClick={() => flow.zoomOut({ duration: motionMs() })}><Minus size={14} aria-hidden="true" /></button>
          <button type="button" aria-label="Zoom in" title="Zoom in" onClick={() => flow.zoomIn({ duration: motionMs() })}><Plus size={14} aria-hidden="true" /></button>
          <button type="button" aria-label="Show all steps" title="Show all steps" onClick={whole}><Maximize size={14} aria-hidden="true" /></button>
        </Panel>
      </ReactFlow>
    </div>
  );
}

export function WorkflowGraph({ graph, colorMode = "light", label = "Steps" }) {
  return <ReactFlowProvider><Graph graph={graph} colorMode={colorMode} label={label} /></ReactFlowProvider>;
}
