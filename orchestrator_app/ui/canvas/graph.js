// Pure functions on the canvas' graph: shapes, free places, refusals. No React in here, so that tests can run it.

export const GRID = 16;
export const NODE_WIDTH = 256;
export const HEADER_HEIGHT = 64;
export const ROW_HEIGHT = 24;
export const GAP_X = 80;
export const GAP_Y = 32;
export const IN_HANDLE = "in";
export const OUT_HANDLE = "out";
export const ALWAYS_HANDLE = "*always";

const snap = (value) => Math.round(value / GRID) * GRID;
export const snapped = ({ x, y }) => ({ x: snap(x), y: snap(y) });

export const normalHandles = (data) => (data.handles || []).filter((handle) => !handle.isError);
export const errorHandle = (data) => (data.handles || []).find((handle) => handle.isError);

// A node with one normal output shows no names; one with several shows a row for each.
export const hasRows = (data) => normalHandles(data).length > 1;

export function nodeHeight(data) {
  return hasRows(data) ? HEADER_HEIGHT + normalHandles(data).length * ROW_HEIGHT + 8 : HEADER_HEIGHT;
}

// The handle an edge is drawn from. Imported edges may leave it out or call it otherwise; only branches are named.
export function drawnHandle(data, handle) {
  const known = (data?.handles || []).some((item) => item.id === handle);
  if (known) return handle;
  const normal = normalHandles(data || {});
  if (normal.length === 1 && handle !== "error") return normal[0].id;
  return handle || ALWAYS_HANDLE;
}

export function toFlow(graph) {
  const nodes = (graph.nodes || []).map((node) => ({
    id: node.id,
    type: "card",
    position: { x: node.x, y: node.y },
    data: {
      kind: node.kind,
      label: node.label,
      summary: node.summary || "",
      disabled: Boolean(node.disabled),
      handles: node.handles || [],
    },
  }));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const edges = (graph.edges || []).map((edge) => toFlowEdge(edge, byId.get(edge.source)?.data));
  return { nodes, edges };
}

export function toFlowEdge(edge, sourceData) {
  return {
    id: edge.id,
    type: "flow",
    source: edge.source,
    target: edge.target,
    sourceHandle: drawnHandle(sourceData, edge.sourceHandle || ""),
    targetHandle: IN_HANDLE,
    data: { sourceHandle: edge.sourceHandle || "" },
  };
}

export const edgeId = (source, sourceHandle, target) => `e-${source}-${sourceHandle}-${target}`;

export function newNodeId(random = crypto.getRandomValues(new Uint32Array(2))) {
  return `n${[...random].map((part) => part.toString(36)).join("")}`;
}

// "Remote webhook", "Remote webhook 2", … : expressions name nodes by their label, so each is its own.
export function uniqueLabel(wanted, taken) {
  const names = new Set(taken);
  if (!names.has(wanted)) return wanted;
  const stem = wanted.replace(/ \d+$/, "") || wanted;
  for (let number = 2; ; number += 1) {
    const label = `${stem} ${number}`;
    if (!names.has(label)) return label;
  }
}

function leadsTo(edges, start, goal) {
  const next = new Map();
  for (const edge of edges) {
    if (!next.has(edge.source)) next.set(edge.source, []);
    next.get(edge.source).push(edge.target);
  }
  const todo = [start];
  const seen = new Set();
  while (todo.length) {
    const id = todo.pop();
    if (id === goal) return true;
    if (seen.has(id)) continue;
    seen.add(id);
    todo.push(...(next.get(id) || []));
  }
  return false;
}

// Why two nodes cannot be connected, as a sentence; empty if they can.
export function refusal({ source, sourceHandle, target }, nodes, edges) {
  const label = (id) => nodes.find((node) => node.id === id)?.data.label || "this node";
  if (!source || !target) return "";
  if (source === target) return "A node cannot lead to itself.";
  if (edges.some((edge) => edge.source === source && edge.sourceHandle === sourceHandle && edge.target === target)) {
    return `“${label(source)}” already leads to “${label(target)}”.`;
  }
  if (leadsTo(edges, target, source)) {
    return `That would make a loop: “${label(target)}” already leads to “${label(source)}”.`;
  }
  return "";
}

