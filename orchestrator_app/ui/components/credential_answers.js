// What the form of a connection sends, and how it reads the answers.

const GOOD = { connected: "green", untested: "indigo" };

export async function send(method, url, body) {
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

// The fields that exist in the mode that is chosen.
export function fieldsNow(fields, values) {
  return fields.filter((field) => !field.modes?.length || field.modes.includes(values.mode));
}

// A choice starts with its first option, but for one whose options are yet to be found.
export function firstValues(fields) {
  return Object.fromEntries(fields.map((field) => [field.key, field.value || (!field.isDiscovered && field.options?.[0]?.value) || ""]));
}

export function credentialsOf(fields, values) {
  const credentials = {};
  for (const field of fields) {
    const value = values[field.key];
    // A secret left empty stays as it is stored; null is one that the person takes away.
    if (field.isTopLevel || (field.isSecret && !value && value !== null)) continue;
    credentials[field.key] = field.isSecret ? value : value ?? "";
  }
  return credentials;
}

// What a test depends on: everything but its own findings.
export function testedPart(fields, values) {
  return JSON.stringify(credentialsOf(fields.filter((field) => !field.isDiscovered), values));
}

// What is stored and can be left out can be taken away.
export function isRemovable(field) {
  return Boolean(field.isSecret && field.isStored && !field.required);
}

// A secret that is stored need not be entered again.
export function isNeeded(field) {
  return Boolean(field.required) && !field.isStored;
}

export function missingErrors(fields, values) {
  return Object.fromEntries(
    fields.filter((field) => isNeeded(field) && !String(values[field.key] ?? "").trim()).map((field) => [field.key, `Enter ${field.label}.`]),
  );
}

export function fieldErrors(fields, body) {
  return Object.fromEntries((Array.isArray(body.errors) ? body.errors : []).flatMap((item) => {
    const key = String(item.field ?? "").split(".").at(-1);
    return fields.some((field) => field.key === key) ? [[key, item.message ?? item.detail ?? "This value is refused."]] : [];
  }));
}

// An answer that is no success: a problem, with a hint and perhaps with complaints that stand at their fields already.
export function refusal({ status, body }, atFields) {
  const isToldAlready = Object.values(atFields).includes(body.detail);
  const text = body.detail || body.title || `The server answered with status ${status}.`;
  const said = [isToldAlready ? "" : text, body.hint].filter(Boolean);
  return said.length ? { color: "red", said, facts: [] } : null;
}

// An answered test may still say no: {"status": "refused", "detail": …}.
export function verdict(body) {
  const isGood = body.status in GOOD;
  const said = [body.detail || (isGood ? "The connection works." : "The connection does not work.")];
  return { isGood, color: GOOD[body.status] ?? "red", said, facts: Array.isArray(body.facts) ? body.facts : [] };
}

function originOf(address) {
  try {
    return new URL(address).origin;
  } catch {
    return "";
  }
}

// Whether an address changed to which the stored secrets are bound.
export function hasMoved(fields, values) {
  return fields.some((field) => field.isOrigin && field.value && originOf(values[field.key]) !== originOf(field.value));
}
