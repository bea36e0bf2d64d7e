// Messages, events and states for the tests.

import type { Message } from "../src/hub";
import { reduce, START } from "../src/state/state";
import type { Event, State } from "../src/state/state";

export const EPOCH = "e-1";

/** Message number `n` of the room. */
export function message(n: number, more: Partial<Message> = {}): Message {
  return { id: `${EPOCH}-${n}`, room: "garden", from: "Grace", text: `${n}`, at: n * 1_000, pod: "hub-b", ...more };
}

export const numbers = (log: readonly Message[]) => log.map(({ text }) => Number(text));

export const PLACE = { room: "garden", name: "Ada" };

/** A state after these events. */
export function after(...events: Event[]): State {
  return from(START, ...events);
}

export function from(state: State, ...events: Event[]): State {
  return events.reduce(reduce, state);
}

export const CONNECTED: Event = { type: "connected" };
export const ENTERED: Event = { type: "entered", place: PLACE, again: false, own: [], box: [] };

export function joined(history: Message[], more: { gap?: boolean; now?: number } = {}): Event {
  const { gap = false, now = 0 } = more;
  const last = history.at(-1)?.id ?? null;
  return { type: "joined", joined: { room: "garden", pod: "hub-a", members: 1, pods: 1, last, gap, history }, now };
}
