// A form whose secrets go straight to the REST API. Only the answer is reported to the page.
import { useEffect, useRef, useState } from "react";
import { ChevronRight, CircleAlert, CircleCheck, Info } from "lucide-react";
import {
  credentialsOf, fieldErrors, fieldsNow, firstValues, hasMoved, isNeeded, missingErrors, refusal, send, testedPart, verdict,
} from "./credential_answers.js";
import { CredentialField } from "./credential_field.jsx";

const MOST_EXTRAS = 2;
const SIGNS = { green: CircleCheck, indigo: Info, red: CircleAlert };

// What can be left out, and is more than a choice.
const isExtra = (field) => !field.required && !field.isDiscovered && !field.options?.length;

function Outcome({ outcome, busy, onSaveAnyway }) {
  const Sign = SIGNS[outcome.color];
  const box = useRef(null);
  useEffect(() => { box.current?.scrollIntoView({ block: "nearest" }); }, [outcome]);
  return (
    <div ref={box} className="o-callout" data-color={outcome.color} data-testid="credential-outcome">
      <Sign size={16} aria-hidden="true" />
      <div className="o-callout-text">
        {outcome.said.map((line, index) => <p key={index}>{line}</p>)}
        {outcome.facts.length > 0 && (
          <dl className="o-facts">
            {outcome.facts.map((fact, index) => <div key={index}><dt>{fact.label}</dt><dd>{fact.text}</dd></div>)}
          </dl>
        )}
        {outcome.maySaveAnyway && (
          <div className="o-callout-action">
            <button type="button" className="o-button" disabled={Boolean(busy)} onClick={onSaveAnyway}>Save anyway</button>
          </div>
        )}
      </div>
    </div>
  );
}

