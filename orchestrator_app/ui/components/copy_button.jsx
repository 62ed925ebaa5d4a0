// Copies a text and says so.
import { useEffect, useRef, useState } from "react";
import { Check, Copy } from "lucide-react";

// The clipboard of the browser needs a secure address; over plain http the old way still works.
async function writeText(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.style.position = "fixed";
  area.style.opacity = "0";
  document.body.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  if (!isDone) throw new Error("refused");
}

export function CopyButton({ text = "", getText, label = "Copy", showLabel = false }) {
  const [said, setSaid] = useState("");
  const timer = useRef(null);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    try {
      await writeText(getText ? getText() : text);
      setSaid("Copied");
    } catch {
      setSaid("The browser refused to copy");
    }
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setSaid(""), 1600);
  };
  const Icon = said === "Copied" ? Check : Copy;
  return (
    <button type="button" className="o-small-button" data-done={said === "Copied"} aria-label={showLabel ? undefined : label} title={said || label} onClick={copy}>
      <Icon size={14} aria-hidden="true" />
      {showLabel && <span>{said || label}</span>}
      <span className="o-hidden" role="status">{said}</span>
    </button>
  );
}
