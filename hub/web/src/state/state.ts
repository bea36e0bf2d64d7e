// The state of the page, and its changes by events. The functions here are pure; the actions are in
// ../chat.ts.

import type { Gap, Joined, Message, Presence, Typing, Welcome, Who } from "../hub";
import { link, UNLINKED } from "./link";
import type { Link, LinkEvent } from "./link";
import { withMessages } from "./log";
import { outbox, withoutDoubt, withoutHeard } from "./outbox";
import type { Outgoing, OutboxEvent } from "./outbox";
import { changed, listed, NOBODY } from "./people";
import type { People } from "./people";
import { still, without, writing } from "./typing";
import type { Writers } from "./typing";

/** The user's room, and their name there. */
export interface Place {
  room: string;
  name: string;
}

export interface State {
  link: Link;
  /** The hub that serves the page, or served it last. */
  welcome?: Welcome;
  /** The room in which the user is or wants to be. */
  place?: Place;
  /** `rejoining`: the user has been in the room, and returns to it. */
  membership: "joining" | "joined" | "rejoining";
  /** The hub's reason for not letting the user in, or "". */
  refusal: string;
  people: People;
  log: readonly Message[];
  /** The nonces of the messages that were sent from here, which tell them from those of other people. */
  own: ReadonlySet<string>;
  box: readonly Outgoing[];
  writers: Writers;
  /**
   * The id of the message after which some were lost, perhaps with none since; "": all messages so far were
   * lost.
   */
  lostAfter?: string;
}

export type Event =
  | LinkEvent
  | OutboxEvent
  | { type: "welcome"; welcome: Welcome }
  /** `again`: the user was in the room before the page was reloaded. */
  | { type: "entered"; place: Place; again: boolean; own: readonly string[]; box: readonly Outgoing[] }
  | { type: "joined"; joined: Joined; now: number }
  | { type: "refused"; reason: string }
  | { type: "left" }
  | { type: "message"; message: Message }
  | { type: "presence"; presence: Presence }
  | { type: "who"; who: Who }
  | { type: "typing"; typing: Typing; now: number }
  | { type: "gap"; gap: Gap }
  /** Time has passed. */
  | { type: "tick"; now: number };

/** The state of a user who is in no room. */
const NOWHERE = {
  membership: "joining",
  refusal: "",
  people: NOBODY,
  log: [],
  own: new Set<string>(),
  box: [],
  writers: new Map(),
} as const;

export const START: State = { link: UNLINKED, ...NOWHERE };

export function reduce(state: State, event: Event): State {
  switch (event.type) {
    case "connecting":
    case "connected":
    case "lost":
    case "locked":
      return { ...state, link: link(state.link, event), membership: outside(state.membership), writers: new Map() };
    case "welcome":
      return { ...state, welcome: event.welcome };
    case "entered":
      return {
        ...nowhere(state),
        place: event.place,
        membership: event.again ? "rejoining" : "joining",
        own: new Set(event.own),
        box: event.box,
      };
    case "joined":
      return joined(state, event.joined, event.now);
    case "refused":
      // A user who has been in the room keeps seeing it, with their own messages.
      return { ...(state.membership === "joining" ? nowhere(state) : state), refusal: event.reason };
    case "left":
      return nowhere(state);
    case "written":
      return { ...state, own: new Set(state.own).add(event.nonce), box: outbox(state.box, event) };
    case "sent":
    case "stored":
    case "failed":
    case "unanswered":
    case "again":
    case "removed":
      return { ...state, box: outbox(state.box, event) };
    case "message":
      return here(state, event.message) ? heard(state, [event.message]) : state;
    case "presence":
      return here(state, event.presence) ? { ...state, people: changed(state.people, event.presence) } : state;
    case "who":
      return here(state, event.who) ? { ...state, people: listed(event.who) } : state;
    case "typing":
      if (!here(state, event.typing)) return state;
      return { ...state, writers: writing(state.writers, event.typing.from, event.now) };
    case "gap":
      return here(state, event.gap) ? { ...state, lostAfter: event.gap.after ?? "" } : state;
    case "tick":
      return { ...state, writers: still(state.writers, event.now) };
  }
}

/** The id of the room's last known message. */
export function lastId({ log }: State): string | undefined {
  return log.at(-1)?.id;
}

/** True for events of the current room. Events of a room that the user has just left may still arrive. */
function here({ place }: State, { room }: { room: string }): boolean {
  return place?.room === room;
}

function outside(membership: State["membership"]): State["membership"] {
  return membership === "joined" ? "rejoining" : membership;
}

function nowhere({ link, welcome }: State): State {
  return { link, ...(welcome && { welcome }), ...NOWHERE };
}

function heard(state: State, messages: readonly Message[]): State {
  const names = messages.map(({ from }) => from);
  return {
    ...state,
    log: withMessages(state.log, messages),
    box: withoutHeard(state.box, messages),
    writers: without(state.writers, names),
  };
}

function joined(state: State, { room, members, pods, gap, history }: Joined, now: number): State {
  if (!here(state, { room })) return state;
  const before = lastId(state);
  const { lostAfter: _, ...known } = heard(state, history);
  return {
    ...known,
    box: withoutDoubt(known.box, before !== undefined && !gap, now),
    membership: "joined",
    refusal: "",
    people: { ...state.people, count: members, pods },
    // Between messages, their numbers show a gap; at the end of the log, only this does.
    ...(gap && history.length === 0 && before !== undefined && { lostAfter: before }),
  };
}
