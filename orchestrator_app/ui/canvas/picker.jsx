// A small list with a search box: to add a node, to find one, or to choose what to connect to.
import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Search } from "lucide-react";
import { KindIcon } from "./icons.jsx";

const WIDTH = 320;
const HEIGHT = 380;

const matches = (item, words) => {
  const text = `${item.title} ${item.subtitle || ""} ${item.keywords || ""}`.toLowerCase();
  return words.every((word) => text.includes(word));
};

// Near the anchor, but always whole inside the frame.
function place(anchor, frame) {
  if (!anchor || frame.width < 520) {
    return { left: Math.max(8, (frame.width - Math.min(WIDTH, frame.width - 16)) / 2), top: Math.min(64, frame.height * 0.1) };
  }
  const left = Math.min(Math.max(8, anchor.x), frame.width - WIDTH - 8);
  const top = Math.min(Math.max(8, anchor.y), Math.max(8, frame.height - HEIGHT - 8));
  return { left, top };
}

export function Picker({ label, placeholder, items, anchor, frame, emptyText, onPick, onClose }) {
  const listId = useId();
  const [query, setQuery] = useState("");
  const [active, setActive] = useState(0);
  const box = useRef(null);
  const input = useRef(null);
  const before = useRef(null);
  const shown = useMemo(() => {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    return items.filter((item) => matches(item, words)).slice(0, 100);
  }, [items, query]);

  useLayoutEffect(() => {
    before.current = document.activeElement;
    input.current?.focus({ preventScroll: true });
    return () => before.current?.isConnected && before.current.focus?.({ preventScroll: true });
  }, []);
  useEffect(() => setActive(0), [query]);
  useEffect(() => {
    box.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }, [active]);
  useEffect(() => {
    const outside = (event) => { if (!box.current?.contains(event.target)) onClose(); };
    document.addEventListener("pointerdown", outside, true);
    return () => document.removeEventListener("pointerdown", outside, true);
  }, [onClose]);

  const choose = (item) => { if (item) { onClose(); onPick(item.id); } };
  const onKeyDown = (event) => {
    event.stopPropagation();
    if (event.key === "Escape") { event.preventDefault(); onClose(); }
    else if (event.key === "Enter") { event.preventDefault(); choose(shown[active]); }
    else if (event.key === "Tab") { event.preventDefault(); }
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (shown.length) setActive((index) => (index + step + shown.length) % shown.length);
    }
  };
  const { left, top } = place(anchor, frame);
  return (
    <div ref={box} className="oc-picker" role="dialog" aria-label={label} style={{ left, top, width: Math.min(WIDTH, frame.width - 16) }} onKeyDown={onKeyDown}>
      <div className="oc-picker-search">
        <Search size={15} aria-hidden="true" />
        <input
          ref={input} type="text" role="combobox" aria-expanded="true" aria-controls={listId} aria-label={placeholder}
          aria-activedescendant={shown[active] ? `${listId}-${active}` : undefined} placeholder={placeholder}
          autoComplete="off" spellCheck={false} value={query} onChange={(event) => setQuery(event.target.value)}
        />
      </div>
      <ul id={listId} role="listbox" aria-label={label}>
        {shown.map((item, index) => (
          <li
            key={item.id} id={`${listId}-${index}`} role="option" aria-selected={index === active}
            data-testid={`pick-${item.id}`} onPointerMove={() => setActive(index)} onClick={() => choose(item)}
          >
            <KindIcon kind={item.kind} size={16} />
            <span className="oc-pick-text">
              <span className="oc-pick-title">{item.title}</span>
              {item.subtitle && <span className="oc-pick-sub">{item.subtitle}</span>}
            </span>
          </li>
        ))}
      </ul>
      {!shown.length && <p className="oc-picker-empty">{query ? `Nothing matches “${query}”.` : emptyText}</p>}
    </div>
  );
}
