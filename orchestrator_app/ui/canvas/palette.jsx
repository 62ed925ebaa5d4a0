// The list of node kinds: drag one to the canvas, or press it.
import { memo, useState } from "react";
import { Library, PanelLeftClose, PanelLeftOpen } from "lucide-react";
import { DRAGGED_KIND } from "./dragging.js";
import { KindIcon } from "./icons.jsx";

const STORED = "orchestrator.palette";

const storedClosed = () => {
  try {
    return localStorage.getItem(STORED) === "closed";
  } catch {
    return false; // storage may be forbidden; the palette then opens each time
  }
};

export const Palette = memo(function Palette({ kinds, onAdd, onBrowse }) {
  const [closed, setClosed] = useState(storedClosed);
  const toggle = () => {
    try {
      localStorage.setItem(STORED, closed ? "open" : "closed");
    } catch {
      // see storedClosed
    }
    setClosed(!closed);
  };
  return (
    <section className="oc-palette" aria-label="Nodes to add" data-closed={closed}>
      <div className="oc-palette-head">
        <h2>Nodes</h2>
        <button
          type="button" className="oc-icon-button" aria-expanded={!closed} onClick={toggle}
          aria-label={closed ? "Show names of nodes" : "Show icons only"} title={closed ? "Show names" : "Show icons only"}
        >
          {closed ? <PanelLeftOpen size={16} aria-hidden="true" /> : <PanelLeftClose size={16} aria-hidden="true" />}
        </button>
      </div>
      <div className="oc-palette-list">
        {onBrowse && (
          <button
            type="button" className="oc-palette-item oc-palette-browse" data-testid="palette-workflows"
            aria-label="Browse workflows" title="Workflows: those that exist on your platforms" onClick={onBrowse}
          >
            <span className="oc-tile" data-color="blue" aria-hidden="true"><Library size={18} strokeWidth={1.9} /></span>
            <span className="oc-palette-text">
              <span className="oc-palette-title">Workflows</span>
              <span className="oc-palette-summary">Those that exist on your platforms.</span>
            </span>
          </button>
        )}
        {kinds.map((kind) => (
          <button
            key={kind.name} type="button" className="oc-palette-item" draggable data-testid={`palette-${kind.name}`}
            aria-label={`Add ${kind.title}`} title={`${kind.title}: ${kind.summary}`}
            onDragStart={(event) => {
              event.dataTransfer.setData(DRAGGED_KIND, kind.name);
              event.dataTransfer.effectAllowed = "copy";
            }}
            onClick={() => onAdd(kind.name)}
          >
            <KindIcon kind={kind} />
            <span className="oc-palette-text">
              <span className="oc-palette-title">{kind.title}</span>
              <span className="oc-palette-summary">{kind.summary}</span>
            </span>
          </button>
        ))}
      </div>
    </section>
  );
});
