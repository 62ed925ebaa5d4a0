// Moving the view: fit the graph, or bring one node into sight.
import { NODE_WIDTH, nodeHeight } from "./graph.js";

const NARROW_PX = 700;
const LEAST_READABLE_ZOOM = 0.5;
const READABLE_ZOOM = 0.7;
const LEAST_ZOOM = 0.1;
const MARGIN_PX = 40;
const TOOLBAR_PX = 64;

export const motionMs = () => (window.matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 200);

// Reckoned from the graph itself, because React Flow cannot fit nodes that it has not drawn yet.
// On a small screen a long graph would shrink to specks: then its beginning is shown in readable size.
export function fitView(flow, frame, nodes, { animated = false } = {}) {
  if (!nodes.length || !frame) return;
  const left = Math.min(...nodes.map((node) => node.position.x));
  const right = Math.max(...nodes.map((node) => node.position.x)) + NODE_WIDTH;
  const top = Math.min(...nodes.map((node) => node.position.y));
  const bottom = Math.max(...nodes.map((node) => node.position.y + nodeHeight(node.data)));
  const width = frame.clientWidth;
  const height = frame.clientHeight - TOOLBAR_PX;
  const isNarrow = width < NARROW_PX;
  const margin = isNarrow ? 24 : 56;
  const whole = Math.min((width - 2 * margin) / (right - left), (height - 2 * margin) / (bottom - top), 1);
  const isWhole = !isNarrow || whole >= LEAST_READABLE_ZOOM;
  const zoom = isWhole ? Math.max(whole, LEAST_ZOOM) : READABLE_ZOOM;
  const first = nodes.reduce((best, node) => (node.position.x < best.position.x ? node : best));
  const middle = isWhole ? (top + bottom) / 2 : first.position.y + nodeHeight(first.data) / 2;
  const x = isWhole ? width / 2 - ((left + right) / 2) * zoom : margin - left * zoom;
  flow.setViewport({ x, y: height / 2 - middle * zoom, zoom }, { duration: animated ? motionMs() : 0 });
}

export function reveal(flow, frame, node) {
  if (!frame) return;
  const { x, y, zoom } = flow.getViewport();
  const left = node.position.x * zoom + x;
  const top = node.position.y * zoom + y;
  const right = left + NODE_WIDTH * zoom;
  const bottom = top + nodeHeight(node.data) * zoom;
  const shift = (low, high, size) => {
    if (low < MARGIN_PX) return MARGIN_PX - low;
    return high > size - MARGIN_PX ? size - MARGIN_PX - high : 0;
  };
  const dx = shift(left, right, frame.clientWidth);
  const dy = shift(top, bottom, frame.clientHeight);
  if (dx || dy) flow.setViewport({ x: x + dx, y: y + dy, zoom }, { duration: motionMs() });
}
