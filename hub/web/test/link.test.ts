import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Lost, reasonGiven } from "../src/connection";
import { LONGEST_MS, OFFLINE_AFTER_MS, wait } from "../src/retry";
import { countdown, link, status, UNLINKED } from "../src/state/link";
import type { Link, LinkEvent } from "../src/state/link";

const after = (...events: LinkEvent[]) => events.reduce(link, UNLINKED as Link);
const lost = (now: number): LinkEvent => ({ type: "lost", now, until: now + 2_500, reason: "" });

describe("the connection", () => {
  test("is connecting at first, and reconnecting once it was up", () => {
    const connecting: LinkEvent = { type: "connecting", now: 100 };
    assert.equal(status(after(connecting), 100), "connecting");
    assert.equal(status(after(connecting, { type: "connected" }), 100), "connected");
    assert.equal(status(after(connecting, { type: "connected" }, lost(200)), 200), "reconnecting");
  });

  test("is offline after a while, however often it is tried", () => {
    const state = after({ type: "connected" }, lost(1_000), { type: "connecting", now: 9_000 }, lost(14_000));

    assert.equal(status(state, 999 + OFFLINE_AFTER_MS), "reconnecting");
    assert.equal(status(state, 1_000 + OFFLINE_AFTER_MS), "offline");
  });

  test("needs a token before anything else", () => {
    assert.equal(status(after(lost(0), { type: "locked", refused: true }), 99_999), "token needed");
  });

  test("counts whole seconds down to the next try", () => {
    assert.deepEqual(
      [0, 499, 500, 1_500, 2_500, 9_000].map((now) => countdown(after(lost(0)), now)),
      [3, 3, 2, 1, 0, 0],
    );
  });

  test("is tried again after ever longer waits, which differ, and never for too long", () => {
    for (let tries = 0; tries < 40; tries += 1) {
      const [shortest, longest] = [wait(tries, 0), wait(tries, 1)];
      assert.ok(shortest >= 100 && longest <= LONGEST_MS, `${tries}: ${shortest} to ${longest}`);
      assert.ok(longest >= 2 * shortest - 1, `${tries}: clients come at the same time`);
      assert.ok(wait(tries + 1, 0.5) >= wait(tries, 0.5));
    }
  });

  test("passes on the hub's reason for closing it, but no browser's message", () => {
    const closed = new Error("Server returned an error on close: The message is too large.");
    assert.equal(reasonGiven(closed), "The message is too large.");
    assert.equal(reasonGiven(new Error("WebSocket closed with status code: 1006 ().")), "");
    assert.equal(reasonGiven(new Lost()), "");
    assert.equal(reasonGiven(undefined), "");
  });
});
