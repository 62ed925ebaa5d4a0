// The bar at the foot of the canvas: zoom, tidy, undo, find; and the list of keys.
import { useEffect, useRef } from "react";
import { Panel, useReactFlow, useStore } from "@xyflow/react";
import { Keyboard, Map as MapIcon, Maximize, Minus, Network, Plus, Redo2, Search, Undo2, X } from "lucide-react";
import { shownKeys } from "./keyboard.js";

const zoomOf = (state) => Math.round(state.transform[2] * 100);

function Tool({ label, keys, Icon, className = "", ...rest }) {
  return (
    <button type="button" className={`oc-tool ${className}`} aria-label={label} title={keys ? `${label} (${shownKeys(keys)})` : label} {...rest}>
      <Icon size={16} aria-hidden="true" />
    </button>
  );
}

export function Controls({ readOnly, canUndo, canRedo, minimap, onMinimap, onUndo, onRedo, onTidy, onFit, onFind, onKeys, motionMs }) {
  const flow = useReactFlow();
  const zoom = useStore(zoomOf);
  return (
    <Panel position="bottom-left" className="oc-controls" role="toolbar" aria-label="Canvas">
      <div className="oc-group oc-zoom">
        <Tool label="Zoom out" Icon={Minus} onClick={() => flow.zoomOut({ duration: motionMs() })} />
        <button type="button" className="oc-tool oc-zoom-text" aria-label={`Zoom is ${zoom} %. Set to 100 %`} title="Set to 100 %" onClick={() => flow.zoomTo(1, { duration: motionMs() })}>{zoom} %</button>
        <Tool label="Zoom in" Icon={Plus} onClick={() => flow.zoomIn({ duration: motionMs() })} />
      </div>
      <div className="oc-group">
        <Tool label="Fit to view" keys="F" Icon={Maximize} onClick={onFit} />
        {!readOnly && <Tool label="Tidy up" keys="T" Icon={Network} onClick={onTidy} data-testid="canvas-tidy" />}
        <Tool label="Find a node" keys="Ctrl+K" Icon={Search} onClick={onFind} />
        <Tool label="Map" className="oc-wide" Icon={MapIcon} aria-pressed={minimap} onClick={onMinimap} />
      </div>
      {!readOnly && (
        <div className="oc-group">
          <Tool label="Undo" keys="Ctrl+Z" Icon={Undo2} disabled={!canUndo} onClick={onUndo} data-testid="canvas-undo" />
          <Tool label="Redo" keys="Ctrl+Shift+Z" Icon={Redo2} disabled={!canRedo} onClick={onRedo} data-testid="canvas-redo" />
        </div>
      )}
      <div className="oc-group oc-wide">
        <Tool label="Keys" keys="?" Icon={Keyboard} onClick={onKeys} />
      </div>
    </Panel>
  );
}

const KEYS = [
  ["Add a node", "N, or double click"], ["Find a node", "Ctrl+K or /"], ["Open its settings", "Enter"],
  ["Select several", "Shift+drag, Ctrl+click"], ["Select all", "Ctrl+A"], ["Copy, cut, paste", "Ctrl+C, X, V"],
  ["Duplicate", "Ctrl+D"], ["Delete", "Del"], ["Move", "Arrow keys"], ["Undo, redo", "Ctrl+Z, Ctrl+Shift+Z"],
  ["Fit to view", "F"], ["Tidy up", "T"], ["Save", "Ctrl+S"], ["Run", "Ctrl+Enter"], ["Menu of a node", "Shift+F10"],
];
const READ_ONLY_KEYS = new Set(["Find a node", "Open its settings", "Fit to view"]);

export function KeyList({ readOnly, onClose }) {
  const box = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    box.current?.querySelector("button")?.focus();
    return () => before?.isConnected && before.focus?.({ preventScroll: true });
  }, []);
  return (
    <div
      ref={box} className="oc-keys" role="dialog" aria-label="Keys"
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Escape") onClose();
      }}
    >
      <div className="oc-keys-head">
        <h2>Keys</h2>
        <button type="button" className="oc-icon-button" aria-label="Close" onClick={onClose}><X size={16} aria-hidden="true" /></button>
      </div>
      <dl>
        {KEYS.filter(([what]) => !readOnly || READ_ONLY_KEYS.has(what)).map(([what, keys]) => (
          <div key={what}><dt>{what}</dt><dd>{shownKeys(keys)}</dd></div>
        ))}
      </dl>
    </div>
  );
}
