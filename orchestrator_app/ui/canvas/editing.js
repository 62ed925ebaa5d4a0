// What a user can do to the graph. Each act changes the browser's graph and sends one list of operations.
import {
  GRID, HEADER_HEIGHT, NODE_WIDTH, addOp, clip, connectOp, copies, freeOutput, freePlace, makeEdge,
  newNodeId, nodeHeight, placeAfter, refusal, snapped, uniqueLabel,
} from "./graph.js";
import { tidy } from "./layout.js";

// Copied nodes outlive the page they were copied from, so that they can be pasted into another orchestrator.
let clipboard = null;
let pastes = 0;

const unselected = (items) => items.map((item) => (item.selected ? { ...item, selected: false } : item));
const byPlace = (node) => ({ x: Math.round(node.position.x), y: Math.round(node.position.y) });

export function createEditing({ graph, kinds, say, viewCentre, reveal, onCopy, onAdded }) {
  const { now, change, emit } = graph;
  const nodeById = (id) => now.current.nodes.find((node) => node.id === id);
  const edgeById = (id) => now.current.edges.find((edge) => edge.id === id);
  const selectedIds = () => now.current.nodes.filter((node) => node.selected).map((node) => node.id);
  const labels = () => now.current.nodes.map((node) => node.data.label);

  const newNode = (kindName, position) => {
    const kind = kinds.get(kindName);
    const data = {
      kind: kindName,
      label: uniqueLabel(kind?.title || kindName, labels()),
      summary: "",
      disabled: false,
      handles: kind?.handles ?? [],
    };
    return { id: newNodeId(), type: "card", position: snapped(position), data, selected: true };
  };

  const insert = (node, { edges = [], without = [], ops = [] } = {}) => {
    const gone = new Set(without.map((edge) => edge.id));
    change({
      nodes: [...unselected(now.current.nodes), node],
      edges: [...unselected(now.current.edges).filter((edge) => !gone.has(edge.id)), ...edges],
    });
    emit([
      addOp({ ...node, position: byPlace(node) }),
      ...without.map((edge) => ({ op: "disconnect", id: edge.id })),
      ...edges.map(connectOp),
      ...ops,
    ]);
    reveal(node);
    onAdded(node.id);
  };

  const centred = ({ x, y }) => ({ x: x - NODE_WIDTH / 2, y: y - HEADER_HEIGHT / 2 });

  // `exactly`: where the user dropped it, even if that covers another node.
  const addAt = (kindName, centre, { exactly = false } = {}) => {
    const place = centred(centre);
    insert(newNode(kindName, exactly ? place : freePlace(place, now.current.nodes)));
  };

  const addAfter = (kindName, sourceId, handle, place = null) => {
    const source = nodeById(sourceId);
    if (!source) return;
    const node = newNode(kindName, freePlace(place ?? placeAfter(source, handle), now.current.nodes));
    insert(node, { edges: [makeEdge(sourceId, handle, node.id)] });
  };

  // Pressed in the palette: behind the selected node if that has a free output, otherwise in the middle of the view.
  const addNearSelection = (kindName) => {
    const [id, ...more] = selectedIds();
    const source = id && !more.length ? nodeById(id) : null;
    const handle = source && freeOutput(source, now.current.edges, kindName);
    if (handle) addAfter(kindName, source.id, handle);
    else if (source) insert(newNode(kindName, freePlace(placeAfter(source, ""), now.current.nodes)));
    else addAt(kindName, viewCentre());
  };

  const insertInto = (kindName, id, at = null) => {
    const edge = edgeById(id);
    const source = edge && nodeById(edge.source);
    const target = edge && nodeById(edge.target);
    if (!source || !target) return;
    const middle = {
      x: (source.position.x + target.position.x) / 2,
      y: (source.position.y + target.position.y) / 2,
    };
    const node = newNode(kindName, at ? centred(at) : freePlace(middle, now.current.nodes));
    const onward = node.data.handles.find((item) => !item.isError);
    insert(node, {
      without: [edge],
      edges: [
        { ...makeEdge(edge.source, edge.sourceHandle, node.id), data: edge.data },
        ...(onward ? [makeEdge(node.id, onward.id, edge.target)] : []),
      ],
    });
  };

  const reasonAgainst = (connection) => refusal(connection, now.current.nodes, now.current.edges);

  const connect = (connection) => {
    const reason = reasonAgainst(connection);
    if (reason) { say(reason); return; }
    const edge = makeEdge(connection.source, connection.sourceHandle, connection.target);
    change({ edges: [...now.current.edges, edge] });
    emit([connectOp(edge)]);
  };

  const reconnect = (old, connection) => {
    if (old.target === connection.target && old.sourceHandle === connection.sourceHandle && old.source === connection.source) return;
    const others = now.current.edges.filter((edge) => edge.id !== old.id);
    const reason = refusal(connection, now.current.nodes, others);
    if (reason) { say(reason); return; }
    const edge = makeEdge(connection.source, connection.sourceHandle, connection.target);
    // A branch that no longer exists keeps the name the definition gave it.
    if (old.source === edge.source && old.sourceHandle === edge.sourceHandle) edge.data = old.data;
    change({ edges: [...others, edge] });
    emit([{ op: "disconnect", id: old.id }, connectOp(edge)]);
  };

  const remove = (nodeIds, edgeIds) => {
    const goneNodes = new Set(nodeIds);
    const goneEdges = new Set(edgeIds);
    const lost = now.current.edges.filter(
      (edge) => goneEdges.has(edge.id) || goneNodes.has(edge.source) || goneNodes.has(edge.target),
    );
    if (!goneNodes.size && !lost.length) return;
    const lostIds = new Set(lost.map((edge) => edge.id));
    change({
      nodes: now.current.nodes.filter((node) => !goneNodes.has(node.id)),
      edges: now.current.edges.filter((edge) => !lostIds.has(edge.id)),
    });
    emit([
      ...lost.map((edge) => ({ op: "disconnect", id: edge.id })),
      ...[...goneNodes].map((id) => ({ op: "remove", id })),
    ]);
  };

  const removeSelected = () => remove(
    selectedIds(), now.current.edges.filter((edge) => edge.selected).map((edge) => edge.id),
  );

  const paste = (clipped, shift) => {
    const fresh = copies(clipped, shift, labels());
    if (!fresh.nodes.length) return;
    change({
      nodes: [...unselected(now.current.nodes), ...fresh.nodes.map(({ copyOf, ...node }) => node)],
      edges: [...unselected(now.current.edges), ...fresh.edges],
    });
    emit([...fresh.nodes.map((node) => addOp(node, node.copyOf)), ...fresh.edges.map(connectOp)]);
    reveal(fresh.nodes[0]);
  };

  const copy = () => {
    const chosen = now.current.nodes.filter((node) => node.selected);
    if (!chosen.length) return false;
    clipboard = clip(chosen, now.current.edges);
    pastes = 0;
    onCopy(chosen.map((node) => node.id));
    say(chosen.length === 1 ? "1 node copied." : `${chosen.length} nodes copied.`);
    return true;
  };

  return {
    addAt, addAfter, addNearSelection, insertInto, connect, reconnect, reasonAgainst, remove, removeSelected, copy,
    nodeById,
    selectedIds,
    cut: () => { if (copy()) removeSelected(); },
    canPaste: () => clipboard !== null,
    paste: (at) => {
      if (!clipboard) return;
      const left = Math.min(...clipboard.nodes.map((node) => node.position.x));
      const top = Math.min(...clipboard.nodes.map((node) => node.position.y));
      pastes += 1;
      // At the pointer if there is one; otherwise beside the originals, each time a step further.
      paste(clipboard, at ? { x: at.x - left, y: at.y - top } : { x: pastes * 2 * GRID, y: pastes * 2 * GRID });
    },
    duplicate: (ids) => {
      const chosen = now.current.nodes.filter((node) => ids.includes(node.id));
      const tallest = Math.max(0, ...chosen.map((node) => nodeHeight(node.data)));
      const shift = chosen.length === 1 ? { x: 0, y: tallest + 2 * GRID } : { x: 2 * GRID, y: 2 * GRID };
      paste(clip(chosen, now.current.edges), shift);
    },
    setDisabled: (ids, disabled) => {
      const chosen = new Set(ids);
      change({
        nodes: now.current.nodes.map((node) => (chosen.has(node.id) ? { ...node, data: { ...node.data, disabled } } : node)),
      });
      emit(ids.map((id) => ({ op: "disable", id, disabled })));
    },
    selectAll: () => change({
      nodes: now.current.nodes.map((node) => ({ ...node, selected: true })),
      edges: now.current.edges.map((edge) => ({ ...edge, selected: true })),
    }),
    selectOnly: (id) => change({
      nodes: now.current.nodes.map((node) => (
        Boolean(node.selected) === (node.id === id) ? node : { ...node, selected: node.id === id }
      )),
      edges: unselected(now.current.edges),
    }),
    nudge: (columns, rows) => {
      const chosen = now.current.nodes.filter((node) => node.selected);
      if (!chosen.length) return;
      const shift = { x: columns * GRID, y: rows * GRID };
      change({
        nodes: now.current.nodes.map((node) => (node.selected
          ? { ...node, position: { x: node.position.x + shift.x, y: node.position.y + shift.y } } : node)),
      });
      chosen.forEach((node) => graph.moved.current.add(node.id));
      graph.settle();
    },
    tidy: () => {
      const places = tidy(now.current.nodes, now.current.edges);
      const ops = [];
      const nodes = now.current.nodes.map((node) => {
        const place = places.get(node.id);
        if (!place || (place.x === node.position.x && place.y === node.position.y)) return node;
        ops.push({ op: "move", id: node.id, x: place.x, y: place.y });
        return { ...node, position: place };
      });
      if (!ops.length) { say("Everything is tidy already."); return false; }
      change({ nodes });
      emit(ops);
      return true;
    },
    outputsOf: (id) => nodeById(id)?.data.handles || [],
    // Which nodes an output may be connected to.
    targetsOf: (source, sourceHandle) => now.current.nodes.filter(
      (node) => !refusal({ source, sourceHandle, target: node.id }, now.current.nodes, now.current.edges),
    ),
    mainOutput: (id) => {
      const node = nodeById(id);
      return node && (freeOutput(node, now.current.edges, "") ?? node.data.handles.find((item) => !item.isError)?.id);
    },
  };
}
