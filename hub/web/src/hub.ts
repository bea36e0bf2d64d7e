// The hub's messages and answers, as documented in docs/hub.md.

/** The hub's first message to each client. */
export interface Welcome {
  pod: string;
  connectionId: string;
  version: string;
  backplane: "redis" | "memory";
  /** The user whom the token names. */
  user?: string;
}

export interface Message {
  /** `<epoch>-<number>`; the numbers of a room are consecutive. */
  id: string;
  room: string;
  from: string;
  text: string;
  /** Milliseconds since 1970, by the clock of the pod that received it. */
  at: number;
  pod: string;
  user?: string;
  nonce?: string;
}

/** A member of a room, and the pod that serves them. */
export interface Person {
  name: string;
  pod: string;
  user?: string;
}

/** The answer to `Join`. */
export interface Joined {
  room: string;
  pod: string;
  members: number;
  pods: number;
  last: string | null;
  /** True if some messages after `since` are no longer stored. */
  gap: boolean;
  history: Message[];
}

/** The people who came and went. Both lists are empty in large rooms. */
export interface Presence {
  room: string;
  count: number;
  pods: number;
  joined: Person[];
  left: Person[];
}

/** The answer to `Who`, with at most the first 1,000 members. */
export interface Who {
  room: string;
  count: number;
  pods: number;
  members: Person[];
}

/** The answer to `Send`. */
export interface Stored {
  id: string;
  at: number;
}

export interface Typing {
  room: string;
  from: string;
}

export interface Gap {
  room: string;
  /** The last message before the gap; null if all earlier ones are lost, too. */
  after: string | null;
}

/** The longest names of people and rooms, in characters. */
export const MOST_CHARS = 64;

/**
 * The longest text of a message, in bytes of JSON. The hub accepts 32 KiB for a whole message and closes the
 * connection of a client that sends more, so the page complains before.
 */
export const MOST_BYTES = 31 * 1024;
