// What the context menus of the canvas offer. A null is a line between two groups.
import { ClipboardPaste, Copy, CopyPlus, Maximize, Network, Plus, Power, Scissors, Settings2, Spline, SquareDashedMousePointer, Trash2 } from "lucide-react";

export function nodeMenu({ id, editing, show, readOnly, open }) {
  const node = editing.nodeById(id);
  if (!node) return [];
  const ids = editing.selectedIds();
  const isOne = ids.length <= 1;
  const openItem = { text: readOnly ? "Show details" : "Settings", Icon: Settings2, keys: "Enter", run: () => open(id) };
  if (readOnly) return [openItem];
  const outputs = editing.outputsOf(id);
  const disabled = !node.data.disabled;
  return [
    ...(isOne ? [openItem, ...outputs.map((output) => ({
      text: outputs.filter((item) => !item.isError).length > 1 || output.isError
        ? `Connect “${output.label || output.id}” to…` : "Connect to…",
      Icon: Spline,
      run: () => show.connectTo(id, output.id),
    })), null] : []),
    { text: "Copy", Icon: Copy, keys: "Ctrl+C", run: editing.copy },
    { text: "Cut", Icon: Scissors, keys: "Ctrl+X", run: editing.cut },
    { text: "Duplicate", Icon: CopyPlus, keys: "Ctrl+D", run: () => editing.duplicate(ids) },
    { text: disabled ? "Disable" : "Enable", Icon: Power, run: () => editing.setDisabled(ids, disabled) },
    null,
    { text: isOne ? "Delete" : `Delete ${ids.length} nodes`, Icon: Trash2, keys: "Del", danger: true, run: () => show.remove() },
  ];
}

export function paneMenu({ point, rect, editing, show, readOnly, acts }) {
  const fit = { text: "Fit to view", Icon: Maximize, keys: "F", run: acts.fit };
  if (readOnly) return [fit];
  return [
    { text: "Add a node here", Icon: Plus, keys: "N", run: () => show.addAt(point, rect) },
    { text: "Paste here", Icon: ClipboardPaste, keys: "Ctrl+V", disabled: !editing.canPaste(), run: () => editing.paste(point) },
    null,
    { text: "Select all", Icon: SquareDashedMousePointer, keys: "Ctrl+A", run: editing.selectAll },
    { text: "Tidy up", Icon: Network, keys: "T", run: acts.tidy },
    fit,
  ];
}
