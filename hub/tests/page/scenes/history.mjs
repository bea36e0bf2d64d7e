// The messages from before a person came.

import assert from "node:assert/strict";

import { Person } from "../person.mjs";

export async function aLinkBringsOthersToTheRoomAndItsHistory({ a, b }) {
  const ada = await Person.in("tea & cake", "Ada", `${a}/?room=other#section`, {
    permissions: ["clipboard-read", "clipboard-write"],
  });
  await ada.tell("one");
  await ada.tell("two");

  await ada.page.locator("#copy-link").click();
  await ada.page.getByText("Copied").waitFor();
  const link = await ada.page.evaluate(() => navigator.clipboard.readText());
  assert.equal(link, `${a}/?room=tea+%26+cake`);
  assert.equal(ada.page.url(), link, "the address bar has another link");

  const grace = await Person.at(link.replace(a, b));
  assert.equal(await grace.page.locator("#room").inputValue(), "tea & cake");
  await grace.join("Grace");
  await grace.hears("one", "two");
  await ada.tell("three");
  await grace.hears("one", "two", "three");
}

export async function aReloadForgetsNothing({ a, b }) {
  const ada = await Person.in("garden", "Ada", a);
  const grace = await Person.in("garden", "Grace", b);
  await ada.tell("mine");
  await grace.tell("yours");
  await ada.sees("yours");
  await ada.page.locator("#text").fill("half a sent");

  await ada.reload();

  await ada.isIn();
  await ada.hears("mine", "yours");
  assert.equal(await ada.page.locator("#text").inputValue(), "half a sent");
  assert.match(await ada.message("mine").getAttribute("class"), /mine/);
  assert.match(await ada.message("yours").getAttribute("class"), /theirs/);

  // A room that was left is not joined automatically, but the name stays.
  await ada.page.locator("#leave").click();
  await ada.reload();
  assert.equal(await ada.page.locator("#name").inputValue(), "Ada");
  assert.equal(await ada.page.locator("#room").inputValue(), "garden");
}
