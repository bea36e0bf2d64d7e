// Who is writing. Nobody says that they stopped, so it is taken to be over after a while.

/** Names, and until when each is taken to write. */
export type Writers = ReadonlyMap<string, number>;

/** Whoever goes on says so again after this time, in milliseconds. */
export const SAY_EVERY_MS = 3_000;

/** The hub passes it on once a second; this is a little more. */
export const SAY_AT_MOST_EVERY_MS = 1_200;

/** For so long it holds: a little more than until it is said again. */
export const HOLDS_MS = 5_000;

export function writing(writers: Writers, name: string, now: number): Writers {
  return new Map(writers).set(name, now + HOLDS_MS);
}

/** Without those whose message has come. */
export function without(writers: Writers, names: readonly string[]): Writers {
  if (!names.some((name) => writers.has(name))) return writers;
  return new Map([...writers].filter(([name]) => !names.includes(name)));
}

export function still(writers: Writers, now: number): Writers {
  return [...writers.values()].every((until) => until > now)
    ? writers
    : new Map([...writers].filter(([, until]) => until > now));
}

/** In words; "" if nobody is. */
export function sentence(writers: Writers): string {
  const [first, second, ...others] = [...writers.keys()];
  if (first === undefined) return "";
  if (second === undefined) return `${first} is writing…`;
  if (others.length === 0) return `${first} and ${second} are writing…`;
  return `${first}, ${second} and ${others.length} more are writing…`;
}
