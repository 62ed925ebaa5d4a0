// The graph as the browser holds it. It changes here first; the server gets small operations and answers only if
// it disagrees, by a graph with a new revision.
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { applyEdgeChanges, applyNodeChanges } from "@xyflow/react";
import { drawnHandle, toFlow } from "./graph.js";

const SETTLE_MS = 120;
const named = (node) => (node.ariaLabel === node.data.label ? node : { ...node, ariaLabel: node.data.label });

export function useGraphState({ graph, patches, readOnly, onOps, onLoaded }) {
  const [nodes, setNodes] = useState([]);
  const [edges, setEdges] = useState([]);
  const [isLoaded, setIsLoaded] = useState(false);
  // Handlers may run several times before React draws; the newest graph is always in here.
  const now = useRef({ nodes, edges });
  const latest = useRef({});
  latest.current = { onOps, onLoaded, readOnly };

  const change = useCallback((next) => {
    if (next.nodes) {
      now.current.nodes = next.nodes.map(named);
      setNodes(now.current.nodes);
    }
    if (next.edges) {
      now.current.edges = next.edges;
      setEdges(next.edges);
    }
  }, []);

  const moved = useRef(new Set());
  const timer = useRef(null);
  const send = useCallback((ops) => {
    if (ops.length && !latest.current.readOnly) latest.current.onOps?.(ops);
  }, []);
  // Dragging, a selection's frame and arrow keys all end here, as one list of moves per gesture.
  const flush = useCallback(() => {
    clearTimeout(timer.current);
    if (!moved.current.size) return;
    const ops = now.current.nodes.filter((node) => moved.current.has(node.id))
      .map((node) => ({ op: "move", id: node.id, x: Math.round(node.position.x), y: Math.round(node.position.y) }));
    moved.current.clear();
    send(ops);
  }, [send]);
  const settle = useCallback(() => {
    clearTimeout(timer.current);
    timer.current = setTimeout(flush, SETTLE_MS);
  }, [flush]);
  useEffect(() => flush, [flush]);
  // A button outside, such as Save, means the graph as it is seen: what moved last goes before what the click sends.
  useEffect(() => {
    window.addEventListener("click", flush, true);
    return () => window.removeEventListener("click", flush, true);
  }, [flush]);
  const emit = useCallback((ops) => { flush(); send(ops); }, [flush, send]);

  const shownRevision = useRef(null);
  useEffect(() => {
    if (graph?.rev === undefined || graph.rev === null || graph.rev === shownRevision.current) return;
    const isFirst = shownRevision.current === null;
    shownRevision.current = graph.rev;
    moved.current.clear();
    const fresh = toFlow(graph);
    const before = new Map(now.current.nodes.map((node) => [node.id, node]));
    change({
      nodes: fresh.nodes.map((node) => ({ ...before.get(node.id), ...node })),
      edges: fresh.edges,
    });
    setIsLoaded(true);
    if (isFirst || graph.fit) latest.current.onLoaded?.(fresh.nodes.length);
  }, [graph, change]);

  useEffect(() => {
    if (!patches || !Object.keys(patches).length) return;
    const withHandles = new Map();
    let isChanged = false;
    const nextNodes = now.current.nodes.map((node) => {
      const patch = patches[node.id];
      const fresh = patch && Object.fromEntries(
        Object.entries(patch).filter(([key, value]) => JSON.stringify(node.data[key]) !== JSON.stringify(value)),
      );
      if (!fresh || !Object.keys(fresh).length) return node;
      isChanged = true;
      const data = { ...node.data, ...fresh };
      if (fresh.handles) withHandles.set(node.id, data);
      return { ...node, data };
    });
    if (!isChanged) return;
    change({
      nodes: nextNodes,
      ...(withHandles.size && {
        edges: now.current.edges.map((edge) => (withHandles.has(edge.source)
          ? { ...edge, sourceHandle: drawnHandle(withHandles.get(edge.source), edge.data?.sourceHandle ?? edge.sourceHandle) }
          : edge)),
      }),
    });
  }, [patches, graph, change]);

  const onNodesChange = useCallback((changes) => {
    change({ nodes: applyNodeChanges(changes, now.current.nodes) });
    for (const item of changes) {
      if (item.type !== "position" || latest.current.readOnly) continue;
      if (item.position) moved.current.add(item.id);
      if (!item.dragging && moved.current.size) settle();
    }
  }, [change, settle]);
  const onEdgesChange = useCallback((changes) => {
    change({ edges: applyEdgeChanges(changes, now.current.edges) });
  }, [change]);

  return useMemo(
    () => ({ nodes, edges, now, isLoaded, change, emit, flush, settle, moved, onNodesChange, onEdgesChange }),
    [nodes, edges, isLoaded, change, emit, flush, settle, onNodesChange, onEdgesChange],
  );
}
