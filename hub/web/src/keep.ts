// What a tab keeps over a reload: the room one is in, and what one wrote that is not stored yet.

import { recall, remember } from "./memory";
import { restored } from "./state/outbox";
import type { Outgoing } from "./state/outbox";

export interface Kept {
  own: string[];
  box: Outgoing[];
}

/** Older nonces are forgotten; their messages then look like anyone's. */
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
