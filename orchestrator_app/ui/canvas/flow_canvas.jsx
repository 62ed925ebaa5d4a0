// The canvas: React Flow with our cards and edges, its own state, and small operations to the server.
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { Background, BackgroundVariant, MiniMap, ReactFlow, ReactFlowProvider, SelectionMode, useReactFlow, useStore as useFlowStore } from "@xyflow/react";
import { Workflow } from "lucide-react";
import "@xyflow/react/dist/base.css";
import { Controls, KeyList } from "./controls.jsx";
import { DRAGGED_KIND, DRAGGED_WORKFLOW, droppedWorkflow } from "./dragging.js";
import { createEditing } from "./editing.js";
import { ConnectionLine, FlowEdge } from "./flow_edge.jsx";
import { GRID, HEADER_HEIGHT, NODE_WIDTH, OUT_HANDLE, snapped } from "./graph.js";
import { useGraphState } from "./graph_state.js";
import { STATES } from "./icons.jsx";
import { useKeyboard } from "./keyboard.js";
import { CanvasContext, createMapStore, createValueStore } from "./live.js";
import { Menu } from "./menu.jsx";
import { nodeMenu, paneMenu } from "./menus.js";
import { NodeCard } from "./node_card.jsx";
import { Palette } from "./palette.jsx";
import { Picker } from "./picker.jsx";
import { fitView, motionMs, reveal } from "./view.js";

const NODE_TYPES = { card: NodeCard };
const EDGE_TYPES = { flow: FlowEdge };
const MANY_NODES = 150;
const NOTICE_MS = 4000;
const NARROW_PX = 700;
const FAR_ZOOM = 0.45;
const SNAP = [GRID, GRID];
const MULTI_KEYS = ["Control", "Meta"];
const MAP_SIZE = { width: 176, height: 112 };
const ARIA = {
  "node.a11yDescription.default": "Press Enter to open the settings, arrow keys to move, Delete to remove, Shift and F10 for more.",
  "node.a11yDescription.keyboardDisabled": "Press Enter to open the settings, Delete to remove.",
  "edge.a11yDescription.default": "Press Enter to select the connection, then Delete to remove it.",
  "minimap.ariaLabel": "Map of the graph",
};
const DEFAULT_HANDLES = [{ id: OUT_HANDLE, label: "", isError: false }];

// The same functions for the whole life of the component, that always do what the newest render says.
function useStable(functions) {
  const latest = useRef(functions);
  latest.current = functions;
  return useMemo(() => Object.fromEntries(
    Object.keys(latest.current).map((name) => [name, (...args) => latest.current[name](...args)]),
  ), []);
}

const useCreated = (create) => {
  const store = useRef(null);
  store.current ??= create();
  return store.current;
};

const pointOf = (event) => {
  const { clientX, clientY } = event.changedTouches?.[0] ?? event;
  return { x: clientX, y: clientY };
};

const edgeUnder = (event) => (
  document.elementsFromPoint(event.clientX, event.clientY)
    .map((element) => element.closest(".react-flow__edge")).find(Boolean)?.dataset.id ?? ""
);

function LiveMap({ statuses, kinds }) {
  const all = useSyncExternalStore(statuses.subscribe, statuses.all, statuses.all);
  const color = (node) => `var(--${STATES[all.get(node.id)?.state]?.color ?? kinds.get(node.data?.kind)?.color ?? "gray"}-8)`;
  return <MiniMap pannable zoomable nodeColor={color} nodeBorderRadius={16} className="oc-map" style={MAP_SIZE} />;
}

// From far away nothing moves and little is drawn, so that a graph of hundreds of nodes stays fluent.
function Distance({ frame }) {
  const isFar = useFlowStore((state) => state.transform[2] < FAR_ZOOM);
  useEffect(() => { frame.current.dataset.far = isFar; }, [frame, isFar]);
  return null;
}

