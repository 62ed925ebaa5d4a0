// Times and durations that keep themselves up to date.
import { useSyncExternalStore } from "react";
import {
  fastClock, formatAgo, formatDuration, formatExact, slowClock, stoppedClock,
} from "$/public/external/orchestrator_app/ui/canvas/flow_canvas/durations.js";

export function TimeAgo({ ms, empty = "–" }) {
  const text = useSyncExternalStore(slowClock.subscribe, () => (ms > 0 ? formatAgo(ms, Date.now()) : ""), () => "");
  if (!text) return <span className="o-none">{empty}</span>;
  return <time className="o-time" dateTime={new Date(ms).toISOString()} title={formatExact(ms)}>{text}</time>;
}

export function ExactTime({ ms, empty = "–" }) {
  const text = useSyncExternalStore(stoppedClock.subscribe, () => (ms > 0 ? formatExact(ms) : ""), () => "");
  if (!text) return <span className="o-none">{empty}</span>;
  return <time className="o-time" dateTime={new Date(ms).toISOString()}>{text}</time>;
}

// `ms` once it is known; until then, while `live`, the time since `since`.
export function Duration({ ms, since = 0, live = false, empty = "–" }) {
  const isTicking = live && since > 0;
  const clock = isTicking ? fastClock : stoppedClock;
  const read = () => {
    if (isTicking) return formatDuration(Date.now() - since, { live: true });
    return ms === null || ms === undefined || ms < 0 ? "" : formatDuration(ms);
  };
  const text = useSyncExternalStore(clock.subscribe, read, () => "");
  return text ? <span className="o-time">{text}</span> : <span className="o-none">{empty}</span>;
}
