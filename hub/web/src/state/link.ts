// The state of the connection.

import { OFFLINE_AFTER_MS } from "../retry";

export type Link =
  /** An attempt is under way. */
  | { is: "connecting"; since: number; before: boolean }
  /** The next attempt is at `until`, by this browser's clock. */
  | { is: "waiting"; since: number; before: boolean; until: number; reason: string }
  | { is: "connected" }
  /** The hub requires a token. `refused`: it did not accept the last one. */
  | { is: "locked"; refused: boolean };

/** The events of a connection. */
export type LinkEvent =
  | { type: "connecting"; now: number }
  | { type: "connected" }
  | { type: "lost"; now: number; until: number; reason: string }
  | { type: "locked"; refused: boolean };

/** The state before the first attempt. */
export const UNLINKED: Link = { is: "connecting", since: 0, before: false };

export function link(link: Link, event: LinkEvent): Link {
  switch (event.type) {
    case "connecting":
      return { is: "connecting", ...lost(link, event.now) };
    case "connected":
      return { is: "connected" };
    case "lost":
      return { is: "waiting", ...lost(link, event.now), until: event.until, reason: event.reason };
    case "locked":
      return { is: "locked", refused: event.refused };
  }
}

/** The time since when there is no connection, and whether there was one before. */
function lost(link: Link, now: number): { since: number; before: boolean } {
  if (link.is === "connected") return { since: now, before: true };
  if (link.is === "locked") return { since: now, before: false };
  return { since: link.since || now, before: link.before };
}

export type Status = "connected" | "connecting" | "reconnecting" | "offline" | "token needed";

/** The state of the connection in a word. */
export function status(link: Link, now: number): Status {
  if (link.is === "connected") return "connected";
  if (link.is === "locked") return "token needed";
  if (link.since && now - link.since >= OFFLINE_AFTER_MS) return "offline";
  return link.before ? "reconnecting" : "connecting";
}

/** The whole seconds until the next attempt; 0 while one is under way. */
export function countdown(link: Link, now: number): number {
  return link.is === "waiting" ? Math.max(0, Math.ceil((link.until - now) / 1000)) : 0;
}
