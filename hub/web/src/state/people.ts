// The people in the room, and their pods.

import type { Person, Presence, Who } from "../hub";

export interface People {
  count: number;
  /** The number of pods that serve them. */
  pods: number;
  members: readonly Person[];
}

export const NOBODY: People = { count: 0, pods: 0, members: [] };

/** The most people whom the hub names. */
export const MOST_NAMED = 1_000;

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
export function isStale({ count, pods, members }: People): boolean {
  return members.length !== Math.min(count, MOST_NAMED) || (count <= MOST_NAMED && byPod(members).length !== pods);
}

function same(a: Person, b: Person): boolean {
  return a.name === b.name && a.pod === b.pod && a.user === b.user;
}

/** The pods in order, each with its people in order. */
export function byPod(members: readonly Person[]): { pod: string; members: Person[] }[] {
  const pods = new Map<string, Person[]>();
  for (const person of members) {
    const there = pods.get(person.pod);
    if (there) there.push(person);
    else pods.set(person.pod, [person]);
  }
  return [...pods]
    .map(([pod, members]) => ({ pod, members: members.sort((a, b) => a.name.localeCompare(b.name)) }))
    .sort((a, b) => a.pod.localeCompare(b.pod));
}
