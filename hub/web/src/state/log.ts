// The messages of one room, in the room's order.

import type { Message } from "../hub";

/** Older messages are dropped: a page may be open for days. */
export const MOST_MESSAGES = 500;

/** An id's two parts. */
export function position(id: string): { epoch: string; number: number } {
  const dash = id.lastIndexOf("-");
  return { epoch: id.slice(0, dash), number: Number(id.slice(dash + 1)) };
}

/** The log with these messages, each once and where it belongs. */
export function withMessages(log: readonly Message[], more: readonly Message[]): Message[] {
  const merged = [...log];
  for (const message of more) insert(merged, message);
  return merged.slice(-MOST_MESSAGES);
}

function insert(log: Message[], message: Message): void {
  const { epoch, number } = position(message.id);
  let end = log.length;
  for (let index = log.length - 1; index >= 0; index -= 1) {
    const other = position(log[index]!.id);
    if (other.epoch !== epoch) continue;
    if (other.number === number) {
      log[index] = message;
      return;
    }
    if (other.number < number) {
      log.splice(index + 1, 0, message);
      return;
    }
    end = index;
  }
  // Before the first one of its epoch, or the first of a new epoch.
  log.splice(end, 0, message);
}

/** How many messages are missing between two neighbours: null if that cannot be known, as the history began anew. */
export function missing(earlier: Message, later: Message): number | null {
  const [a, b] = [position(earlier.id), position(later.id)];
  return a.epoch === b.epoch ? b.number - a.number - 1 : null;
}
