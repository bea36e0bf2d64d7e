import assert from "node:assert/strict";
import { describe, test } from "node:test";

import type { Message } from "../src/hub";
import { rows } from "../src/state/rows";
import { EPOCH, message } from "./fixtures";

const day = (at: number) => (at < 1_000_000 ? "Monday" : "Tuesday");

/** Rows in short: `+1` begins a group, `1` continues it, and `!` marks a message of the user. */
function short(log: Message[], own: string[] = [], lostAfter?: string): string {
  const all = rows(log, new Set(own), lostAfter, day);
  return all
    .map((row) => {
      if (row.is === "day") return row.day;
      if (row.is === "gap") return `gap:${row.missing}`;
      return `${row.first ? "+" : ""}${row.message.text}${row.mine ? "!" : ""}`;
    })
    .join(" ");
}

describe("the rows", () => {
  test("group the messages of one person by one pod in a short time", () => {
    const log = [
      message(1),
      message(2),
      message(3, { pod: "hub-a" }),
      message(4, { pod: "hub-a", from: "Ada" }),
      message(5, { pod: "hub-a", from: "Ada", user: "eve" }),
      message(6, { pod: "hub-a", from: "Ada", user: "eve", at: 900_000 }),
    ];

    assert.equal(short(log), "Monday +1 2 +3 +4 +5 +6");
  });

  test("mark the user's own messages by their nonces, not by a name", () => {
    const log = [message(1, { nonce: "n" }), message(2, { nonce: "x" }), message(3)];

    assert.equal(short(log, ["n"]), "Monday +1! +2 3");
  });

  test("name each day once", () => {
    assert.equal(short([message(1), message(2, { at: 1_000_000 })]), "Monday +1 Tuesday +2");
  });

  test("say how many messages are missing, or that it is unknown because a new history began", () => {
    assert.equal(short([message(1), message(2), message(6)]), "Monday +1 2 gap:3 +6");
    assert.equal(short([message(9), message(1, { id: "other-1" })]), "Monday +9 gap:null +1");
  });

  test("end with a gap while no message came after it", () => {
    assert.equal(short([message(1)], [], `${EPOCH}-1`), "Monday +1 gap:null");
    assert.equal(short([message(1), message(2)], [], `${EPOCH}-1`), "Monday +1 2");
    assert.equal(short([message(1), message(5)], [], `${EPOCH}-1`), "Monday +1 gap:3 +5");
  });

  test("have unique keys, and the user's messages keep theirs when they are stored", () => {
    const all = rows([message(1), message(5, { nonce: "n" })], new Set(["n"]), undefined, day);

    assert.equal(new Set(all.map(({ key }) => key)).size, all.length);
    assert.equal(all.at(-1)?.key, "n");
  });
});