export function CredentialForm({ fields = [], method = "POST", url, testUrl, connectionId = "", onDone, onCancel }) {
  const [values, setValues] = useState(() => firstValues(fields));
  const [errors, setErrors] = useState({});
  const [busy, setBusy] = useState("");
  const [outcome, setOutcome] = useState(null);
  const [found, setFound] = useState(null);
  const [passed, setPassed] = useState(null);
  const [isUnfolded, setIsUnfolded] = useState(() => fields.some((field) => isExtra(field) && (field.value || field.isStored)));
  const [focus, setFocus] = useState(null);
  const form = useRef(null);
  const isThere = useRef(true);
  useEffect(() => {
    isThere.current = true;
    // Where typing brings up a keyboard on the screen, the person begins by a tap.
    const first = shown.find((field) => isNeeded(field) && !values[field.key]);
    if (first && window.matchMedia("(pointer: fine)").matches) setFocus({ key: first.key });
    return () => { isThere.current = false; };
  }, []);
  useEffect(() => {
    if (focus) form.current?.querySelector(`[name="${CSS.escape(focus.key)}"]`)?.focus();
  }, [focus]);

  const shown = fieldsNow(fields, values);
  const extras = shown.filter(isExtra);
  const folded = extras.length > MOST_EXTRAS ? extras : [];
  const moved = hasMoved(shown, values);

  const change = (key, next) => {
    setValues({ ...values, [key]: next });
    setErrors({ ...errors, [key]: undefined });
    setOutcome(null);
  };
  // Complaints stand at their fields, and the first of them is where the person goes on.
  const complain = (next) => {
    setErrors(next);
    const first = shown.find((field) => next[field.key]);
    if (folded.some((field) => next[field.key])) setIsUnfolded(true);
    if (first) setFocus({ key: first.key });
    return Boolean(first);
  };
  const test = async () => {
    const body = { credentials: credentialsOf(shown, values), ...(connectionId && { connectionId }) };
    const result = await send("POST", testUrl, body);
    if (!isThere.current) return null;
    const atFields = fieldErrors(shown, result.body);
    complain(atFields);
    if (!result.ok) {
      setOutcome(refusal(result, atFields));
      return null;
    }
    const said = verdict(result.body);
    setPassed(said.isGood ? testedPart(shown, values) : null);
    const choices = result.body.choices ?? {};
    const open = said.isGood ? shown.filter((field) => field.isDiscovered && !values[field.key]) : [];
    const only = open.filter((field) => choices[field.key]?.length === 1);
    if (said.isGood) setFound(choices);
    if (only.length) setValues((now) => ({ ...now, ...Object.fromEntries(only.map((field) => [field.key, choices[field.key][0].value])) }));
    setOutcome(said);
    // What was found for the first time, and leaves a choice, is put before the person.
    return { ...said, toChoose: found ? [] : open.filter((field) => choices[field.key]?.length > 1), only, choices };
  };
  const store = async (chosen) => {
    setBusy("save");
    const top = Object.fromEntries(shown.filter((field) => field.isTopLevel).map((field) => [field.key, values[field.key]]));
    const result = await send(method, url, { ...top, credentials: credentialsOf(shown, { ...values, ...chosen }) });
    if (!isThere.current) return;
    setBusy("");
    if (!result.ok) {
      const atFields = fieldErrors(shown, result.body);
      complain(atFields);
      setOutcome(refusal(result, atFields));
    }
    onDone?.(result);
  };
  const onTest = async () => {
    if (busy || complain(missingErrors(shown.filter((field) => !field.isDiscovered && !field.isTopLevel), values))) return;
    setBusy("test");
    await test();
    if (isThere.current) setBusy("");
  };
  const onSave = async () => {
    const isTested = passed !== null && passed === testedPart(shown, values);
    if (busy || complain(missingErrors(isTested ? shown : shown.filter((field) => !field.isDiscovered), values))) return;
    if (isTested) {
      await store({});
      return;
    }
    setBusy("check");
    const said = await test();
    if (!isThere.current) return;
    setBusy("");
    if (!said) return;
    if (!said.isGood) {
      setOutcome({ ...said, maySaveAnyway: true });
    } else if (said.toChoose.length) {
      const names = said.toChoose.map((field) => field.label).join(" and ");
      setOutcome({ ...said, said: [...said.said, `Choose ${names} above, then save.`] });
      setFocus({ key: said.toChoose[0].key });
    } else {
      const chosen = Object.fromEntries(said.only.map((field) => [field.key, said.choices[field.key][0].value]));
      if (!complain(missingErrors(shown, { ...values, ...chosen }))) await store(chosen);
    }
  };
  const input = (field) => (
    <CredentialField
      key={field.key} field={field} value={values[field.key]} error={errors[field.key]} found={found && (found[field.key] ?? [])}
      hasMoved={moved} onChange={(next) => change(field.key, next)}
    />
  );
  return (
    <form ref={form} className="o-credentials" noValidate autoComplete="off" onSubmit={(event) => { event.preventDefault(); onSave(); }}>
      {shown.filter((field) => !folded.includes(field)).map(input)}
      {folded.length > 0 && (
        <details className="o-fold" open={isUnfolded} onToggle={(event) => setIsUnfolded(event.currentTarget.open)}>
          <summary><ChevronRight size={14} aria-hidden="true" />Only if needed</summary>
          <div className="o-fold-body">{folded.map(input)}</div>
        </details>
      )}
      <div role="status" aria-live="polite">{outcome && <Outcome outcome={outcome} busy={busy} onSaveAnyway={() => store({})} />}</div>
      <div className="o-dialog-actions">
        <button type="button" className="o-button" data-testid="credential-test" disabled={Boolean(busy)} onClick={onTest}>{busy === "test" ? "Testing…" : "Test"}</button>
        <span className="o-spacer" />
        <button type="button" className="o-button" onClick={() => onCancel?.()}>Cancel</button>
        <button type="submit" className="o-button o-button-primary" data-testid="credential-save" disabled={Boolean(busy)}>{{ check: "Testing…", save: "Saving…" }[busy] ?? "Save"}</button>
      </div>
    </form>
  );
}
