// What changes while a run proceeds, kept outside React's tree: only the nodes and edges concerned are drawn anew.
import { createContext, useCallback, useContext, useSyncExternalStore } from "react";

// A map whose entries keep their identity while their content stays the same.
export function createMapStore() {
  let entries = new Map();
  const contents = new Map();
  const listeners = new Set();
  return {
    get: (id) => entries.get(id),
    all: () => entries,
    replace(next) {
      const now = Date.now();
      const fresh = new Map();
      for (const [id, value] of Object.entries(next || {})) {
        const content = JSON.stringify(value);
        const same = contents.get(id) === content && entries.has(id);
        fresh.set(id, same ? entries.get(id) : keep(value, now));
        contents.set(id, content);
      }
      for (const id of contents.keys()) if (!fresh.has(id)) contents.delete(id);
      entries = fresh;
      listeners.forEach((tell) => tell());
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

const keep = (value, now) =>
  value && typeof value === "object" && !Array.isArray(value) ? { ...value, receivedAt: now } : value;

// One value that several small parts watch (the edge under the pointer while something is dragged).
export function createValueStore(initial) {
  let value = initial;
  const listeners = new Set();
  return {
    get: () => value,
    set(next) {
      if (next === value) return;
      value = next;
      listeners.forEach((tell) => tell());
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export const CanvasContext = createContext(null);
export const useCanvas = () => useContext(CanvasContext);

export function useEntry(store, id) {
  const read = useCallback(() => store.get(id), [store, id]);
  return useSyncExternalStore(store.subscribe, read, read);
}

const LIVE = new Set(["RUNNING", "WAITING"]);
export const isLive = (status) => Boolean(status) && LIVE.has(status.state);

// How long a node has been at it. A duration that came with the status wins over the start time: the two clocks differ.
export function elapsedMs(status, now = Date.now()) {
  if (!isLive(status)) return status?.durationMs ?? null;
  if (status.durationMs > 0) return status.durationMs + now - status.receivedAt;
  return status.startedAt > 0 ? now - status.startedAt : null;
}
