// The people who are writing. Clients do not report the end of writing, so it is assumed after a while.

/** The names of the writers, each with the time until which they count as writing. */
export type Writers = ReadonlyMap<string, number>;

/** The time after which a client reports again that its user is still writing, in milliseconds. */
export const SAY_EVERY_MS = 3_000;

/** A little more than the second within which the hub passes on only one report, in milliseconds. */
export const SAY_AT_MOST_EVERY_MS = 1_200;

/** The time for which a report counts, in milliseconds: a little longer than until the next one. */
export const HOLDS_MS = 5_000;

export function writing(writers: Writers, name: string, now: number): Writers {
  return new Map(writers).set(name, now + HOLDS_MS);
}

/** The writers without the people whose message has come. */
export function without(writers: Writers, names: readonly string[]): Writers {
  if (!names.some((name) => writers.has(name))) return writers;
  return new Map([...writers].filter(([name]) => !names.includes(name)));
}

export function still(writers: Writers, now: number): Writers {
  return [...writers.values()].every((until) => until > now)
    ? writers
    : new Map([...writers].filter(([, until]) => until > now));
}

/** The writers in words; "" if there are none. */
export function sentence(writers: Writers): string {
  const [first, second, ...others] = [...writers.keys()];
  if (first === undefined) return "";
  if (second === undefined) return `${first} is writing…`;
  if (others.length === 0) return `${first} and ${second} are writing…`;
  return `${first}, ${second} and ${others.length} more are writing…`;
}
