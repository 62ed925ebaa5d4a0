// What the code editor knows of each language: colours, checks and completions.
import { autocompletion } from "@codemirror/autocomplete";
import { json, jsonParseLinter } from "@codemirror/lang-json";
import { HighlightStyle, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, linter } from "@codemirror/lint";
import { Decoration, EditorView, MatchDecorator, ViewPlugin } from "@codemirror/view";
import { tags } from "@lezer/highlight";

// Colours of the theme, so that light and dark need no second set.
const colors = HighlightStyle.define([
  { tag: tags.propertyName, color: "var(--indigo-11)" },
  { tag: tags.string, color: "var(--o-code-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--o-code-number)" },
  { tag: [tags.keyword, tags.operatorKeyword], color: "var(--plum-11)" },
  { tag: [tags.operator, tags.punctuation, tags.bracket, tags.separator], color: "var(--gray-11)" },
  { tag: tags.function(tags.variableName), color: "var(--indigo-11)" },
  { tag: tags.comment, color: "var(--gray-11)", fontStyle: "italic" },
]);

// JSONata, as far as colours need it.
const jsonata = StreamLanguage.define({
  name: "jsonata",
  startState: () => ({ comment: false }),
  token(stream, state) {
    if (state.comment || stream.match("/*")) {
      state.comment = !stream.match(/^.*?\*\//);
      if (state.comment) stream.skipToEnd();
      return "comment";
    }
    if (stream.eatSpace()) return null;
    if (stream.match(/^"(\\.|[^"\\])*"?/) || stream.match(/^'(\\.|[^'\\])*'?/)) return "string";
    if (stream.match(/^`[^`]*`?/)) return "propertyName";
    if (stream.match(/^\d+(\.\d+)?([eE][-+]?\d+)?/)) return "number";
    if (stream.match(/^\$\w*(?=\s*\()/)) return "variableName.function";
    if (stream.match(/^\$+\w*/)) return "variableName";
    if (stream.match(/^(and|or|in|function)\b/)) return "keyword";
    if (stream.match(/^(true|false|null)\b/)) return "atom";
    if (stream.match(/^[A-Za-z_][\w-]*/)) return "propertyName";
    stream.next();
    return "operator";
  },
  tokenTable: { propertyName: tags.propertyName },
});

const templates = new MatchDecorator({ regexp: /\{\{[\s\S]*?\}\}/g, decoration: Decoration.mark({ class: "o-code-template" }) });
const markTemplates = ViewPlugin.fromClass(class {
  constructor(view) { this.decorations = templates.createDeco(view); }
  update(change) { this.decorations = templates.updateDeco(change, this.decorations); }
}, { decorations: (plugin) => plugin.decorations });

const lintJson = (() => {
  const check = jsonParseLinter();
  return linter((view) => (view.state.doc.toString().trim() ? check(view) : []), { delay: 400 });
})();

// Paths are offered where an expression stands: anywhere in one, inside {{ }} of a template.
function completions(suggestions, isTemplate) {
  const options = suggestions.map((item) => ({ type: "variable", ...item }));
  const source = (context) => {
    const before = context.state.doc.sliceString(Math.max(0, context.pos - 2000), context.pos);
    if (isTemplate && before.lastIndexOf("{{") <= before.lastIndexOf("}}")) return null;
    const word = context.matchBefore(/[\w$.`-]*/);
    if (!word || (word.from === word.to && !context.explicit && !before.trimEnd().endsWith("{{"))) return null;
    return { from: word.from, options, validFor: /^[\w$.`-]*$/ };
  };
  return autocompletion({ override: [source], icons: false });
}

export function languageExtensions(language, suggestions) {
  const isTemplate = language === "template" || language === "body";
  const found = suggestions?.length ? [completions(suggestions, isTemplate)] : [];
  const shared = [syntaxHighlighting(colors), ...found];
  if (language === "json") return [json(), lintJson, lintGutter(), ...shared];
  if (language === "body") return [json(), markTemplates, ...shared];
  if (language === "template") return [markTemplates, EditorView.lineWrapping, ...shared];
  if (language === "expression") return [jsonata, EditorView.lineWrapping, ...shared];
  return [EditorView.lineWrapping, ...shared];
}
