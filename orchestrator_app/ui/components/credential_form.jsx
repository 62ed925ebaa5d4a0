// A form whose secrets go straight to the REST API. Only the answer is reported to the page.
import { useId, useState } from "react";
import { ChevronDown, CircleAlert, CircleCheck, Eye, EyeOff } from "lucide-react";

async function post(method, url, body) {
  let response;
  try {
    response = await fetch(url, {
      method,
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    return { ok: false, status: 0, body: { detail: "The server cannot be reached. Check that it runs, then try again." } };
  }
  const answer = await response.json().catch(() => ({}));
  return { ok: response.ok, status: response.status, body: answer };
}

function sentences({ status, body }) {
  const text = body.detail || body.title || `The server answered with status ${status}.`;
  return [text, body.hint].filter(Boolean);
}

function Field({ field, value, error, onChange }) {
  const id = useId();
  const [visible, setVisible] = useState(false);
  const described = [field.help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  const shared = {
    id, value, name: field.key, "aria-describedby": described, "aria-invalid": error ? true : undefined,
    "aria-required": field.required || undefined, onChange: (event) => onChange(event.target.value),
  };
  return (
    <div className="o-field" data-invalid={Boolean(error)}>
      <label htmlFor={id}>{field.label}{field.required && <span className="o-required"> required</span>}</label>
      {field.options ? (
        <div className="o-choice">
          <select className="o-input" {...shared}>
            {field.options.map((option) => <option key={option.value} value={option.value}>{option.label}</option>)}
          </select>
          <ChevronDown size={16} aria-hidden="true" />
        </div>
      ) : (
        <div className="o-input-frame">
          <input
            className="o-input" type={field.isSecret && !visible ? "password" : "text"} placeholder={field.placeholder}
            autoComplete={field.isSecret ? "new-password" : "off"} autoCapitalize="off" spellCheck={false} {...shared}
          />
          {field.isSecret && (
            <button type="button" className="o-small-button" aria-label={visible ? "Hide the text" : "Show the text"} aria-pressed={visible} onClick={() => setVisible(!visible)}>
              {visible ? <EyeOff size={15} aria-hidden="true" /> : <Eye size={15} aria-hidden="true" />}
            </button>
          )}
        </div>
      )}
      {error && <p id={`${id}-error`} className="o-field-error" role="alert">{error}</p>}
      {field.help && <p id={`${id}-help`} className="o-field-help">{field.help}</p>}
    </div>
  );
}

export function CredentialForm({
  fields = [], method = "POST", url, testUrl = "", extra = {}, submitLabel = "Save", testLabel = "Test", onDone, onCancel,
}) {
  const initial = () => Object.fromEntries(fields.map((field) => [field.key, field.value ?? field.options?.[0]?.value ?? ""]));
  const [values, setValues] = useState(initial);
  const [errors, setErrors] = useState({});
  const [busy, setBusy] = useState("");
  const [outcome, setOutcome] = useState(null);

  const payload = () => {
    const body = { ...extra };
    const credentials = {};
    for (const field of fields) {
      // A secret left empty stays as it is stored; it must not be overwritten with nothing.
      if (field.isSecret && !values[field.key]) continue;
      if (field.isTopLevel) body[field.key] = values[field.key];
      else credentials[field.key] = values[field.key];
    }
    return { ...body, credentials };
  };
  const isComplete = () => {
    const missing = fields.filter((field) => field.required && !String(values[field.key]).trim());
    setErrors(Object.fromEntries(missing.map((field) => [field.key, `Enter ${field.label}.`])));
    return !missing.length;
  };
  const fieldErrors = (body) => Object.fromEntries((Array.isArray(body.errors) ? body.errors : []).flatMap((item) => {
    const key = String(item.field ?? "").split(".").at(-1);
    return fields.some((field) => field.key === key) ? [[key, item.message ?? item.detail ?? "This value is refused."]] : [];
  }));
  const send = async (kind) => {
    if (busy || !isComplete()) return;
    setBusy(kind);
    setOutcome(null);
    const result = await post(kind === "test" ? "POST" : method, kind === "test" ? testUrl : url, payload());
    setBusy("");
    setErrors(fieldErrors(result.body));
    if (kind === "save" && result.ok) {
      setValues(initial());
      onDone?.(result);
      return;
    }
    // An answered test may still say no: {"status": "refused", "detail": …}.
    const isGood = result.ok && (kind === "save" || result.body.status === "connected");
    const said = result.ok ? [result.body.detail || (isGood ? "The connection works." : "The connection does not work.")] : sentences(result);
    setOutcome({ isGood, said });
    if (kind === "save") onDone?.(result);
  };
  return (
    <form className="o-credentials" noValidate autoComplete="off" onSubmit={(event) => { event.preventDefault(); send("save"); }}>
      {fields.map((field) => (
        <Field
          key={field.key} field={field} value={values[field.key] ?? ""} error={errors[field.key]}
          onChange={(next) => { setValues({ ...values, [field.key]: next }); setErrors({ ...errors, [field.key]: undefined }); setOutcome(null); }}
        />
      ))}
      <div role="status" aria-live="polite">
        {outcome && (
          <div className="o-callout" data-color={outcome.isGood ? "green" : "red"}>
            {outcome.isGood ? <CircleCheck size={16} aria-hidden="true" /> : <CircleAlert size={16} aria-hidden="true" />}
            <div className="o-callout-text">{outcome.said.map((line, index) => <p key={index}>{line}</p>)}</div>
          </div>
        )}
      </div>
      <div className="o-dialog-actions">
        {testUrl && <button type="button" className="o-button" data-testid="credential-test" disabled={Boolean(busy)} onClick={() => send("test")}>{busy === "test" ? "Testing…" : testLabel}</button>}
        <span className="o-spacer" />
        {onCancel && <button type="button" className="o-button" onClick={() => onCancel()}>Cancel</button>}
        <button type="submit" className="o-button o-button-primary" data-testid="credential-save" disabled={Boolean(busy)}>{busy === "save" ? "Saving…" : submitLabel}</button>
      </div>
    </form>
  );
}
