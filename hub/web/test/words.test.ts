import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { linkTo, roomOf, tokenOf } from "../src/address";
import { excess, LIMITS } from "../src/hub";
import { beginning, MOST_LINKS, MOST_SHOWN_CHARS, MOST_SHOWN_LINES, parts } from "../src/text";
import { dayOf } from "../src/view/clock";

describe("the address", () => {
  test("names the room", () => {
    assert.equal(roomOf("?room=tea+%26%20cake"), "tea & cake");
    assert.equal(roomOf("?room=%20"), undefined);
    assert.equal(roomOf(""), undefined);
    assert.equal(roomOf(`?room=${"🦀".repeat(70)}`), "🦀".repeat(64));
  });

  test("of a room can be given to others, because it contains nothing else", () => {
    const page = "https://chat.example/lobby/?room=x&utm=1#token=secret";
    assert.equal(linkTo("tea & cake", page), "https://chat.example/lobby/?room=tea+%26+cake");
    assert.equal(roomOf(new URL(linkTo("#1 + ü", page)).search), "#1 + ü");
  });

  test("may bring a token, and is the same without it", () => {
    assert.deepEqual(tokenOf("#token=a.b%2Dc"), { token: "a.b-c", rest: "" });
    assert.deepEqual(tokenOf("#top&token=a=&x=1"), { token: "a=", rest: "#top&x=1" });
    assert.deepEqual(tokenOf("#token=%"), { token: "%", rest: "" });
    assert.equal(tokenOf("#token="), undefined);
    assert.equal(tokenOf("#top"), undefined);
  });
});

describe("a text", () => {
  const links = (text: string) => parts(text).flatMap(({ href }) => href ?? []);

  test("is complete, whatever is in it", () => {
    for (const text of ["", " ", "<b>x</b>", "a https://b.example/c, d", "https://", "(http://x.example)http://"]) {
      assert.equal(parts(text).map((part) => part.text).join(""), text);
    }
  });

  test("leads to the web and nowhere else", () => {
    assert.deepEqual(links("see https://example.com/a_(b)?c=d#e."), ["https://example.com/a_(b)?c=d#e"]);
    assert.deepEqual(links("(http://example.com/a), HTTPS://EXAMPLE.COM!"), ["http://example.com/a", "https://example.com/"]);
    assert.deepEqual(links("javascript:alert(1) data:text/html,x file:///etc ftp://x mailto:a@b.c //x.example"), []);
    assert.deepEqual(links('https://example.com/"onclick="x'), ["https://example.com/"]);
  });
});

describe("a text that is meant to freeze the page", () => {
  const LONG = 30_000;
  const hostile = [
    `https://x/${"?".repeat(LONG)}y`,
    `https://x/${"!)".repeat(LONG / 2)}`,
    `https://x/${"(".repeat(LONG)}`,
    "https://".repeat(LONG / 8),
    "https://a ".repeat(LONG / 10),
    `${"http://".repeat(LONG / 8)} `,
    "h".repeat(LONG),
    "http://<".repeat(LONG / 8),
  ];

  test("takes no longer than its length explains", () => {
    const start = performance.now();
    for (const text of hostile) for (let times = 0; times < 20; times += 1) parts(text);

    // It takes some tens of milliseconds; what is quadratic takes half a minute.
    assert.ok(performance.now() - start < 5_000, `${performance.now() - start} ms`);
  });

  test("loses nothing, and has a bounded number of links", () => {
    for (const text of hostile) {
      assert.equal(parts(text).map((part) => part.text).join(""), text);
      assert.ok(parts(text).filter(({ href }) => href !== undefined).length <= MOST_LINKS);
    }
  });

  test("is shown in part at first", () => {
    assert.equal(beginning("short\nand sweet"), undefined);
    assert.equal(beginning("x".repeat(MOST_SHOWN_CHARS)), undefined);
    assert.equal(beginning("x".repeat(MOST_SHOWN_CHARS + 1)), "x".repeat(MOST_SHOWN_CHARS));
    assert.equal(beginning(`${"x".repeat(MOST_SHOWN_CHARS - 1)}🦀`), "x".repeat(MOST_SHOWN_CHARS - 1));
    assert.equal(beginning("\n".repeat(LONG))?.length, MOST_SHOWN_LINES - 1);
  });
});

describe("the largest text", () => {
  const limits = { ...LIMITS, messageBytes: 2_000 };

  test("follows from the hub's limit, however it is escaped", () => {
    assert.equal(excess("r", "short", limits), 0);
    const most = 2_000 - excess("r", "x".repeat(2_000), limits);
    assert.ok(excess("r", "x".repeat(most), limits) <= 0 && excess("r", "x".repeat(most + 1), limits) > 0, `${most}`);
    assert.ok(excess("r", '"'.repeat(most / 2 + 1), limits) > 0, "a quote takes two bytes");
    assert.ok(excess("🦀".repeat(64), "x".repeat(most), limits) > 0, "the room is part of the message");
  });
});

test("days have the names that people use", () => {
  const noon = new Date(2026, 2, 30, 12).getTime();
  const at = (day: number, hour: number, month = 2) => new Date(2026, month, day, hour).getTime();

  assert.equal(dayOf(at(30, 0), noon), "Today");
  assert.equal(dayOf(at(29, 0), noon), "Yesterday");
  assert.match(dayOf(at(28, 23), noon), /28/);
  assert.match(dayOf(at(31, 1), noon), /31/, "the clock of a hub may be ahead");
});
