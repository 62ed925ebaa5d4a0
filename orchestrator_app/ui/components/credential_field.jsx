// One input of the form of a connection: a text, a secret, a choice, or a choice that a test has to find first.
import { useId, useState } from "react";
import { ChevronDown, Eye, EyeOff } from "lucide-react";
import { isNeeded, isRemovable } from "./credential_answers.js";

const MOST_SIDE_BY_SIDE = 3;
// Values are trimmed, so none of them is this.
const OTHER = " another ";

function TextInput({ field, placeholder, shared, autoFocus }) {
  const [visible, setVisible] = useState(false);
  return (
    <div className="o-input-frame">
      <input
        className="o-input" type={field.isSecret && !visible ? "password" : "text"} placeholder={placeholder} autoFocus={autoFocus}
        autoComplete={field.isSecret ? "new-password" : "off"} autoCapitalize="off" spellCheck={false} {...shared}
      />
      {field.isSecret && (
        <button type="button" className="o-small-button" aria-label={visible ? "Hide the text" : "Show the text"} aria-pressed={visible} onClick={() => setVisible(!visible)}>
          {visible ? <EyeOff size={15} aria-hidden="true" /> : <Eye size={15} aria-hidden="true" />}
        </button>
      )}
    </div>
  );
}

function Select({ options, shared, disabled }) {
  return (
    <div className="o-choice">
      <select className="o-input" disabled={disabled} {...shared}>
        {options.map((option) => <option key={option.value} value={option.value}>{option.label}</option>)}
      </select>
      <ChevronDown size={16} aria-hidden="true" />
    </div>
  );
}

// Suggestions, and a text of one's own behind the last of them.
function OpenChoice({ field, options, shared, onChange }) {
  const [isOther, setIsOther] = useState(Boolean(shared.value) && !options.some((option) => option.value === shared.value));
  const [isAsked, setIsAsked] = useState(false);
  const choose = (event) => {
    const isText = event.target.value === OTHER;
    setIsOther(isText);
    setIsAsked(isText);
    onChange(isText ? "" : event.target.value);
  };
  const all = [...options, { value: OTHER, label: "Another one…" }];
  const select = { ...shared, value: isOther ? OTHER : shared.value, onChange: choose };
  if (!isOther) return <Select options={all} shared={select} />;
  return (
    <>
      <Select options={all} shared={{ ...select, name: undefined, "aria-invalid": undefined }} />
      <TextInput field={field} placeholder={field.placeholder} autoFocus={isAsked} shared={{ ...shared, id: undefined, "aria-label": `${field.label}, another one` }} />
    </>
  );
}

// What a test found. What is stored stays to be chosen even if no test has named it yet.
function FoundChoice({ field, found, shared, onChange }) {
  if (found && !found.length) return <TextInput field={field} placeholder="Nothing was found; its id may be entered" shared={shared} />;
  const isNamed = found?.some((option) => option.value === field.value);
  const stored = field.value && !isNamed ? [{ value: field.value, label: `${field.value} (stored)` }] : [];
  const none = found ? (field.required ? "Choose…" : "None") : "Test the connection to find it";
  const options = [{ value: "", label: none }, ...stored, ...(found ?? [])];
  if (field.takesOthers) return <OpenChoice field={field} options={options} shared={shared} onChange={onChange} />;
  return <Select options={options} shared={shared} disabled={options.length === 1} />;
}

function SideBySide({ field, id, value, onChange }) {
  return (
    <div className="o-segments">
      {field.options.map((option) => (
        <label key={option.value}>
          <input type="radio" name={`${id}-${field.key}`} value={option.value} checked={option.value === value} onChange={() => onChange(option.value)} />
          <span>{option.label}</span>
        </label>
      ))}
    </div>
  );
}

export function CredentialField({ field, value: given, error, found, hasMoved, onChange }) {
  const id = useId();
  const isRemoved = given === null;
  const value = given ?? "";
  const described = [field.help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  const isChoice = Boolean(field.options?.length) && !field.isDiscovered;
  const isSideBySide = isChoice && !field.takesOthers && field.options.length <= MOST_SIDE_BY_SIDE;
  const placeholder = isRemoved
    ? "Removed when you save"
    : field.isStored && hasMoved ? "Enter it again, since the address changed" : field.placeholder;
  const shared = {
    id, value, name: field.key, "aria-describedby": described, "aria-invalid": error ? true : undefined,
    "aria-required": isNeeded(field) || undefined, onChange: (event) => onChange(event.target.value),
  };
  const notes = (
    <>
      {error && <p id={`${id}-error`} className="o-field-error" role="alert">{error}</p>}
      {field.help && <p id={`${id}-help`} className="o-field-help">{field.help}</p>}
    </>
  );
  if (isSideBySide) {
    return (
      <fieldset className="o-field" aria-describedby={described}>
        <legend className="o-label">{field.label}</legend>
        <SideBySide field={field} id={id} value={value} onChange={onChange} />
        {notes}
      </fieldset>
    );
  }
  return (
    <div className="o-field" data-invalid={Boolean(error)}>
      <label htmlFor={id}>{field.label}{isNeeded(field) && <span className="o-required"> required</span>}</label>
      {field.isDiscovered && <FoundChoice field={field} found={found} shared={shared} onChange={onChange} />}
      {isChoice && field.takesOthers && <OpenChoice field={field} options={field.options} shared={shared} onChange={onChange} />}
      {isChoice && !field.takesOthers && <Select options={field.options} shared={shared} />}
      {!field.isDiscovered && !isChoice && <TextInput field={field} placeholder={placeholder} shared={shared} />}
      {isRemovable(field) && (
        <button type="button" className="o-small-button o-field-action" aria-label={`${isRemoved ? "Keep" : "Remove"} ${field.label}`} onClick={() => onChange(isRemoved ? "" : null)}>
          {isRemoved ? "Keep" : "Remove"}
        </button>
      )}
      {notes}
    </div>
  );
}
