// Conversations of two people on two hubs.

import assert from "node:assert/strict";

import { Person, until } from "../person.mjs";

export async function twoPeopleOnTwoHubsTalkAndSeeEachOther({ a, b }) {
  const ada = await Person.in("garden", "Ada Lovelace", a);
  const grace = await Person.in("garden", "Grace Hopper", b);
  assert.deepEqual([await ada.pod(), await grace.pod()], ["hub-a", "hub-b"]);

  await ada.tell("Is anybody on the other hub?");
  await grace.sees("Is anybody on the other hub?");
  await grace.tell("I am, and I hear you.");
  await ada.hears("Is anybody on the other hub?", "I am, and I hear you.");
  await grace.hears("Is anybody on the other hub?", "I am, and I hear you.");
  assert.match(await ada.message("I am, and I hear you.").locator(".meta").innerText(), /Grace Hopper.*hub-b/s);

  await ada.seesPeople("hub-a: Ada Lovelace; hub-b: Grace Hopper");
  await grace.seesPeople("hub-a: Ada Lovelace; hub-b: Grace Hopper");
  assert.equal(await ada.page.locator("#people h2").innerText(), "2 people on 2 pods");
  assert.match(await ada.page.locator("#people-button").innerText(), /^2/);

  await grace.page.locator("#leave").click();
  await ada.seesPeople("hub-a: Ada Lovelace");
  assert.equal(await ada.page.locator("#people h2").innerText(), "1 person on 1 pod");
  for (const person of [ada, grace]) person.hadNoProblems();
}

export async function aWriterIsShownUntilTheMessageComes({ a, b }) {
  const ada = await Person.in("garden", "Ada", a);
  const grace = await Person.in("garden", "Grace", b);
  await ada.seesPeople("hub-a: Ada; hub-b: Grace");

  await grace.page.locator("#text").pressSequentially("I am thi");
  await ada.page.locator("#typing").getByText("Grace is writing…").waitFor();
  assert.equal(await grace.page.locator("#typing").innerText(), "", "Grace is told of herself");

  await grace.tell("I am thinking");
  await ada.sees("I am thinking");
  await until("Grace is not writing any more", async () => (await ada.page.locator("#typing").innerText()) === "");

  // A writer who stops without sending a message is forgotten after a while.
  await until("Grace is writing again", async () => {
    await grace.page.locator("#text").pressSequentially("x");
    return (await ada.page.locator("#typing").innerText()) === "Grace is writing…";
  });
  await until("Grace is forgotten", async () => (await ada.page.locator("#typing").innerText()) === "");
}

export async function textIsShownAsText({ a, b }) {
  const hostile = '<img src=x onerror="document.title=1"><b>bold</b> &amp; "quotes"';
  const name = "<u>Mallory</u>";
  const room = "a&b <i>ü</i>";
  const ada = await Person.in(room, "Ada", a);
  const mallory = await Person.in(room, name, b);

  await mallory.tell(hostile);
  await mallory.tell("two\n  lines");
  await mallory.tell("see https://example.com/a?b=<c> and javascript:alert(1)");

  await ada.sees(hostile);
  await ada.seesPeople(`hub-a: Ada; hub-b: ${name}`);
  assert.equal(await ada.page.locator("h1").innerText(), room);
  assert.equal(await ada.page.locator(".from").first().innerText(), name);
  assert.equal(await ada.page.locator("img, #messages b:not(.from), u, i").count(), 0);
  await until("the lines are kept", async () => (await ada.texts()).includes("two\n  lines"));
  const links = ada.page.locator("#messages a");
  await links.first().waitFor();
  assert.deepEqual(await links.evaluateAll((all) => all.map((link) => [link.href, link.rel])), [
    ["https://example.com/a?b=", "noopener noreferrer"],
  ]);
  for (const person of [ada, mallory]) person.hadNoProblems();
}

export async function aReaderOfOlderMessagesIsNotScrolledAway({ a, b }) {
  const ada = await Person.in("garden", "Ada", a);
  const grace = await Person.in("garden", "Grace", b);
  for (let n = 1; n <= 30; n += 1) await grace.tell(`line ${n}`);
  await ada.sees("line 30");
  const log = ada.page.locator("#messages");
  const fromEnd = () => log.evaluate((pane) => pane.scrollHeight - pane.scrollTop - pane.clientHeight);
  await until("the log follows the talk", async () => (await fromEnd()) < 1);

  await log.evaluate((pane) => pane.scrollTo(0, 0));
  await until("the page knows that she reads", async () => {
    await grace.tell(`news ${await ada.texts().then((texts) => texts.length)}`);
    return ada.page.locator(".jump").isVisible();
  });
  assert.equal(await log.evaluate((pane) => pane.scrollTop), 0);

  await ada.page.locator(".jump").click();
  await until("she is at the end", async () => (await fromEnd()) < 1);
  await ada.page.locator(".jump").waitFor({ state: "detached" });
  await grace.tell("the last");
  await ada.sees("the last");
  await until("the log follows again", async () => (await fromEnd()) < 1);
}

export async function aTextThatIsTooLongIsReportedBeforeItIsSent({ a, b }) {
  const ada = await Person.in("garden", "Ada", a);
  const grace = await Person.in("garden", "Grace", b);
  // The hub takes 32 KiB, of which some are not the text; a quote takes two bytes in JSON.
  const long = '"'.repeat(16 * 1024);
  await ada.page.locator("#text").fill(long);
  const excess = parseInt((await ada.page.getByRole("alert").innerText()).replace(/\D/g, ""), 10);
  await ada.page.locator("#send").click();
  assert.equal(await ada.page.locator("#text").inputValue(), long);
  const longest = long.slice(Math.ceil(excess / 2));
  await ada.page.locator("#text").fill(`${longest}ü`);
  await ada.page.getByRole("alert").getByText("bytes too long").waitFor();

  await ada.say(longest);
  await grace.page.getByRole("button", { name: `Show all ${longest.length.toLocaleString("en-GB")} characters` }).click();
  await grace.sees(longest);
  await ada.tell("still on the first connection");
  assert.equal(await ada.page.locator(".banner").count(), 0);
}

/** Texts that take a careless page seconds each, for each time that it draws them. */
export async function noMessageFreezesThePage({ a, b }) {
  const ada = await Person.in("garden", "Ada", a);
  const texts = [
    `https://example.com/${"?".repeat(28_000)}x`,
    "\n".repeat(15_000) + "x",
    "https://a.example ".repeat(1_500),
    "a\u0300".repeat(5_000),
  ];
  for (let turn = 0; turn < 5; turn += 1) for (const text of texts) await ada.paste(text);
  await until("all are stored", async () => (await ada.page.locator('[aria-label="Stored"]').count()) === 20);

  const grace = await Person.in("garden", "Grace", b);
  await until("all are shown", async () => (await grace.page.locator("#messages .message").count()) === 20);
  for (let turn = 0; turn < 10; turn += 1) await grace.tell(`still here ${turn}`);
  await ada.sees("still here 9");
  const { links, height } = await grace.page.evaluate(() => ({
    links: document.querySelectorAll("#messages a").length,
    height: document.querySelector("#messages").scrollHeight,
  }));
  assert.ok(links <= 20 * 100, `${links} links`);
  assert.ok(height < 60_000, `${height} pixels`);
}
