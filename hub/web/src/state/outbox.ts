// What one wrote and is not in the log yet. Nothing leaves here before the room's log has it, or its writer gives it up.

import type { Message } from "../hub";

/**
 * `waiting`: for a connection; it is sent as soon as there is one. `sent`: the hub has not answered yet. `stored`: it has, and the
 * message itself is on its way. `failed`: the hub refused it, or it was lost too often.
 */
export type Mark = "waiting" | "sent" | "stored" | "failed";

export interface Outgoing {
  /** The same for each try, so that the hub stores it once. */
  nonce: string;
  text: string;
  /** When it was written. */
  at: number;
  mark: Mark;
  /** How often it was sent since its writer last asked for that. */
  tries: number;
  /** When it was sent for the first time. */
  sentAt?: number;
  /** Why it failed. */
  reason?: string;
}

export type OutboxEvent =
  | { type: "written"; nonce: string; text: string; now: number }
  | { type: "sent"; nonce: string; now: number }
  | { type: "stored"; nonce: string }
  | { type: "failed"; nonce: string; reason: string }
  /** The connection was lost before the hub answered. */
  | { type: "unanswered"; nonce: string }
  | { type: "again"; nonce: string }
  | { type: "removed"; nonce: string };

/** What ends each connection that it is sent on must not be sent forever. */
export const MOST_TRIES = 3;

export function outbox(box: readonly Outgoing[], event: OutboxEvent): readonly Outgoing[] {
  switch (event.type) {
    case "written":
      return [...box, { nonce: event.nonce, text: event.text, at: event.now, mark: "waiting", tries: 0 }];
    case "removed":
      return box.filter(({ nonce }) => nonce !== event.nonce);
    default:
      return box.map((item) => (item.nonce === event.nonce ? marked(item, event) : item));
  }
}

type MarkEvent = Exclude<OutboxEvent, { type: "written" | "removed" }>;

function marked({ reason: _, ...item }: Outgoing, event: MarkEvent): Outgoing {
  switch (event.type) {
    case "sent":
      return { ...item, mark: "sent", tries: item.tries + 1, sentAt: item.sentAt ?? event.now };
    case "stored":
      return { ...item, mark: "stored" };
    case "failed":
      return { ...item, mark: "failed", reason: event.reason };
    case "unanswered":
      if (item.tries < MOST_TRIES) return { ...item, mark: "waiting" };
      return { ...item, mark: "failed", reason: `The connection was lost ${item.tries} times while it was sent.` };
    case "again":
      return { ...item, mark: "waiting", tries: 0 };
  }
}

/** Without what the log now has. */
export function withoutHeard(box: readonly Outgoing[], heard: readonly Message[]): readonly Outgoing[] {
  const nonces = new Set(heard.map(({ nonce }) => nonce));
  return box.some(({ nonce }) => nonces.has(nonce)) ? box.filter(({ nonce }) => !nonces.has(nonce)) : box;
}

/** For so long the hub knows a nonce, less some for the way there. */
const NONCE_MS = 110_000;

/**
 * After one has joined again: what was sent, but not answered, is sent again if that cannot store it twice. That is so while the hub
 * knows the nonce, or if the history is without a gap (`complete`) and does not have it.
 */
export function withoutDoubt(box: readonly Outgoing[], complete: boolean, now: number): readonly Outgoing[] {
  const inDoubt = ({ mark, sentAt }: Outgoing) => mark === "waiting" && sentAt !== undefined && now - sentAt > NONCE_MS;
  if (complete || !box.some(inDoubt)) return box;
  return box.map((item) => (inDoubt(item) ? { ...item, mark: "failed", reason: DOUBT } : item));
}

const DOUBT = "The connection was lost for long: it may have been stored, or not.";

/** As it is after a reload: nobody waits for an answer any more, and what was stored needs nothing. */
export function restored(box: readonly Outgoing[]): Outgoing[] {
  return box
    .filter(({ mark }) => mark !== "stored")
    .map((item) => (item.mark === "failed" ? item : { ...item, mark: "waiting" }));
}
