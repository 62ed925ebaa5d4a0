// How durations and times read on screen, and a clock that tells only those whose text changes.

const pad = (number) => String(number).padStart(2, "0");

export function formatDuration(milliseconds, { live = false } = {}) {
  if (milliseconds === null || milliseconds === undefined || Number.isNaN(Number(milliseconds))) return "";
  const ms = Math.max(0, Number(milliseconds));
  if (ms < 1000 && !live) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${pad(seconds % 60)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function formatAgo(milliseconds, now) {
  const seconds = Math.round((now - milliseconds) / 1000);
  const distance = Math.abs(seconds);
  const said = (text) => (seconds >= 0 ? `${text} ago` : `in ${text}`);
  if (distance < 5) return "just now";
  if (distance < 60) return said(`${distance} s`);
  if (distance < 3600) return said(`${Math.floor(distance / 60)} min`);
  if (distance < 86_400) return said(`${Math.floor(distance / 3600)} h`);
  if (distance < 7 * 86_400) return said(`${Math.floor(distance / 86_400)} d`);
  const date = new Date(milliseconds);
  const sameYear = date.getFullYear() === new Date(now).getFullYear();
  return date.toLocaleDateString("en", { day: "numeric", month: "short", ...(sameYear ? {} : { year: "numeric" }) });
}

export function formatExact(milliseconds) {
  const date = new Date(milliseconds);
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  const offset = -date.getTimezoneOffset();
  const zone = `UTC${offset < 0 ? "−" : "+"}${pad(Math.floor(Math.abs(offset) / 60))}:${pad(Math.abs(offset) % 60)}`;
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, "0")} ${zone}`;
}

function createClock(periodMs) {
  const listeners = new Set();
  let timer = null;
  return {
    subscribe(listener) {
      listeners.add(listener);
      timer ??= setInterval(() => listeners.forEach((tell) => tell()), periodMs);
      return () => {
        listeners.delete(listener);
        if (!listeners.size) {
          clearInterval(timer);
          timer = null;
        }
      };
    },
  };
}

// One timer each for all texts on the page. A reader passes its text as snapshot, so only changed ones are drawn.
export const fastClock = createClock(100);
export const slowClock = createClock(1000);
export const stoppedClock = { subscribe: () => () => {} };
