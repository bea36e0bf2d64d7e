// The user's messages that a tab keeps over a reload: the ones not stored yet, and the nonces of the others.

import { recall, remember } from "./memory";
import { restored } from "./state/outbox";
import type { Outgoing } from "./state/outbox";

export interface Kept {
  own: string[];
  box: Outgoing[];
}

/** The number of nonces that are kept. Messages with older ones look like those of other people. */
const MOST_NONCES = 500;

export function keep(room: string, own: ReadonlySet<string>, box: readonly Outgoing[]): void {
  remember("session", `sent.${room}`, JSON.stringify({ own: [...own].slice(-MOST_NONCES), box }));
}

export function kept(room: string): Kept {
  try {
    const { own, box } = JSON.parse(recall("session", `sent.${room}`)) as Kept;
    return { own, box: restored(box) };
  } catch {
    return { own: [], box: [] };
  }
}
