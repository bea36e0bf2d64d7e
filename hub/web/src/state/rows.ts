// The rows of the log as they are shown.

import type { Message } from "../hub";
import { missing } from "./log";

export type Row =
  | { is: "day"; key: string; day: string }
  /** The number of `missing` messages; null if it is unknown. */
  | { is: "gap"; key: string; missing: number | null }
  /** The `first` message of a group shows its sender, time and pod. */
  | { is: "message"; key: string; message: Message; mine: boolean; first: boolean };

/** The longest time between two messages of a group, which come from one person by one pod. */
const GROUP_MS = 5 * 60_000;

/**
 * The rows of a log. `own`: the nonces of the messages that were sent from here. `lostAfter`: the id of the
 * message after which some were lost. `day`: the day of a time, in words.
 */
export function rows(
  log: readonly Message[],
  own: ReadonlySet<string>,
  lostAfter: string | undefined,
  day: (at: number) => string,
): Row[] {
  const rows: Row[] = [];
  let before: { message: Message; mine: boolean; day: string } | undefined;
  for (const message of log) {
    const now = { message, mine: message.nonce !== undefined && own.has(message.nonce), day: day(message.at) };
    let first = !before || !isGroup(before, now);
    const gap = before ? missing(before.message, message) : 0;
    if (gap !== 0) rows.push({ is: "gap", key: `gap before ${message.id}`, missing: gap });
    if (before?.day !== now.day) rows.push({ is: "day", key: `day of ${message.id}`, day: now.day });
    if (gap !== 0 || before?.day !== now.day) first = true;
    rows.push({ is: "message", key: (now.mine && message.nonce) || message.id, message, mine: now.mine, first });
    before = now;
  }
  if (lostAfter !== undefined && lostAfter === (before?.message.id ?? "")) {
    rows.push({ is: "gap", key: "gap at the end", missing: null });
  }
  return rows;
}

function isGroup(a: { message: Message; mine: boolean }, b: { message: Message; mine: boolean }): boolean {
  const samePerson = a.mine === b.mine && a.message.from === b.message.from && a.message.user === b.message.user;
  return samePerson && a.message.pod === b.message.pod && b.message.at - a.message.at < GROUP_MS;
}
