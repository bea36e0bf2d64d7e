// Outages of Redis.

import assert from "node:assert/strict";

import { Person, until } from "../person.mjs";

export async function aMessageThatIsNotStoredSaysSoAndCanBeSentAgain({ a, b, ask }) {
  const ada = await Person.in("garden", "Ada", a);
  const grace = await Person.in("garden", "Grace", b);
  await ada.tell("before");
  await grace.sees("before");

  await ask("kill redis");
  await ada.say("in vain?");
  const failed = ada.message("in vain?");
  await failed.locator('[aria-label="Not stored"]').waitFor();
  assert.match(await failed.getByRole("alert").innerText(), /Not stored\. ./);
  await ada.picture("failed");

  // The message survives a reload of the page, too.
  await ada.reload();
  await failed.locator('[aria-label="Not stored"]').waitFor();

  await ask("start redis");
  await until("the message is stored once the hub has Redis again", async () => {
    const again = failed.getByRole("button", { name: "Try again" });
    await again.or(failed.locator('[aria-label="Stored"]')).first().waitFor();
    if (await again.isVisible()) await again.click();
    await failed.locator('[aria-label="Stored"], [aria-label="Not stored"]').waitFor();
    return failed.locator('[aria-label="Stored"]').isVisible();
  });

  await grace.sees("in vain?");
  await ada.tell("the end");
  await grace.sees("the end");
  for (const person of [ada, grace]) {
    assert.equal((await person.texts()).filter((text) => text === "in vain?").length, 1);
  }
}

/** Redis has nothing on disk, so all messages are lost with it. */
export async function aRedisThatLostItsMessagesIsALineInTheLog({ a, b, ask }) {
  const ada = await Person.in("garden", "Ada", a);
  const grace = await Person.in("garden", "Grace", b);
  await ada.tell("before");
  await grace.sees("before");

  await ask("kill redis");
  await ask("start redis");

  for (const person of [ada, grace]) {
    await person.page.locator(".gap").getByText("Messages may be missing here").waitFor();
    await person.isIn();
  }
  await grace.tell("after");
  for (const person of [ada, grace]) {
    await person.hears("before", "after");
    assert.equal(await person.page.locator("#messages .gap").count(), 1);
  }
}
