// Makes and removes the signing secret of an orchestrator. The secret comes from the API itself and passes no event.
import { useState } from "react";
import { CopyButton } from "$/public/external/orchestrator_app/ui/components/copy_button/copy_button.jsx";

async function ask(method, url) {
  let response;
  try {
    response = await fetch(url, { method, credentials: "same-origin", headers: { Accept: "application/json" } });
  } catch {
    throw new Error("The server cannot be reached. Check that it runs, then try again.");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error([answer.detail, answer.hint].filter(Boolean).join(" ") || "It did not work.");
  return answer;
}

export function SigningSecret({ url = "", isSet = false, onChanged }) {
  const [secret, setSecret] = useState("");
  const [problem, setProblem] = useState("");
  const [isSure, setIsSure] = useState(false);
  const [isBusy, setIsBusy] = useState(false);

  const change = async (method) => {
    setIsBusy(true);
    setIsSure(false);
    try {
      const answer = await ask(method, url);
      setSecret(answer.secret ?? "");
      setProblem("");
      onChanged?.();
    } catch (error) {
      setProblem(error.message);
    } finally {
      setIsBusy(false);
    }
  };

  return (
    <div className="o-form-section">
      {secret && (
        <div role="status">
          <p className="o-field-help">Copy the secret now: it is shown this once.</p>
          <div className="o-copy-line">
            <code data-testid="signing-secret">{secret}</code>
            <CopyButton text={secret} label="Copy the signing secret" />
          </div>
        </div>
      )}
      {problem && <p className="o-field-error" role="alert">{problem}</p>}
      {isSure && <p className="o-field-help">Whoever signs with the present secret cannot call back any more until it has the new one.</p>}
      <div className="o-secret-actions">
        {!isSet && (
          <button type="button" className="o-button" disabled={isBusy} onClick={() => change("POST")}>
            Make a signing secret
          </button>
        )}
        {isSet && (
          <button type="button" className="o-button" disabled={isBusy} onClick={() => (isSure ? change("POST") : setIsSure(true))}>
            {isSure ? "Make it all the same" : "Make a new secret"}
          </button>
        )}
        {isSet && (
          <button type="button" className="o-button" disabled={isBusy} onClick={() => change("DELETE")}>
            Take callbacks without signature
          </button>
        )}
      </div>
    </div>
  );
}
