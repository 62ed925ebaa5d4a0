// Tells the server whenever a value on the page has become another one, at first too.
import { useEffect, useRef } from "react";

export function Notice({ value = "", onNotice }) {
  const latest = useRef(onNotice);
  latest.current = onNotice;
  useEffect(() => { latest.current?.(); }, [value]);
  return null;
}
