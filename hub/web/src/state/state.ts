// All that the page knows, and how each event changes it. Pure: what is to be done about it is in ../chat.ts.

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

/** Where one is, and as whom. */
export interface Place {
  room: string;
  name: string;
}

export interface State {
  link: Link;
  /** The hub that serves us, or did last. */
  welcome?: Welcome;
  /** Where one is or wants to be; nowhere before one joins. */
  place?: Place;
  /** `rejoining`: one has been in, and is to be again. */
  membership: "joining" | "joined" | "rejoining";
  /** Why the hub does not let one in; "" if it did or was not asked. */
  refusal: string;
  people: People;
  log: readonly Message[];
  /** Nonces of what was sent from here: so that nobody else's messages look like ours. */
  own: ReadonlySet<string>;
  box: readonly Outgoing[];
  writers: Writers;
  /** Messages after this id were lost, and maybe none has come since; "": all so far. */
  lostAfter?: string;
}

export type Event =
  | LinkEvent
  | OutboxEvent
  | { type: "welcome"; welcome: Welcome }
  /** `again`: one was there before the page was loaded. */
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

/** In no room. */
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
      // Whoever has been in a room keeps seeing it, and what they wrote there.
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

/** The last message of the room that is known. */
export function lastId({ log }: State): string | undefined {
  return log.at(-1)?.id;
}

/** What a room said just before one left it may still be on its way. */
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
    // Between messages a gap is seen by their numbers; at the end nothing else shows it.
    ...(gap && history.length === 0 && before !== undefined && { lostAfter: before }),
  };
}
