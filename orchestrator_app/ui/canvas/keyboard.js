// The keys of the canvas. Text fields keep theirs; a dialog in front keeps all.
import { useEffect, useRef } from "react";

const isApple = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.platform);

// Both keys work everywhere; people see the one their keyboard has.
export const shownKeys = (keys) => (isApple ? keys.replaceAll("Ctrl+", "⌘") : keys);

const isTextField = (target) =>
  Boolean(target?.closest?.("input, textarea, select, [contenteditable='true'], [contenteditable='']"));
const isInDialog = (target) =>
  Boolean(target?.closest?.("[role='dialog'], [role='alertdialog'], [role='menu'], [role='listbox']"))
  || Boolean(document.querySelector("[role='alertdialog'][data-state='open'], [role='dialog'][data-state='open']"));

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// `frame` is the element of canvas and palette. `act` holds what each key does; keys whose action is missing do nothing here.
export function useKeyboard(frame, act) {
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    const onKeyDown = (event) => {
      if (event.defaultPrevented || event.isComposing) return;
      const { target } = event;
      const run = latest.current;
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      const ctrl = (event.ctrlKey || event.metaKey) && !event.altKey;
      const take = (action, ...args) => {
        if (!action) return;
        event.preventDefault();
        action(...args);
      };
      if (isInDialog(target)) return;
      if (ctrl && key === "s") return take(run.save);
      if (isTextField(target)) return;
      if (ctrl && key === "Enter") return take(run.run);
      if (ctrl && key === "z") return take(event.shiftKey ? run.redo : run.undo);
      if (ctrl && key === "y") return take(run.redo);
      if (ctrl && key === "k") return take(run.find);

      // The rest is only for somebody who works on the canvas, not on a button elsewhere on the page.
      // A click on the empty canvas leaves the focus to what is around it: the page's main part, or the page.
      const inside = frame.current?.contains(target);
      if (!inside && !target.contains?.(frame.current)) return;
      if (ctrl) {
        if (window.getSelection()?.toString() && !inside) return; // copying text of the page
        return take({ a: run.selectAll, c: run.copy, x: run.cut, v: run.paste, d: run.duplicate }[key]);
      }
      if (event.altKey) return;
      if (key === "Delete" || key === "Backspace") return take(run.remove);
      if (key === "Enter" && target.closest?.(".react-flow__node")) return take(run.open, target.closest(".react-flow__node").dataset.id);
      if (key === "Escape") return take(run.escape);
      if (key === "/") return take(run.find);
      if (key === "?") return take(run.keys);
      if (key === "n") return take(run.add);
      if (key === "f") return take(run.fit);
      if (key === "t") return take(run.tidy);
      // React Flow moves nodes itself when one of them, or the selection's frame, has the focus.
      const arrow = ARROWS[key];
      if (arrow && !target.closest?.(".react-flow__node, .react-flow__nodesselection")) {
        return take(run.nudge, arrow[0] * (event.shiftKey ? 4 : 1), arrow[1] * (event.shiftKey ? 4 : 1));
      }
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, [frame]);
}
