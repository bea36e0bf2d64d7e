// The times between attempts to connect.

/** The longest time between two attempts, in milliseconds. */
export const LONGEST_MS = 8_000;

/** The time without a connection after which the page says "offline", in milliseconds. The attempts go on. */
export const OFFLINE_AFTER_MS = 15_000;

/**
 * The time to wait after `tries` failed attempts in a row, in milliseconds. It grows each time and differs
 * between clients: when a hub ends, its clients must not come to the other hubs all at once.
 */
export function wait(tries: number, random: number = Math.random()): number {
  const longest = Math.min(LONGEST_MS, 200 * 2 ** Math.min(tries, 10));
  return longest * (0.5 + random / 2);
}
