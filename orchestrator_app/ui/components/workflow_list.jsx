// A list of remote workflows of any length. The rows in sight are drawn; stretches that are missing are asked for.
import { useCallback, useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { CircleCheck, CirclePause, TriangleAlert } from "lucide-react";
import { DRAGGED_WORKFLOW } from "$/public/external/orchestrator_app/ui/canvas/flow_canvas/dragging.js";
import { TimeAgo } from "$/public/external/orchestrator_app/ui/components/times/times.jsx";

const STRETCH_ROWS = 100;
const ROW_HEIGHT = 56;
const MOST_TAGS = 3;
const SETTLE_MS = 60; // while somebody flings the list, what only flies past is not asked for
const PATIENCE_MS = 4000;

const EMPTY = { key: "", revision: 0, total: 0, stretches: new Map() };
const idOf = (row) => (row ? `${row.connectionId}/${row.id}` : "");

// All that is known of the list. Rows of an older revision stay in sight until newer ones come.
function withStretch(book, stretch) {
  if (!stretch?.key) return EMPTY;
  const known = stretch.key === book.key ? new Map(book.stretches) : new Map();
  known.set(Math.floor(stretch.offset / STRETCH_ROWS), { revision: stretch.revision, rows: stretch.rows });
  return { key: stretch.key, revision: stretch.revision, total: stretch.total, stretches: known };
}

function Row({ row, shown, isActive, isSelected, showsConnection, canDrag, provider, ...rest }) {
  const { start, size } = shown;
  const place = { transform: `translateY(${start}px)`, height: size };
  if (!row) {
    return <div className="o-flow-row o-flow-row-empty" style={place} {...rest}><span className="o-hidden">Loading</span><span /><span /></div>;
  }
  const details = [row.kind, row.place, showsConnection && row.connection].filter(Boolean).join(" · ");
  const State = row.note ? TriangleAlert : row.isActive ? CircleCheck : CirclePause;
  return (
    <div
      className="o-flow-row" style={place} data-active={isActive} data-selected={isSelected} draggable={canDrag}
      onDragStart={(event) => {
        const dragged = { provider, connectionId: row.connectionId, workflowId: row.id, name: row.name };
        event.dataTransfer.setData(DRAGGED_WORKFLOW, JSON.stringify(dragged));
        event.dataTransfer.effectAllowed = "copy";
      }}
      {...rest}
    >
      <span className="o-flow-text">
        <span className="o-flow-name" title={row.name}>{row.name}</span>
        {details && <span className="o-flow-details" title={details}>{details}</span>}
      </span>
      <span className="o-flow-tags">
        {row.tags.slice(0, MOST_TAGS).map((tag) => <span key={tag} className="o-flow-tag">{tag}</span>)}
        {row.tags.length > MOST_TAGS && <span className="o-flow-tag" title={row.tags.join(", ")}>+{row.tags.length - MOST_TAGS}</span>}
      </span>
      <span className="o-flow-state" data-color={row.note ? "amber" : row.isActive ? "green" : "gray"} title={row.note || undefined}>
        <State size={14} aria-hidden="true" />{row.isActive ? "Active" : "Inactive"}
      </span>
      <span className="o-flow-changed"><TimeAgo ms={row.changedDate} empty="" /></span>
    </div>
  );
}

export function WorkflowList({
  stretch, provider = "", selected = "", showsConnection = false, canDrag = false, label = "Workflows", onBring, onOpen,
}) {
  const frame = useRef(null);
  const ids = useId();
  const [book, setBook] = useState(() => withStretch(EMPTY, stretch));
  const [active, setActive] = useState(0);
  const [patience, setPatience] = useState(0);
  const asked = useRef(null);

  useLayoutEffect(() => {
    asked.current = null;
    setBook((known) => withStretch(known, stretch));
  }, [stretch]);

  const virtual = useVirtualizer({
    count: book.total, getScrollElement: () => frame.current, estimateSize: () => ROW_HEIGHT, overscan: 12,
  });
  useLayoutEffect(() => {
    frame.current.scrollTop = 0;
    setActive(0);
  }, [book.key]);

  const rowAt = useCallback(
    (index) => book.stretches.get(Math.floor(index / STRETCH_ROWS))?.rows[index % STRETCH_ROWS], [book],
  );
  const items = virtual.getVirtualItems();
  const first = Math.floor((items[0]?.index ?? 0) / STRETCH_ROWS);
  const last = Math.floor((items.at(-1)?.index ?? 0) / STRETCH_ROWS);

  useEffect(() => {
    if (!book.total) return undefined;
    let missing = first;
    while (missing <= last && book.stretches.get(missing)?.revision === book.revision) missing += 1;
    if (missing > last) return undefined;
    if (asked.current) {
      // One at a time; an answer that got lost is asked for again.
      const timer = setTimeout(() => { asked.current = null; setPatience((count) => count + 1); }, PATIENCE_MS);
      return () => clearTimeout(timer);
    }
    const timer = setTimeout(() => {
      asked.current = missing;
      setPatience((count) => count + 1);
      onBring?.(book.key, missing * STRETCH_ROWS);
    }, SETTLE_MS);
    return () => clearTimeout(timer);
  }, [book, first, last, patience]); // onBring is another function at each render

  const go = useCallback((index) => {
    const next = Math.max(0, Math.min(index, book.total - 1));
    setActive(next);
    virtual.scrollToIndex(next);
  }, [book.total, virtual]);
  const open = (index) => {
    const row = rowAt(index);
    if (!row) return;
    setActive(index);
    onOpen?.(row.connectionId, row.id);
  };

  // Where there is no room for both, the preview covers the list: the keyboard goes where the eye goes.
  const wasSelected = useRef(selected);
  useEffect(() => {
    const before = wasSelected.current;
    wasSelected.current = selected;
    if (selected === before) return;
    const isHidden = getComputedStyle(frame.current).visibility === "hidden";
    if (selected && isHidden) frame.current.closest(".o-browser")?.querySelector(".o-preview")?.focus();
    if (!selected && document.activeElement === document.body) frame.current.focus();
  }, [selected]);

  useEffect(() => {
    // On a small screen the tab of the platform may lie outside the row of tabs.
    const tab = frame.current.closest(".o-browser")?.querySelector("[role='tab'][aria-selected='true']");
    tab?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [provider]);

  useEffect(() => {
    const onKeyDown = (event) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      const browser = frame.current?.closest(".o-browser");
      const isInside = browser?.contains(event.target);
      const input = browser?.querySelector(".o-search input");
      if (event.key === "ArrowDown" && input && event.target === input) {
        event.preventDefault();
        frame.current.focus();
      }
      const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
      const isElsewhere = browser?.dataset.docked === "true" && !isInside;
      if (event.key !== "/" || isTyping || isElsewhere || document.querySelector("[role='dialog'][data-state='open']")) return;
      event.preventDefault();
      input?.focus();
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);

  const onKeyDown = (event) => {
    const screen = Math.max(1, Math.floor(frame.current.clientHeight / ROW_HEIGHT) - 1);
    const target = {
      ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + screen, PageUp: active - screen,
      Home: 0, End: book.total - 1,
    }[event.key];
    if (target !== undefined) go(target);
    else if (event.key === "Enter" || event.key === " ") open(active);
    else return;
    event.preventDefault();
  };

  const isDrawn = items.some((item) => item.index === active);
  return (
    <div
      ref={frame} className="o-flows" role="listbox" tabIndex={0} aria-label={label} onKeyDown={onKeyDown}
      aria-activedescendant={isDrawn && rowAt(active) ? `${ids}${active}` : undefined}
    >
      <div role="presentation" className="o-flows-inner" style={{ height: virtual.getTotalSize() }}>
        {items.map((item) => {
          const row = rowAt(item.index);
          return (
            <Row
              key={item.key} id={`${ids}${item.index}`} role="option" row={row} shown={item} provider={provider}
              isActive={item.index === active} isSelected={Boolean(selected) && idOf(row) === selected}
              showsConnection={showsConnection} canDrag={canDrag}
              aria-selected={Boolean(selected) && idOf(row) === selected} aria-setsize={book.total} aria-posinset={item.index + 1}
              onClick={() => open(item.index)}
            />
          );
        })}
      </div>
    </div>
  );
}
