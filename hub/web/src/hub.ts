// The hub's messages and answers, as documented in docs/hub.md.

/** The hub's first message to each client. */
export interface Welcome {
  pod: string;
  connectionId: string;
  version: string;
  backplane: "redis" | "memory";
  /** The user whom the token names. */
  user?: string;
  /** Hubs of older versions do not name their limits. */
  limits?: Limits;
}

/** The limits of a hub that concern the page. */
export interface Limits {
  /** The largest message that the hub accepts: the whole invocation, in bytes. */
  messageBytes: number;
  /** The longest names of people and rooms, in characters. */
  nameCharacters: number;
  /** The most members of a room whom the hub names. */
  namedMembers: number;
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

/** The answer to `Who`, with at most as many members as the hub names. */
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

/** The limits of a hub that has not named its own yet: its defaults. */
export const LIMITS: Limits = { messageBytes: 32 * 1024, nameCharacters: 64, namedMembers: 1_000 };

/** The limits of the hub that serves the page. */
export function limitsOf(welcome: Welcome | undefined): Limits {
  return welcome?.limits ?? LIMITS;
}

const encoder = new TextEncoder();

/**
 * The number of bytes by which a text for a room exceeds the largest message that the hub accepts; 0 or less: it
 * can be sent. The hub ends the connection of a client that sends more, so the page complains before.
 */
export function excess(room: string, text: string, { messageBytes }: Limits): number {
  // Most texts are far below the limit: a UTF-16 unit takes at most three bytes, or six if it is escaped.
  if ((text.length + room.length) * 6 + 1_024 < messageBytes) return 0;
  // The longest nonce and a long invocation id, and the separator behind the record.
  const message = { arguments: [room, text, { nonce: "x".repeat(64) }], invocationId: "4294967295", target: "Send", type: 1 };
  return encoder.encode(JSON.stringify(message)).length + 1 - messageBytes;
}
