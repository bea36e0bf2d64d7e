// The people in the room, and their pods.

import type { Limits, Person, Presence, Who } from "../hub";

export interface People {
  count: number;
  /** The number of pods that serve them. */
  pods: number;
  members: readonly Person[];
}

export const NOBODY: People = { count: 0, pods: 0, members: [] };

/** The people as the hub lists them. */
export function listed({ count, pods, members }: Who): People {
  return { count, pods, members };
}

/**
 * The people after some came and went. People with the same name on the same pod cannot be told apart, and
 * need not be.
 */
export function changed(people: People, { count, pods, joined, left }: Presence): People {
  const members = [...people.members];
  for (const gone of left) {
    const index = members.findIndex((person) => same(person, gone));
    if (index >= 0) members.splice(index, 1);
  }
  return { count, pods, members: [...members, ...joined] };
}

/** True if the list is incomplete or wrong, so that the hub has to be asked. */
export function isStale({ count, pods, members }: People, { namedMembers }: Limits): boolean {
  if (members.length !== Math.min(count, namedMembers)) return true;
  return count <= namedMembers && new Set(members.map(({ pod }) => pod)).size !== pods;
}

/** The least time between two questions for the members, in milliseconds, and for each member. */
const ASK_EVERY_MS = 1_000;
const ASK_EVERY_MS_PER_PERSON = 60;
/** The longest time between two questions, in milliseconds. */
const ASK_AT_LEAST_EVERY_MS = 60_000;

/**
 * The time between two questions to the hub for the members of a room, in milliseconds. It grows with the room,
 * whose members all ask: so a large one costs each of them, and each second, no more than a small one.
 */
export function askEvery({ count }: People): number {
  return Math.min(Math.max(ASK_EVERY_MS, count * ASK_EVERY_MS_PER_PERSON), ASK_AT_LEAST_EVERY_MS);
}

function same(a: Person, b: Person): boolean {
  return a.name === b.name && a.pod === b.pod && a.user === b.user;
}

const order = new Intl.Collator();

/** The pods in order, each with its people in order. */
export function byPod(members: readonly Person[]): { pod: string; members: Person[] }[] {
  const pods = new Map<string, Person[]>();
  for (const person of members) {
    const there = pods.get(person.pod);
    if (there) there.push(person);
    else pods.set(person.pod, [person]);
  }
  return [...pods]
    .map(([pod, members]) => ({ pod, members: members.sort((a, b) => order.compare(a.name, b.name)) }))
    .sort((a, b) => order.compare(a.pod, b.pod));
}
