import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { missing, MOST_MESSAGES, position, withMessages } from "../src/state/log";
import { message, numbers } from "./fixtures";

describe("the log", () => {
  test("an id is an epoch, which may have dashes, and a number", () => {
    assert.deepEqual(position("a-b-12"), { epoch: "a-b", number: 12 });
  });

  test("has the room's order, in whatever order messages arrive", () => {
    const log = withMessages(withMessages([], [message(1), message(10), message(9)]), [message(2), message(11)]);

    assert.deepEqual(numbers(log), [1, 2, 9, 10, 11]);
  });

  test("has a message that arrives twice once, as it arrived last", () => {
    const log = withMessages([message(1), message(2)], [message(1, { text: "7" }), message(2)]);

    assert.deepEqual(numbers(log), [7, 2]);
  });

  test("has a new epoch after the old one, and late ones where they belong", () => {
    const other = (n: number) => message(n, { id: `e2-${n}`, text: `${100 + n}` });

    const log = withMessages([message(1), message(3)], [other(2), message(2), other(1), other(3)]);

    assert.deepEqual(numbers(log), [1, 2, 3, 101, 102, 103]);
  });

  test("forgets the oldest", () => {
    const many = Array.from({ length: MOST_MESSAGES + 3 }, (_, n) => message(n));

    assert.deepEqual(numbers(withMessages([], many)).slice(0, 2), [3, 4]);
  });

  test("knows how many messages are missing between two, unless a new history began", () => {
    assert.equal(missing(message(3), message(4)), 0);
    assert.equal(missing(message(3), message(7)), 3);
    assert.equal(missing(message(3), message(4, { id: "other-4" })), null);
  });
});
