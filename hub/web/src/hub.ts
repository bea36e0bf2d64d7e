// What the hub says, as docs/hub.md has it.

/** The hub, to each client as it connects. */
export interface Welcome {
  pod: string;
  connectionId: string;
  version: string;
  backplane: "redis" | "memory";
  /** Whom the token names. */
  user?: string;
}

export interface Message {
  /** `<epoch>-<number>`; numbers of a room follow one another. */
  id: string;
  room: string;
  from: string;
  text: string;
  /** Milliseconds since 1970, by the clock of the pod that took it. */
  at: number;
  pod: string;
  user?: string;
  nonce?: string;
}

/** Someone in a room, and the pod that serves them. */
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
  /** Some of what came after `since` is no longer there. */
  gap: boolean;
  history: Message[];
}

/** Who came and went. Both lists are empty in large rooms. */
export interface Presence {
  room: string;
  count: number;
  pods: number;
  joined: Person[];
  left: Person[];
}

/** The answer to `Who`; at most the first 1,000. */
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
  /** The last message before it; null if all before it are lost, too. */
  after: string | null;
}

/** The most characters of names and rooms. */
export const MOST_CHARS = 64;

/**
 * The most bytes of a message's text, as JSON. The hub takes 32 KiB with all that belongs to a message, and closes on one that sends
 * more: the page says so before.
 */
export const MOST_BYTES = 31 * 1024;
