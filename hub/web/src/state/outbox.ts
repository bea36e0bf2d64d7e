// The user's messages that are not in the log yet. A message stays here until the log has it, or the user
// removes it.

import type { Message } from "../hub";

/**
 * `waiting`: the message is sent as soon as there is a connection. `sent`: the hub has not answered yet.
 * `stored`: the hub has answered, and the message itself is on its way. `failed`: the hub refused the
 * message, or it was lost too often.
 */
export type Mark = "waiting" | "sent" | "stored" | "failed";

export interface Outgoing {
  /** An id that is the same for each attempt, so that the hub stores the message once. */
  nonce: string;
  text: string;
  /** The time when it was written. */
  at: number;
  mark: Mark;
  /** The number of attempts since the user last asked for it to be sent. */
  tries: number;
  /** The time when it was sent first. */
  sentAt?: number;
  /** The reason why it failed. */
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

/**
 * The most attempts for a message: one that ends each connection on which it is sent must not be sent for
 * ever.
 */
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

/** The outbox without the messages that the log has now. */
export function withoutHeard(box: readonly Outgoing[], heard: readonly Message[]): readonly Outgoing[] {
  const nonces = new Set(heard.map(({ nonce }) => nonce));
  return box.some(({ nonce }) => nonces.has(nonce)) ? box.filter(({ nonce }) => !nonces.has(nonce)) : box;
}

/** The time for which the hub remembers a nonce, less some for the transmission, in milliseconds. */
const NONCE_MS = 110_000;

/**
 * The outbox after the user has rejoined. A message that was sent but not answered is sent again only if it
 * cannot be stored twice: while the hub remembers the nonce, or if the history has no gap (`complete`) and
 * does not contain the message.
 */
export function withoutDoubt(box: readonly Outgoing[], complete: boolean, now: number): readonly Outgoing[] {
  const inDoubt = ({ mark, sentAt }: Outgoing) => mark === "waiting" && sentAt !== undefined && now - sentAt > NONCE_MS;
  if (complete || !box.some(inDoubt)) return box;
  return box.map((item) => (inDoubt(item) ? { ...item, mark: "failed", reason: DOUBT } : item));
}

const DOUBT = "The connection was lost for long: it may have been stored, or not.";

/**
 * The outbox after a reload: sent messages wait again, because their answers are lost, and stored messages
 * are dropped.
 */
export function restored(box: readonly Outgoing[]): Outgoing[] {
  return box
    .filter(({ mark }) => mark !== "stored")
    .map((item) => (item.mark === "failed" ? item : { ...item, mark: "waiting" }));
}
