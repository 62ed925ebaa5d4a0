// A search field that reports what was typed once the typing pauses.
import { useEffect, useId, useRef, useState } from "react";
import { Search, X } from "lucide-react";

export function SearchBox({ value = "", placeholder = "Search", label, debounceMs = 250, onSearch }) {
  const id = useId();
  const [text, setText] = useState(value);
  const input = useRef(null);
  const timer = useRef(null);
  const sent = useRef([value]);
  useEffect(() => {
    // What comes back of our own typing is no news; anything else was set by the page.
    const echo = sent.current.indexOf(value);
    if (echo >= 0) { sent.current.splice(0, echo); return; }
    clearTimeout(timer.current);
    sent.current = [value];
    setText(value);
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);

  const send = (next) => {
    clearTimeout(timer.current);
    if (sent.current.at(-1) === next) return;
    sent.current.push(next);
    onSearch?.(next);
  };
  const type = (next) => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => send(next), debounceMs);
  };
  return (
    <div className="o-search" role="search">
      <Search size={16} aria-hidden="true" />
      <input
        id={id} ref={input} type="text" inputMode="search" enterKeyHint="search" value={text} placeholder={placeholder}
        aria-label={label || placeholder} autoComplete="off" spellCheck={false}
        onChange={(event) => type(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") { event.preventDefault(); send(text); }
          if (event.key === "Escape" && text) { event.preventDefault(); setText(""); send(""); }
        }}
      />
      {text && (
        <button type="button" aria-label="Clear the search" onClick={() => { setText(""); send(""); input.current?.focus(); }}>
          <X size={14} aria-hidden="true" />
        </button>
      )}
    </div>
  );
}
