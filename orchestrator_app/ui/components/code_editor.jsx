// An editor for JSON, templates and expressions. It keeps what is typed and reports it when the typing pauses.
import { useEffect, useMemo, useRef, useState } from "react";
import CodeMirror from "@uiw/react-codemirror";
import { EditorState, Prec } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { languageExtensions } from "./code_languages.js";

const look = EditorView.theme({
  "&": { backgroundColor: "transparent", color: "var(--gray-12)", fontSize: "13px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--code-font-family)", lineHeight: "20px" },
  ".cm-content": { caretColor: "var(--gray-12)", padding: "8px 0" },
  ".cm-line": { padding: "0 10px" },
  ".cm-cursor": { borderLeftColor: "var(--gray-12)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--accent-5)" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--gray-11)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--gray-a2)" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-4)", outline: "none" },
  ".cm-placeholder": { color: "var(--gray-11)" },
  ".cm-tooltip": { backgroundColor: "var(--color-panel-solid)", border: "1px solid var(--gray-6)", borderRadius: "8px", boxShadow: "var(--shadow-4)", overflow: "hidden" },
  ".cm-tooltip-autocomplete > ul > li": { padding: "4px 10px", fontFamily: "var(--code-font-family)" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent-4)", color: "var(--gray-12)" },
  ".cm-completionDetail": { color: "var(--gray-11)", fontStyle: "normal", marginLeft: "12px" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "600" },
  ".cm-diagnostic": { padding: "6px 10px", fontFamily: "var(--default-font-family)" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--red-9)" },
});
const oneLine = EditorState.transactionFilter.of((change) => (change.newDoc.lines > 1
  ? [change, { changes: [{ from: 0, to: change.newDoc.length, insert: change.newDoc.sliceString(0).replace(/\s*\n\s*/g, " ") }], sequential: true }]
  : change));
const MOST_REMEMBERED = 50;

export function CodeEditor({
  value = "", language = "json", label = "Code", id, name, placeholder, suggestions, singleLine = false, readOnly = false,
  minHeight, maxHeight = "360px", debounceMs = 300, invalid = false, onChange, onSubmit,
}) {
  const [text, setText] = useState(value);
  const pending = useRef(null);
  const sent = useRef([value]);
  const latest = useRef({});
  latest.current = { onChange, onSubmit };

  const flush = useRef(() => {
    if (!pending.current) return;
    clearTimeout(pending.current.timer);
    const next = pending.current.text;
    pending.current = null;
    if (sent.current.at(-1) === next) return;
    sent.current = [...sent.current.slice(-MOST_REMEMBERED), next];
    latest.current.onChange?.(next);
  }).current;
  useEffect(() => flush, [flush]);
  useEffect(() => {
    // The echo of what was typed here must not undo what has been typed since.
    const echo = sent.current.indexOf(value);
    if (echo >= 0) { sent.current.splice(0, echo); return; }
    clearTimeout(pending.current?.timer);
    pending.current = null;
    sent.current = [value];
    setText(value);
  }, [value]);

  const type = (next) => {
    setText(next);
    clearTimeout(pending.current?.timer);
    pending.current = { text: next, timer: setTimeout(flush, debounceMs) };
  };
  const suggestionKey = JSON.stringify(suggestions ?? []);
  const extensions = useMemo(() => [
    look,
    EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0", ...(id ? { id } : {}), ...(invalid ? { "aria-invalid": "true" } : {}) }),
    Prec.highest(keymap.of([
      { key: "Mod-Enter", run: () => { flush(); latest.current.onSubmit?.(); return Boolean(latest.current.onSubmit); } },
      { key: "Mod-s", run: () => { flush(); return false; } },
    ])),
    ...(singleLine ? [oneLine] : []),
    ...languageExtensions(language, JSON.parse(suggestionKey)),
  ], [label, id, invalid, singleLine, language, suggestionKey, flush]);
  const hasGutter = !singleLine && (language === "json" || language === "body");
  return (
    <div className="o-code" data-single={singleLine} data-read-only={readOnly} data-invalid={invalid} onBlur={flush}>
      <CodeMirror
        value={text} onChange={type} extensions={extensions} theme="none" editable={!readOnly} readOnly={readOnly}
        placeholder={placeholder} minHeight={singleLine ? undefined : minHeight} maxHeight={singleLine ? undefined : maxHeight}
        indentWithTab={false}
        basicSetup={{
          lineNumbers: hasGutter, foldGutter: hasGutter, highlightActiveLine: hasGutter, highlightActiveLineGutter: hasGutter,
          autocompletion: false, closeBrackets: language !== "text", searchKeymap: !singleLine, syntaxHighlighting: false,
        }}
      />
      {name && <input type="hidden" name={name} value={text} />}
    </div>
  );
}
