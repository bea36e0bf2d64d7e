// The messages of one room, in the room's order.

import type { Message } from "../hub";

/** The number of messages that are kept. Older ones are dropped, because a page may be open for days. */
export const MOST_MESSAGES = 500;

/** The two parts of an id. */
export function position(id: string): { epoch: string; number: number } {
  const dash = id.lastIndexOf("-");
  return { epoch: id.slice(0, dash), number: Number(id.slice(dash + 1)) };
}

/** The log with these messages added, each once and in its place. */
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
  // The message comes before all others of its epoch, or is the first of a new epoch.
  log.splice(end, 0, message);
}

/**
 * The number of messages missing between two neighbours; null if it is unknown, because a new history began
 * between them.
 */
export function missing(earlier: Message, later: Message): number | null {
  const [a, b] = [position(earlier.id), position(later.id)];
  return a.epoch === b.epoch ? b.number - a.number - 1 : null;
}