const overlaps = (a, b) =>
  a.x < b.x + b.width + GAP_Y / 2 && b.x < a.x + a.width + GAP_Y / 2
  && a.y < b.y + b.height + GAP_Y / 2 && b.y < a.y + a.height + GAP_Y / 2;

const boxOf = (node) => ({
  x: node.position.x, y: node.position.y, width: NODE_WIDTH, height: nodeHeight(node.data),
});

// The nearest place at or around `wanted` where a node of that height covers no other: first below, then above.
export function freePlace(wanted, nodes, height = HEADER_HEIGHT) {
  const boxes = nodes.map(boxOf);
  const start = snapped(wanted);
  for (let step = 0; step < 400; step += 1) {
    for (const y of step === 0 ? [start.y] : [start.y + step * GRID, start.y - step * GRID]) {
      const box = { x: start.x, y, width: NODE_WIDTH, height };
      if (!boxes.some((other) => overlaps(box, other))) return { x: box.x, y: box.y };
    }
  }
  return start;
}

// The output a new node would join when it is added beside `node`: the error output only for an error boundary.
export function freeOutput(node, edges, kind) {
  const used = new Set(edges.filter((edge) => edge.source === node.id).map((edge) => edge.sourceHandle));
  const error = errorHandle(node.data);
  if (kind === "ErrorBoundary") return error && !used.has(error.id) ? error.id : null;
  return normalHandles(node.data).find((handle) => !used.has(handle.id))?.id ?? null;
}

// Where a node that follows `node` through `handle` stands best, before looking for a free place.
export function placeAfter(node, handle) {
  const normal = normalHandles(node.data);
  const row = normal.findIndex((item) => item.id === handle);
  const x = node.position.x + NODE_WIDTH + GAP_X;
  if (errorHandle(node.data)?.id === handle) {
    return { x, y: node.position.y + nodeHeight(node.data) + 2 * GAP_Y };
  }
  const offset = row > 0 ? row * (HEADER_HEIGHT + GAP_Y) : 0;
  return { x, y: node.position.y + offset };
}

// What is copied: the chosen nodes and the edges among them.
export function clip(nodes, edges) {
  const ids = new Set(nodes.map((node) => node.id));
  return {
    nodes: nodes.map((node) => ({ id: node.id, position: node.position, data: node.data })),
    edges: edges.filter((edge) => ids.has(edge.source) && ids.has(edge.target)),
  };
}

// New nodes and edges like the clipped ones, moved by `shift`; labels and ids are new.
export function copies(clipped, shift, takenLabels, makeId = newNodeId) {
  const labels = [...takenLabels];
  const newIds = new Map();
  const nodes = clipped.nodes.map((node) => {
    const id = makeId();
    const label = uniqueLabel(node.data.label, labels);
    labels.push(label);
    newIds.set(node.id, id);
    const position = snapped({ x: node.position.x + shift.x, y: node.position.y + shift.y });
    return { id, type: "card", position, selected: true, copyOf: node.id, data: { ...node.data, label } };
  });
  const edges = clipped.edges.map((edge) => {
    const source = newIds.get(edge.source);
    const target = newIds.get(edge.target);
    return { ...edge, id: edgeId(source, edge.sourceHandle, target), source, target, selected: false };
  });
  return { nodes, edges };
}

export const addOp = (node, copyOf = "") => ({
  op: "add", id: node.id, kind: node.data.kind, label: node.data.label,
  x: node.position.x, y: node.position.y, ...(copyOf ? { copyOf } : {}),
});

export const connectOp = (edge) => ({
  op: "connect", id: edge.id, source: edge.source, target: edge.target,
  sourceHandle: edge.data?.sourceHandle ?? edge.sourceHandle, targetHandle: "",
});

export const makeEdge = (source, sourceHandle, target) => ({
  id: edgeId(source, sourceHandle, target), type: "flow", source, target, sourceHandle, targetHandle: IN_HANDLE,
  data: { sourceHandle },
});
