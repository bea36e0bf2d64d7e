// Lost connections, and the messages that were sent and written meanwhile.

import assert from "node:assert/strict";

import { Person, until } from "../person.mjs";

export async function anotherHubTakesOverWhenOneIsKilled({ any, b, ask }) {
  const grace = await Person.in("garden", "Grace", b);
  const ada = await Person.in("garden", "Ada", any);
  assert.equal(await ada.pod(), "hub-a");
  await ada.tell("before");
  await grace.seesPeople("hub-a: Ada; hub-b: Grace");

  await ask("kill hub-a");
  await grace.tell("meanwhile");

  await until("Ada is on the other hub", async () => (await ada.pod()) === "hub-b");
  await ada.isIn();
  await ada.hears("before", "meanwhile");
  await ada.tell("after");
  await grace.hears("before", "meanwhile", "after");
  await ada.seesPeople("hub-b: Ada, Grace");
  assert.equal(await ada.page.locator("#messages .gap").count(), 0);
}

export async function messagesMissedAndWrittenMeanwhileAreFilledIn({ a, b, ask }) {
  const ada = await Person.in("garden", "Ada", a);
  const grace = await Person.in("garden", "Grace", b);
  await ada.tell("before");

  await ask("kill hub-a");
  const banner = ada.page.locator(".banner");
  await banner.getByText(/The connection is lost\. Trying again in \d+ s\./).waitFor();
  await ada.picture("reconnecting");
  await ada.say("written without a connection");
  await ada.message("written without a connection").getByText("Waits for the connection").waitFor();
  await grace.tell("missed 1");
  await grace.tell("missed 2");
  await ada.status("offline");

  await ask("start hub-a");
  await ada.page.locator("#try-now").click();

  await ada.isIn();
  await banner.waitFor({ state: "detached" });
  const all = ["before", "missed 1", "missed 2", "written without a connection"];
  await ada.hears(...all);
  await grace.hears(...all);
  await ada.message(all[3]).locator('[aria-label="Stored"]').waitFor();
  assert.equal(await ada.page.locator("#messages .gap").count(), 0);
}

/** The hubs store only 5 messages. */
export async function messagesLostForGoodAreALineInTheLog({ a, b, ask }) {
  const ada = await Person.in("garden", "Ada", a);
  const grace = await Person.in("garden", "Grace", b);
  await ada.tell("before");

  await ask("kill hub-a");
  for (let n = 1; n <= 12; n += 1) await grace.tell(`missed ${n}`);
  await ask("start hub-a");

  await ada.isIn();
  await ada.sees("missed 12");
  const texts = await ada.texts();
  assert.equal(texts[0], "before");
  assert.ok(!texts.includes("missed 1"), `${texts}`);
  const gap = ada.page.locator("#messages .gap");
  assert.equal(await gap.count(), 1);
  const missing = 12 - (texts.length - 1);
  assert.equal(await gap.innerText(), `${missing} messages are missing here`);
  await ada.picture("gap");
}
