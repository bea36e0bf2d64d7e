// Hubs that require a token.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";

import { obeysTheRules } from "../axe.mjs";
import { Person } from "../person.mjs";

/** A token as in RFC 7519, signed with HS256. */
function signed(key, claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
}

const inAnHour = () => Math.floor(Date.now() / 1000) + 3600;

export async function aTokenIsAskedForAndKeptForTheTab({ a, key }) {
  const ada = await Person.at(`${a}/?room=garden`);
  const field = ada.page.locator("#token");

  await field.fill("nonsense");
  await ada.page.locator("#use-token").click();
  await ada.page.getByText("The hub did not accept the last one").waitFor();
  await ada.picture("token");
  await obeysTheRules(ada, "the question for a token");
  await field.fill(signed(key, { sub: "ada", name: "Ada", exp: inAnHour() }));
  await ada.page.locator("#use-token").click();
  await ada.join("Ada");
  await ada.tell("I may");

  await ada.reload();
  await ada.isIn();
  await ada.hears("I may");
  const stored = await ada.page.evaluate(() => JSON.stringify(localStorage));
  assert.ok(!stored.includes("token"), "the token is remembered beyond the tab");
}

export async function aTokenInTheAddressIsUsedAndRemovedFromThere({ a, key }) {
  const token = signed(key, { sub: "grace", name: "Grace", exp: inAnHour() });
  const grace = await Person.at(`${a}/?room=garden#token=${token}`);
  assert.equal(grace.page.url(), `${a}/?room=garden`);
  await grace.join("Grace");
  await grace.tell("I may, too");

  await grace.reload();
  await grace.isIn();
  await grace.hears("I may, too");
}

export async function aRoomThatTheTokenDoesNotAllowIsRefusedAtTheDoor({ a, key }) {
  const token = signed(key, { sub: "ada", rooms: ["garden"], exp: inAnHour() });
  const ada = await Person.at(`${a}/?room=attic#token=${token}`);

  await ada.page.locator("#name").fill("Ada");
  await ada.page.locator("#join").click();
  await ada.page.locator(".door").getByRole("alert").getByText("attic").waitFor();
  assert.equal(await ada.page.locator("#name").inputValue(), "Ada");

  await ada.join("Ada", "garden");
  await ada.tell("Here I may be.");
}
