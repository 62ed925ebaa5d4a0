// Tidies graphs: layers from left to right, as few crossings as the library finds.
import { Graph, layout } from "@dagrejs/dagre";
import { GAP_X, GAP_Y, HEADER_HEIGHT, NODE_WIDTH, nodeHeight, normalHandles, snapped } from "./graph.js";
import { STEP_HEIGHT, boxesOf, placesIn } from "./tools.js";

// Edges meet a node at the middle of its header, not of its box. A box mirrored at that line makes chains straight.
const mirroredHeight = (data) => 2 * Math.max(HEADER_HEIGHT / 2, nodeHeight(data) - HEADER_HEIGHT / 2);

// Branches are drawn from top to bottom in the order of their outputs, the error branch last. Only nodes that hang on
// one edge are ordered: for the others the library finds what crosses least.
function branchOrder(sortedEdges) {
  const incoming = new Map();
  for (const edge of sortedEdges) incoming.set(edge.target, (incoming.get(edge.target) ?? 0) + 1);
  const last = new Map();
  const constraints = [];
  for (const { source, target } of sortedEdges) {
    if (incoming.get(target) !== 1) continue;
    if (last.has(source)) constraints.push({ left: last.get(source), right: target });
    last.set(source, target);
  }
  return constraints;
}

export function tidy(nodes, edges) {
  if (!nodes.length) return new Map();
  const graph = new Graph({ multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: GAP_Y, ranksep: GAP_X, edgesep: 16 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of nodes) graph.setNode(node.id, { width: NODE_WIDTH, height: mirroredHeight(node.data) });
  const order = new Map(nodes.map((node) => [node.id, normalHandles(node.data).map((handle) => handle.id)]));
  const rank = (edge) => {
    const index = order.get(edge.source)?.indexOf(edge.sourceHandle) ?? -1;
    return index < 0 ? Number.MAX_SAFE_INTEGER : index;
  };
  const sorted = [...edges].sort((a, b) => rank(a) - rank(b));
  for (const edge of sorted) {
    graph.setEdge(edge.source, edge.target, { weight: rank(edge) === 0 ? 3 : 1 }, edge.id);
  }
  layout(graph, { constraints: branchOrder(sorted) });
  const left = Math.min(...nodes.map((node) => node.position.x));
  const top = Math.min(...nodes.map((node) => node.position.y));
  const placed = nodes.map((node) => {
    const { x, y } = graph.node(node.id);
    return [node.id, { x: x - NODE_WIDTH / 2, y: y - HEADER_HEIGHT / 2 }];
  });
  const newLeft = Math.min(...placed.map(([, place]) => place.x));
  const newTop = Math.min(...placed.map(([, place]) => place.y));
  return new Map(placed.map(([id, place]) => [
    id, snapped({ x: place.x - newLeft + left, y: place.y - newTop + top }),
  ]));
}

// Where the steps of a remote workflow stand: layers from left to right, tools below the step that they serve.
export function placesOfSteps(nodes, edges) {
  const held = boxesOf(nodes, edges);
  const graph = new Graph({ multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: 28, ranksep: 56, edgesep: 16 });
  graph.setDefaultEdgeLabel(() => ({}));
  // Ways meet a step at its own middle, not at that of its box: a box mirrored at that line makes chains straight.
  for (const id of held.tops) {
    const { width, height } = held.boxes.get(id);
    graph.setNode(id, { width, height: 2 * (height - STEP_HEIGHT / 2) });
  }
  const ways = edges.filter(({ source, target }) => graph.hasNode(source) && graph.hasNode(target) && source !== target);
  ways.sort((a, b) => Number(a.kind === "error") - Number(b.kind === "error"));
  ways.forEach(({ source, target }, index) => graph.setEdge(source, target, { weight: 1 }, String(index)));
  layout(graph, { constraints: branchOrder(ways) });
  const corners = new Map(held.tops.map((id) => {
    const { x, y, width } = graph.node(id);
    return [id, { x: x - width / 2, y: y - STEP_HEIGHT / 2 }];
  }));
  return placesIn(held, corners);
}
