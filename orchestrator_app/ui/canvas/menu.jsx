// The context menu of nodes and of the empty canvas, usable by keyboard alone.
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { shownKeys } from "./keyboard.js";

export function Menu({ label, items, anchor, frame, onClose }) {
  const box = useRef(null);
  const before = useRef(null);
  const [place, setPlace] = useState({ left: anchor.x, top: anchor.y, opacity: 0 });
  useLayoutEffect(() => {
    before.current = document.activeElement;
    const { width, height } = box.current.getBoundingClientRect();
    setPlace({
      left: Math.max(8, Math.min(anchor.x, frame.width - width - 8)),
      top: Math.max(8, Math.min(anchor.y, frame.height - height - 8)),
    });
  }, [anchor, frame]);
  useEffect(() => {
    box.current?.querySelector("button:not(:disabled)")?.focus({ preventScroll: true });
    const outside = (event) => { if (!box.current?.contains(event.target)) onClose(); };
    document.addEventListener("pointerdown", outside, true);
    return () => document.removeEventListener("pointerdown", outside, true);
  }, [onClose]);

  const close = () => { onClose(); if (before.current?.isConnected) before.current.focus?.({ preventScroll: true }); };
  const onKeyDown = (event) => {
    event.stopPropagation();
    if (event.key === "Escape" || event.key === "Tab") { event.preventDefault(); close(); return; }
    const buttons = [...box.current.querySelectorAll("button:not(:disabled)")];
    const index = buttons.indexOf(document.activeElement);
    const to = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    buttons.at(to % buttons.length)?.focus();
  };
  return (
    <div ref={box} className="oc-menu" role="menu" aria-label={label} style={place} onKeyDown={onKeyDown} onContextMenu={(event) => event.preventDefault()}>
      {items.map((item, index) => (item === null ? <hr key={index} /> : (
        <button
          key={item.text} type="button" role="menuitem" tabIndex={-1} disabled={item.disabled} data-danger={item.danger}
          onClick={() => { close(); item.run(); }}
        >
          {item.Icon && <item.Icon size={15} aria-hidden="true" />}
          <span>{item.text}</span>
          {item.keys && <kbd>{shownKeys(item.keys)}</kbd>}
        </button>
      )))}
    </div>
  );
}
