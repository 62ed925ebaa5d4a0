// JSON to read: folds, colours, and stays quick with a megabyte because only what is open is drawn.
import { useMemo, useState } from "react";
import { ChevronRight, FoldVertical, UnfoldVertical } from "lucide-react";
import { CopyButton } from "$/public/external/orchestrator_app/ui/components/copy_button/copy_button.jsx";

const CHUNK = 100;
const LONG_TEXT = 400;
const MOST_OPENED = 1500;
const UNREADABLE = Symbol("unreadable");

const isContainer = (value) => value !== null && typeof value === "object";
const entriesOf = (value) => (Array.isArray(value) ? value.map((item, index) => [index, item]) : Object.entries(value));

function parse(text, value) {
  if (text === undefined || text === null) return value;
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return UNREADABLE;
  }
}

// How deep everything can be opened without drawing more rows than a browser likes.
function depthWithin(value, most) {
  let level = isContainer(value) ? [value] : [];
  let total = 0;
  for (let depth = 0; ; depth += 1) {
    const next = [];
    for (const item of level) {
      const children = entriesOf(item).slice(0, CHUNK);
      total += children.length;
      for (const [, child] of children) if (isContainer(child)) next.push(child);
      if (total > most) return Math.max(1, depth);
    }
    if (!next.length) return depth + 1;
    level = next;
  }
}

function Leaf({ value }) {
  const [whole, setWhole] = useState(false);
  if (typeof value !== "string") return <span className={`o-json-${value === null ? "null" : typeof value}`}>{String(value)}</span>;
  const isLong = value.length > LONG_TEXT && !whole;
  return (
    <span className="o-json-string">
      {JSON.stringify(isLong ? value.slice(0, LONG_TEXT) : value).slice(0, isLong ? -1 : undefined)}
      {isLong && (
        <button type="button" className="o-json-more" onClick={() => setWhole(true)}>
          … show all {value.length.toLocaleString("en")} characters
        </button>
      )}
    </span>
  );
}

function Entry({ name, value, depth, openDepth }) {
  const container = isContainer(value);
  const [open, setOpen] = useState(depth < openDepth);
  const [shown, setShown] = useState(CHUNK);
  const isArray = Array.isArray(value);
  const size = container ? (isArray ? value.length : Object.keys(value).length) : 0;
  const key = name === undefined ? null : (
    <span className={typeof name === "number" ? "o-json-index" : "o-json-key"}>{typeof name === "number" ? name : JSON.stringify(name)}: </span>
  );
  if (!container || size === 0) {
    return <li className="o-json-line">{key}{container ? <span className="o-json-mark">{isArray ? "[]" : "{}"}</span> : <Leaf value={value} />}</li>;
  }
  const [start, end] = isArray ? ["[", "]"] : ["{", "}"];
  const what = `${size.toLocaleString("en")} ${isArray ? (size === 1 ? "item" : "items") : (size === 1 ? "key" : "keys")}`;
  return (
    <li>
      <div className="o-json-line">
        <button type="button" className="o-json-fold" aria-expanded={open} aria-label={`${name ?? "value"}, ${what}`} onClick={() => setOpen(!open)}>
          <ChevronRight size={14} aria-hidden="true" />
        </button>
        {key}
        <span className="o-json-mark">{start}</span>
        {!open && <button type="button" className="o-json-size" tabIndex={-1} onClick={() => setOpen(true)}>{what}</button>}
        {!open && <span className="o-json-mark">{end}</span>}
      </div>
      {open && (
        <>
          <ul>
            {entriesOf(value).slice(0, shown).map(([childName, child]) => (
              <Entry key={childName} name={childName} value={child} depth={depth + 1} openDepth={openDepth} />
            ))}
            {size > shown && (
              <li className="o-json-line">
                <button type="button" className="o-json-more" onClick={() => setShown(shown + 10 * CHUNK)}>
                  {(size - shown).toLocaleString("en")} more, show the next {Math.min(10 * CHUNK, size - shown).toLocaleString("en")}
                </button>
              </li>
            )}
          </ul>
          <div className="o-json-line"><span className="o-json-mark">{end}</span></div>
        </>
      )}
    </li>
  );
}

export function JsonView({ text, value, label = "JSON", emptyText = "Nothing", openDepth = 2, maxHeight = "480px" }) {
  const parsed = useMemo(() => parse(text, value), [text, value]);
  const [fold, setFold] = useState({ depth: null, turn: 0 });
  if (parsed === undefined) return <div className="o-json o-json-empty">{emptyText}</div>;
  const isReadable = parsed !== UNREADABLE;
  const pretty = () => (isReadable ? JSON.stringify(parsed, null, 2) : text);
  const turn = (depth) => setFold({ depth, turn: fold.turn + 1 });
  const depth = fold.depth ?? Math.min(openDepth, isReadable ? depthWithin(parsed, MOST_OPENED) : 0);
  return (
    <div className="o-json">
      <div className="o-json-tools">
        {isReadable && isContainer(parsed) && (
          <>
            <button type="button" className="o-small-button" aria-label="Open all" title="Open all" onClick={() => turn(depthWithin(parsed, MOST_OPENED))}>
              <UnfoldVertical size={14} aria-hidden="true" />
            </button>
            <button type="button" className="o-small-button" aria-label="Close all" title="Close all" onClick={() => turn(1)}>
              <FoldVertical size={14} aria-hidden="true" />
            </button>
          </>
        )}
        <CopyButton getText={pretty} label={`Copy ${label}`} />
      </div>
      <div className="o-json-body" role="group" aria-label={label} tabIndex={0} style={{ maxHeight }}>
        {isReadable
          ? <ul key={fold.turn} className="o-json-root"><Entry value={parsed} depth={0} openDepth={depth} /></ul>
          : <pre>{text.slice(0, 200_000)}</pre>}
      </div>
    </div>
  );
}
