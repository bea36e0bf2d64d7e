import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { LIMITS } from "../src/hub";
import { askEvery, byPod, changed, isStale, listed } from "../src/state/people";
import { sentence, writing } from "../src/state/typing";
import type { Writers } from "../src/state/typing";

const ada = { name: "Ada", pod: "hub-a" };
const grace = { name: "Grace", pod: "hub-b" };
const room = "garden";

describe("the people", () => {
  test("come and go", () => {
    const before = listed({ room, count: 1, pods: 1, members: [ada] });

    const both = changed(before, { room, count: 2, pods: 2, joined: [grace], left: [] });
    const one = changed(both, { room, count: 1, pods: 1, joined: [], left: [ada] });

    assert.deepEqual(both, { count: 2, pods: 2, members: [ada, grace] });
    assert.deepEqual(one, { count: 1, pods: 1, members: [grace] });
  });

  test("with the same name leave one by one", () => {
    const two = listed({ room, count: 2, pods: 1, members: [ada, ada] });

    assert.deepEqual(changed(two, { room, count: 1, pods: 1, joined: [], left: [ada] }).members, [ada]);
  });

  test("are asked for when the list cannot be right", () => {
    assert.ok(!isStale({ count: 2, pods: 2, members: [ada, grace] }, LIMITS));
    assert.ok(isStale({ count: 3, pods: 2, members: [ada, grace] }, LIMITS), "large rooms do not say who came");
    assert.ok(isStale({ count: 2, pods: 1, members: [ada, grace] }, LIMITS));
    const named = Array.from({ length: 1_000 }, () => ada);
    assert.ok(!isStale({ count: 5_000, pods: 3, members: named }, LIMITS), "the hub names no more");
  });

  test("cost each member of a large room no more than those of a small one", () => {
    // The hub's answer has a line for each person, up to the most that it names.
    const linesASecond = (count: number) => (Math.min(count, LIMITS.namedMembers) / askEvery({ count, pods: 1, members: [] })) * 1000;

    assert.equal(linesASecond(10), 10);
    for (const count of [20, 200, 1_000, 5_000]) assert.ok(linesASecond(count) <= 20, `${count}: ${linesASecond(count)}`);
    assert.ok(askEvery({ count: 1_000_000, pods: 1, members: [] }) <= 60_000);
  });

  test("are shown by pod, in order", () => {
    const members = [grace, { ...ada, name: "Zoe" }, ada];

    assert.deepEqual(byPod(members), [
      { pod: "hub-a", members: [ada, { ...ada, name: "Zoe" }] },
      { pod: "hub-b", members: [grace] },
    ]);
  });

  test("who are writing are named, as long as they are few", () => {
    const nobody: Writers = new Map();
    const after = (...names: string[]) => sentence(names.reduce((all, name) => writing(all, name, 0), nobody));

    assert.equal(after(), "");
    assert.equal(after("Ada", "Ada"), "Ada is writing…");
    assert.equal(after("Ada", "Grace"), "Ada and Grace are writing…");
    assert.equal(after("Ada", "Grace", "Zoe", "Mary"), "Ada, Grace and 2 more are writing…");
  });
});
