// Who is in the room, and on which pod.

import type { Person, Presence, Who } from "../hub";

export interface People {
  count: number;
  /** How many pods serve them. */
  pods: number;
  members: readonly Person[];
}

export const NOBODY: People = { count: 0, pods: 0, members: [] };

/** The hub names no more. */
export const MOST_NAMED = 1_000;

/** As the hub lists them. */
export function listed({ count, pods, members }: Who): People {
  return { count, pods, members };
}

/** After some came and went. Those of one name on one pod cannot be told apart, and need not be. */
export function changed(people: People, { count, pods, joined, left }: Presence): People {
  const members = [...people.members];
  for (const gone of left) {
    const index = members.findIndex((person) => same(person, gone));
    if (index >= 0) members.splice(index, 1);
  }
  return { count, pods, members: [...members, ...joined] };
}

/** Whether the list is not the whole truth, so that the hub has to be asked. */
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
