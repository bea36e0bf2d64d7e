import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { lastId } from "../src/state/state";
import { after, CONNECTED, ENTERED, EPOCH, from, joined, message, numbers, PLACE } from "./fixtures";

const lost = { type: "lost", now: 1, until: 2, reason: "" } as const;

describe("the state", () => {
  test("the user is in a room, with its history, once the hub says so", () => {
    const state = after(CONNECTED, ENTERED, joined([message(1), message(2)]));

    assert.equal(state.membership, "joined");
    assert.deepEqual(numbers(state.log), [1, 2]);
    assert.equal(lastId(state), `${EPOCH}-2`);
  });

  test("events of other rooms are ignored", () => {
    const state = after(CONNECTED, ENTERED, joined([]));
    const other = message(1, { room: "attic" });

    assert.equal(from(state, { type: "message", message: other }), state);
    assert.equal(from(state, { type: "typing", typing: { room: "attic", from: "x" }, now: 0 }), state);
    assert.equal(from(state, { type: "gap", gap: { room: "attic", after: "x" } }), state);
  });

  test("a lost connection keeps the room and its messages", () => {
    const state = after(CONNECTED, ENTERED, joined([message(1)]), lost);

    assert.equal(state.membership, "rejoining");
    const back = from(state, CONNECTED, joined([message(2), message(3)]));
    assert.equal(back.membership, "joined");
    assert.deepEqual(numbers(back.log), [1, 2, 3]);
    assert.equal(back.lostAfter, undefined);
  });

  test("a gap at the very end is known, too", () => {
    const state = after(CONNECTED, ENTERED, joined([message(1)]), lost, CONNECTED, joined([], { gap: true }));

    assert.equal(state.lostAfter, `${EPOCH}-1`);
    assert.equal(from(state, joined([message(2)])).lostAfter, undefined, "found after all");
  });

  test("a user who is refused at first stays outside and learns why", () => {
    const state = after(CONNECTED, ENTERED, { type: "refused", reason: "The room is not yours." });

    assert.equal(state.place, undefined);
    assert.equal(state.refusal, "The room is not yours.");
  });

  test("a user who is refused after a reload is still joining, with their own messages", () => {
    const item = { nonce: "n", text: "hi", at: 0, mark: "failed", tries: 1 } as const;
    const entered = { type: "entered", place: PLACE, again: true, own: ["n"], box: [item] } as const;

    const state = after(CONNECTED, entered, { type: "refused", reason: "Not now." });

    assert.deepEqual([state.place, state.membership, state.box], [PLACE, "rejoining", [item]]);
  });

  test("a user who is refused after a reconnect keeps the log and their own messages", () => {
    const written = { type: "written", nonce: "n", text: "hi", now: 0 } as const;
    const state = after(CONNECTED, ENTERED, joined([message(1)]), lost, written, CONNECTED, {
      type: "refused",
      reason: "Not now.",
    });

    assert.equal(state.place?.room, "garden");
    assert.deepEqual(numbers(state.log), [1]);
    assert.equal(state.box.length, 1);
    assert.equal(state.refusal, "Not now.");
  });

  test("a message leaves the outbox when the log gets it, live or on joining", () => {
    const written = { type: "written", nonce: "n", text: "hi", now: 0 } as const;
    const state = after(CONNECTED, ENTERED, joined([]), written);
    const mine = message(1, { nonce: "n" });

    for (const event of [{ type: "message", message: mine } as const, joined([mine])]) {
      const heard = from(state, event);
      assert.deepEqual([heard.box.length, heard.log.length], [0, 1]);
      assert.ok(heard.own.has("n"));
    }
  });

  test("a person whose message came is no longer writing", () => {
    const typing = { type: "typing", typing: { room: "garden", from: "Grace" }, now: 0 } as const;
    const state = after(CONNECTED, ENTERED, joined([]), typing);

    assert.equal(state.writers.size, 1);
    assert.equal(from(state, { type: "message", message: message(1) }).writers.size, 0);
    assert.equal(from(state, { type: "tick", now: 60_000 }).writers.size, 0);
    assert.equal(from(state, { type: "tick", now: 1 }).writers.size, 1);
  });

  test("nothing of a room remains when the user leaves it", () => {
    const state = after(CONNECTED, ENTERED, joined([message(1)]), { type: "left" });

    assert.equal(state.place, undefined);
    assert.deepEqual([state.log, state.box, state.people.members], [[], [], []]);
    assert.equal(state.link.is, "connected");
  });
});
