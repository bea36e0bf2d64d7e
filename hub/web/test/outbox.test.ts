import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { MOST_TRIES, outbox, restored, withoutDoubt, withoutHeard } from "../src/state/outbox";
import type { Outgoing, OutboxEvent } from "../src/state/outbox";
import { message } from "./fixtures";

const written: OutboxEvent = { type: "written", nonce: "n", text: "hi", now: 5 };
const sent: OutboxEvent = { type: "sent", nonce: "n", now: 10 };
const unanswered: OutboxEvent = { type: "unanswered", nonce: "n" };

const box = (...events: OutboxEvent[]) => events.reduce(outbox, [] as readonly Outgoing[]);
const marks = (items: readonly Outgoing[]) => items.map(({ mark }) => mark);

describe("a message of the user", () => {
  test("waits, is sent, is stored, and goes once the log has it", () => {
    assert.deepEqual(marks(box(written)), ["waiting"]);
    assert.deepEqual(marks(box(written, sent)), ["sent"]);
    const stored = box(written, sent, { type: "stored", nonce: "n" });
    assert.deepEqual(marks(stored), ["stored"]);
    assert.deepEqual(withoutHeard(stored, [message(1, { nonce: "other" })]), stored);
    assert.deepEqual(withoutHeard(stored, [message(1, { nonce: "n" })]), []);
  });

  test("keeps its text and nonce when it is refused, and is tried again under them", () => {
    const failed = box(written, sent, { type: "failed", nonce: "n", reason: "no" });
    assert.deepEqual(failed, [{ nonce: "n", text: "hi", at: 5, mark: "failed", tries: 1, sentAt: 10, reason: "no" }]);

    const again = outbox(failed, { type: "again", nonce: "n" });
    assert.deepEqual(again, [{ nonce: "n", text: "hi", at: 5, mark: "waiting", tries: 0, sentAt: 10 }]);
  });

  test("is sent again by itself after a lost connection, but not forever", () => {
    const tries = Array.from({ length: MOST_TRIES - 1 }, () => [sent, unanswered]).flat();

    assert.deepEqual(marks(box(written, ...tries)), ["waiting"]);
    assert.deepEqual(marks(box(written, ...tries, sent, unanswered)), ["failed"]);
  });

  test("that may have been stored long ago is not sent again by itself", () => {
    const lost = box(written, sent, unanswered);
    const threeMinutes = 180_000;

    assert.deepEqual(marks(withoutDoubt(lost, false, 20)), ["waiting"], "the hub still remembers the nonce");
    assert.deepEqual(marks(withoutDoubt(lost, true, threeMinutes)), ["waiting"], "the history does not have it");
    assert.deepEqual(marks(withoutDoubt(lost, false, threeMinutes)), ["failed"]);
    assert.deepEqual(marks(withoutDoubt(box(written), false, threeMinutes)), ["waiting"], "it never left");
  });

  test("survives a reload unless it is stored", () => {
    const two = box(written, sent, { type: "written", nonce: "m", text: "x", now: 6 }, { type: "stored", nonce: "m" });

    assert.deepEqual(restored(two), [{ nonce: "n", text: "hi", at: 5, mark: "waiting", tries: 1, sentAt: 10 }]);
  });
});