function Canvas({
  graph, patches, statuses, edgeStates, problems, marks, kinds = [], selectedId, readOnly = false, colorMode = "light",
  showMinimap = true, canUndo = true, canRedo = true, ...events
}) {
  const flow = useReactFlow();
  const wrap = useRef(null); // palette and canvas
  const frame = useRef(null); // the canvas alone
  const [popup, setPopup] = useState(null);
  const [notice, setNotice] = useState(null);
  const [minimap, setMinimap] = useState(showMinimap);
  useEffect(() => setMinimap(showMinimap), [showMinimap]);

  const stores = {
    statuses: useCreated(createMapStore), edgeStates: useCreated(createMapStore), problems: useCreated(createMapStore),
    marks: useCreated(createMapStore),
    soleSelected: useCreated(() => createValueStore("")), dropEdge: useCreated(() => createValueStore("")),
  };
  useEffect(() => stores.statuses.replace(statuses), [statuses, stores.statuses]);
  useEffect(() => stores.edgeStates.replace(edgeStates), [edgeStates, stores.edgeStates]);
  useEffect(() => stores.problems.replace(problems), [problems, stores.problems]);
  useEffect(() => stores.marks.replace(marks), [marks, stores.marks]);
  // A page may write the kinds down in place: equal lists must then count as the same.
  const kindsText = JSON.stringify(kinds);
  const [kindList, kindMap, kindItems] = useMemo(() => {
    const list = JSON.parse(kindsText).map((kind) => ({ ...kind, handles: kind.handles ?? DEFAULT_HANDLES }));
    return [
      list,
      new Map(list.map((kind) => [kind.name, kind])),
      list.map((kind) => ({ id: kind.name, title: kind.title, subtitle: kind.summary, kind })),
    ];
  }, [kindsText]);

  const say = useCallback((text) => setNotice({ text, at: Date.now() }), []);
  useEffect(() => {
    if (!notice) return undefined;
    const timer = setTimeout(() => setNotice(null), NOTICE_MS);
    return () => clearTimeout(timer);
  }, [notice]);

  const state = useGraphState({
    graph, patches, readOnly, onOps: events.onOps, onLoaded: () => requestAnimationFrame(() => fitView(flow, frame.current, now.current.nodes)),
  });
  const { nodes, edges, now, isLoaded } = state;

  // --- selection: the server may choose a node too, but its echo of our own choice is not an order ---
  const told = useRef([]);
  const { select } = useStable({
    select: (id) => {
      const last = told.current.at(-1)?.id ?? selectedId ?? "";
      if (id !== last) told.current.push({ id, at: Date.now() });
      if (id || last) events.onSelect?.(id);
    },
  });
  const outside = useStable({
    viewCentre: () => {
      const box = frame.current.getBoundingClientRect();
      return flow.screenToFlowPosition({ x: box.left + box.width / 2, y: box.top + box.height / 2 });
    },
    reveal: (node) => reveal(flow, frame.current, node),
    onCopy: (ids) => events.onCopy?.(ids),
    // On a small screen the settings would cover the graph that is being drawn.
    onAdded: (id) => { if (frame.current.clientWidth >= NARROW_PX || window.innerWidth >= 1024) select(id); },
    kind: (name) => kindMap.get(name),
  });
  const editing = useMemo(
    () => createEditing({ graph: state, kinds: { get: outside.kind }, say, ...outside }),
    // The parts of `state` that editing uses never change.
    [state.now, say, outside],
  );
  useEffect(() => {
    const id = selectedId ?? "";
    told.current = told.current.filter((entry) => Date.now() - entry.at < 5000);
    const echo = told.current.findIndex((entry) => entry.id === id);
    if (echo >= 0) { told.current.splice(0, echo + 1); return; }
    if (!isLoaded || stores.soleSelected.get() === id) return;
    const node = id ? editing.nodeById(id) : null;
    if (node || (!id && now.current.nodes.filter((item) => item.selected).length === 1)) editing.selectOnly(id);
    if (node) reveal(flow, frame.current, node);
  }, [selectedId, isLoaded, editing, flow, now, stores.soleSelected]);
  useEffect(() => {
    const chosen = nodes.filter((node) => node.selected);
    stores.soleSelected.set(chosen.length === 1 ? chosen[0].id : "");
  }, [nodes, stores.soleSelected]);
  useEffect(() => {
    // A panel that opens beside the canvas must not cover the node it is about.
    const observer = new ResizeObserver(() => {
      const node = editing.nodeById(stores.soleSelected.get());
      if (node) reveal(flow, frame.current, node);
    });
    observer.observe(frame.current);
    return () => observer.disconnect();
  }, [editing, flow, stores.soleSelected]);

  // --- what opens on top of the canvas ---
  const boxOf = () => frame.current.getBoundingClientRect();
  const anchorAt = (rect) => ({ x: (rect.right ?? rect.x) + 8 - boxOf().left, y: (rect.top ?? rect.y) - 8 - boxOf().top });
  const pickKind = (rect, onPick) => setPopup({
    type: "picker", label: "Add a node", placeholder: "Search nodes", items: kindItems, onPick,
    anchor: rect && anchorAt(rect), frame: boxOf(),
  });
  const pickNode = (label, candidates, emptyText, onPick) => setPopup({
    type: "picker", label, placeholder: "Search by name", emptyText, onPick, frame: boxOf(),
    items: candidates.map((node) => ({
      id: node.id, title: node.data.label, keywords: node.data.summary, kind: kindMap.get(node.data.kind),
      subtitle: kindMap.get(node.data.kind)?.title,
    })),
  });
  const openMenu = (label, items, rect) => setPopup({ type: "menu", label, items, anchor: anchorAt(rect), frame: boxOf() });

  const show = useStable({
    addAfter: (id, handle, rect) => pickKind(rect, (kind) => editing.addAfter(kind, id, handle)),
    insertInto: (id, rect) => pickKind(rect, (kind) => editing.insertInto(kind, id)),
    addAt: (point, rect) => pickKind(rect, (kind) => editing.addAt(kind, point)),
    add: () => pickKind(null, editing.addNearSelection),
    connectTo: (id, handle) => pickNode(
      "Connect to", editing.targetsOf(id, handle), "There is no node this one can lead to.",
      (target) => editing.connect({ source: id, sourceHandle: handle, target }),
    ),
    find: () => pickNode("Find a node", now.current.nodes, "There are no nodes yet.", (id) => {
      editing.selectOnly(id);
      select(id);
      flow.fitView({ nodes: [{ id }], maxZoom: Math.max(1, flow.getZoom()), duration: motionMs() });
    }),
    openNodeMenu: (id, rect) => {
      if (!editing.nodeById(id)?.selected) editing.selectOnly(id);
      openMenu("Node", nodeMenu({ id, editing, show, readOnly, open: acts.open }), rect);
    },
    openPaneMenu: (point, rect) => openMenu("Canvas", paneMenu({ point, rect, editing, show, readOnly, acts }), rect),
    remove: () => acts.remove(),
    keys: () => setPopup({ type: "keys" }),
    close: () => setPopup(null),
  });
  const acts = useStable({
    open: (id) => { editing.selectOnly(id); select(id); events.onOpen?.(id); },
    undo: () => { state.flush(); events.onUndo?.(); },
    redo: () => { state.flush(); events.onRedo?.(); },
    save: () => { state.flush(); events.onSave?.(); },
    run: () => { state.flush(); events.onRun?.(); },
    browse: () => { state.flush(); events.onBrowse(); },
    fit: () => fitView(flow, frame.current, now.current.nodes, { animated: true }),
    tidy: () => { if (editing.tidy()) acts.fit(); },
    // Removing the selection takes the settings of a node away with it.
    remove: () => { const had = stores.soleSelected.get(); editing.removeSelected(); if (had) select(""); },
    escape: () => { editing.selectOnly(""); select(""); },
  });
  const edit = readOnly ? {} : {
    undo: acts.undo, redo: acts.redo, selectAll: editing.selectAll, cut: editing.cut, paste: () => editing.paste(),
    duplicate: () => editing.duplicate(editing.selectedIds()), remove: acts.remove, nudge: editing.nudge,
    add: show.add, tidy: acts.tidy, copy: editing.copy,
  };
  useKeyboard(wrap, {
    ...edit, save: acts.save, run: acts.run, find: show.find, keys: show.keys, fit: acts.fit, open: acts.open, escape: acts.escape,
  });

  const context = useMemo(() => ({
    ...stores, kinds: kindMap, readOnly,
    actions: {
      ...show,
      duplicate: editing.duplicate, setDisabled: editing.setDisabled,
      remove: (nodeIds, edgeIds) => { editing.remove(nodeIds, edgeIds); if (nodeIds.length) select(""); },
      reasonAgainst: (from, to) => editing.reasonAgainst(from.type === "source"
        ? { source: from.nodeId, sourceHandle: from.id, target: to.nodeId }
        : { source: to.nodeId, sourceHandle: to.id, target: from.nodeId }),
    },
  }), [kindMap, readOnly]); // the stores and all functions never change

  // --- connecting and dropping ---
  const isReconnecting = useRef(false);
  const on = useStable({
    connect: editing.connect,
    connectEnd: (event, { fromHandle, isValid, toNode }) => {
      if (isReconnecting.current) { isReconnecting.current = false; return; }
      if (!fromHandle || isValid) return;
      const point = pointOf(event);
      const under = document.elementFromPoint(point.x, point.y);
      const other = toNode?.id ?? under?.closest?.(".react-flow__node")?.dataset.id;
      const forward = fromHandle.type === "source";
      if (other) {
        // Dropping anywhere on a node means the node.
        if (forward) editing.connect({ source: fromHandle.nodeId, sourceHandle: fromHandle.id, target: other });
        else editing.connect({ source: other, sourceHandle: editing.mainOutput(other), target: fromHandle.nodeId });
      } else if (forward && under?.closest?.(".react-flow__pane")) {
        const at = flow.screenToFlowPosition(point);
        const place = { x: at.x, y: at.y - HEADER_HEIGHT / 2 };
        pickKind({ right: point.x, top: point.y }, (kind) => editing.addAfter(kind, fromHandle.nodeId, fromHandle.id, place));
      }
    },
    isValid: (connection) => !editing.reasonAgainst(connection),
    reconnectStart: () => { isReconnecting.current = true; },
    reconnect: editing.reconnect,
    nodeClick: (event, node) => { if (!event.ctrlKey && !event.metaKey && !event.shiftKey) select(node.id); },
    nodeDoubleClick: (_event, node) => acts.open(node.id),
    // Moving a node while settings are open means that node from now on; it does not open them.
    nodeDragStop: (_event, node, dragged) => { if (selectedId && dragged.length === 1) select(node.id); },
    paneClick: () => select(""),
    nodeMenu: (event, node) => {
      event.preventDefault();
      // A menu asked for by key has no place of its own.
      const rect = event.clientX ? { right: event.clientX - 8, top: event.clientY + 8 } : event.currentTarget.getBoundingClientRect();
      show.openNodeMenu(node.id, rect);
    },
    paneMenu: (event) => {
      event.preventDefault();
      show.openPaneMenu(flow.screenToFlowPosition(pointOf(event)), { right: event.clientX - 8, top: event.clientY + 8 });
    },
    toggleMap: () => setMinimap((shown) => !shown),
    dragOver: (event) => {
      const { types } = event.dataTransfer;
      if (readOnly || !(types.includes(DRAGGED_KIND) || types.includes(DRAGGED_WORKFLOW))) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      stores.dropEdge.set(edgeUnder(event));
    },
    dragLeave: (event) => { if (!frame.current.contains(event.relatedTarget)) stores.dropEdge.set(""); },
    drop: (event) => {
      const kind = event.dataTransfer.getData(DRAGGED_KIND);
      const workflow = droppedWorkflow(event.dataTransfer.getData(DRAGGED_WORKFLOW));
      if (readOnly || !(kindMap.has(kind) || workflow)) return;
      event.preventDefault();
      const at = flow.screenToFlowPosition(pointOf(event));
      const edge = edgeUnder(event);
      stores.dropEdge.set("");
      if (workflow) {
        // What a node for it needs is known to the server: the node comes back with the graph.
        say(`Adding “${workflow.name}” …`);
        state.flush();
        events.onDropWorkflow?.({
          ...workflow, edgeId: edge, ...snapped({ x: at.x - NODE_WIDTH / 2, y: at.y - HEADER_HEIGHT / 2 }),
        });
      } else if (edge) editing.insertInto(kind, edge, at);
      else editing.addAt(kind, at, { exactly: true });
    },
    doubleClick: (event) => {
      if (readOnly || !event.target.classList?.contains("react-flow__pane")) return;
      const point = pointOf(event);
      show.addAt(flow.screenToFlowPosition(point), { right: point.x, top: point.y });
    },
  });

  // A new status must not draw the whole graph anew: React Flow is only touched when the graph itself changes.
  const board = useMemo(() => (
    <ReactFlow
      nodes={nodes} edges={edges} nodeTypes={NODE_TYPES} edgeTypes={EDGE_TYPES} colorMode={colorMode}
      onNodesChange={state.onNodesChange} onEdgesChange={state.onEdgesChange}
      onConnect={on.connect} onConnectEnd={on.connectEnd} isValidConnection={on.isValid}
      onReconnectStart={on.reconnectStart} onReconnect={on.reconnect}
      connectionLineComponent={ConnectionLine} connectionRadius={28}
      onNodeClick={on.nodeClick} onNodeDoubleClick={on.nodeDoubleClick} onNodeDragStop={on.nodeDragStop} onPaneClick={on.paneClick}
      onNodeContextMenu={on.nodeMenu} onPaneContextMenu={on.paneMenu}
      nodesDraggable={!readOnly} nodesConnectable={!readOnly} edgesReconnectable={!readOnly} edgesFocusable={!readOnly}
      elementsSelectable deleteKeyCode={null} multiSelectionKeyCode={MULTI_KEYS} selectionMode={SelectionMode.Partial}
      snapToGrid snapGrid={SNAP} minZoom={0.1} maxZoom={2} zoomOnDoubleClick={false} nodeDragThreshold={2}
      onlyRenderVisibleElements={nodes.length > MANY_NODES} elevateEdgesOnSelect ariaLabelConfig={ARIA}
    >
      <Background variant={BackgroundVariant.Dots} gap={GRID} size={1} />
      <Distance frame={frame} />
      {minimap && nodes.length > 0 && <LiveMap statuses={stores.statuses} kinds={kindMap} />}
      <Controls
        readOnly={readOnly} canUndo={canUndo} canRedo={canRedo} minimap={minimap} onMinimap={on.toggleMap}
        onUndo={acts.undo} onRedo={acts.redo} onTidy={acts.tidy} onFit={acts.fit} onFind={show.find} onKeys={show.keys}
        motionMs={motionMs}
      />
    </ReactFlow>
  ), [nodes, edges, colorMode, readOnly, minimap, canUndo, canRedo, kindMap]); // all else is stable

  const isEmpty = isLoaded && !nodes.length;
  return (
    <CanvasContext.Provider value={context}>
      <div ref={wrap} className="oc-wrap" data-read-only={readOnly} data-loaded={isLoaded}>
        {!readOnly && <Palette kinds={kindList} onAdd={editing.addNearSelection} onBrowse={events.onBrowse && acts.browse} />}
        <div
          ref={frame} className="oc-canvas" onDrop={on.drop} onDragOver={on.dragOver} onDragLeave={on.dragLeave}
          onDoubleClick={on.doubleClick}
        >
          {board}
          {!isLoaded && <div className="oc-loading" role="status" aria-label="Loading the graph"><span /><span /><span /></div>}
          {isEmpty && (
            <div className="oc-empty">
              <Workflow size={28} strokeWidth={1.6} aria-hidden="true" />
              <strong>{readOnly ? "There are no nodes in this graph." : "Start with a first node"}</strong>
              {!readOnly && <span>Drag one from the list, or double click anywhere.</span>}
              {!readOnly && <button type="button" onClick={show.add}>Add a node</button>}
            </div>
          )}
          <div className="oc-notice" role="status" data-shown={Boolean(notice)}>{notice?.text}</div>
          {popup?.type === "picker" && <Picker {...popup} onClose={show.close} />}
          {popup?.type === "menu" && <Menu {...popup} onClose={show.close} />}
          {popup?.type === "keys" && <KeyList readOnly={readOnly} onClose={show.close} />}
        </div>
      </div>
    </CanvasContext.Provider>
  );
}

export function FlowCanvas(props) {
  return <ReactFlowProvider><Canvas {...props} /></ReactFlowProvider>;
}
