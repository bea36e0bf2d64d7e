// When to try again.

/** Longest time between two tries, in milliseconds. */
export const LONGEST_MS = 8_000;

/** Lost for so long, one is offline, although the tries go on. */
export const OFFLINE_AFTER_MS = 15_000;

/**
 * Milliseconds to wait after `tries` tries in a row that failed. Longer each time, and never the same for all clients: a hub that
 * ends must not send them all to the others at one moment.
 */
export function wait(tries: number, random: number = Math.random()): number {
  const longest = Math.min(LONGEST_MS, 200 * 2 ** Math.min(tries, 10));
  return longest * (0.5 + random / 2);
}
