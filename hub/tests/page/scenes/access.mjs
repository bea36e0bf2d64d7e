// Use of the page by keyboard, by screen reader, and on a phone.

import assert from "node:assert/strict";

import { obeysTheRules } from "../axe.mjs";
import { Person } from "../person.mjs";

const focused = (person) => person.page.evaluate(() => document.activeElement?.id);
/** Waits until the element has the focus, which moves a moment after the page shows something new. */
const focuses = (person, id) => person.page.locator(`#${id}:focus`).waitFor();

export async function everythingCanBeDoneByKeyboard({ a, b }) {
  const grace = await Person.in("garden", "Grace", b);
  const ada = await Person.at(a);
  const { keyboard } = ada.page;

  await focuses(ada, "name");
  await keyboard.type("Ada");
  await keyboard.press("Tab");
  await keyboard.press("Control+A");
  await keyboard.type("garden");
  await keyboard.press("Enter");
  await ada.isIn();
  await focuses(ada, "text");
  await keyboard.type("first line");
  await keyboard.press("Shift+Enter");
  await keyboard.type("second line");
  await keyboard.press("Enter");
  await grace.sees("first line\nsecond line");
  assert.equal(await focused(ada), "text");

  // Goes back to the start of the page first, and then forward.
  const reach = async (id) => {
    for (let tabs = 0; (await focused(ada)) !== id; tabs += 1) {
      assert.ok(tabs < 30, `Tab does not reach ${id}`);
      await keyboard.press(tabs < 15 ? "Shift+Tab" : "Tab");
    }
  };
  await reach("messages");
  await reach("people-button");
  const people = ada.page.locator("#people");
  await keyboard.press("Enter");
  await people.waitFor({ state: "detached" });
  await keyboard.press("Space");
  await people.waitFor();
  await keyboard.press("Escape");
  await people.waitFor({ state: "detached" });
  await keyboard.press("Enter");
  await people.waitFor();
  await reach("people");
  await keyboard.press("Escape");
  await people.waitFor({ state: "detached" });
  assert.equal(await focused(ada), "people-button");
  await reach("leave");
  await keyboard.press("Enter");
  // From here, Enter joins the room again.
  await focuses(ada, "join");
}

export async function thePageFitsAPhone({ a, b, ask }) {
  const phone = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true };
  const grace = await Person.in("garden", "Grace", b);
  const ada = await Person.at(a, phone);
  await ada.fits();
  const name = "A name without a single space in it, but sixty-four characters";
  await ada.join(name.replaceAll(" ", "_"), "garden");

  await grace.tell("Hello from a wide screen.");
  await grace.tell(`https://example.com/${"long".repeat(40)}`);
  await ada.tell("And hello from a phone.");
  await ada.sees("Hello from a wide screen.");
  await ada.fits();
  await ada.picture("phone");

  await ada.page.locator("#people-button").click();
  await ada.page.locator("#people").getByText("Grace").waitFor();
  await ada.fits();
  await ada.picture("phone-people");
  await ada.page.locator("#people-button").click();

  await ask("kill redis");
  await ada.say("not stored ".repeat(30));
  await ada.page.getByRole("button", { name: "Try again" }).waitFor();
  await ada.fits();
  await ask("kill hub-a");
  await ada.page.locator("#try-now").waitFor();
  await ada.fits();
  await ada.picture("phone-lost");
}

async function allStatesObeyTheRules({ a, b, ask }, colorScheme) {
  const ada = await Person.at(a, { colorScheme });
  await obeysTheRules(ada, "the door");
  await ada.picture(`door-${colorScheme}`);
  await ada.join("Ada Lovelace", "lobby");
  await obeysTheRules(ada, "an empty room");

  const grace = await Person.in("lobby", "Grace Hopper", b);
  await grace.tell("Good morning! Which hub serves you?");
  await ada.sees("Good morning! Which hub serves you?");
  await ada.tell("hub-a, it says at the top. You are on the other one.");
  await ada.tell("And still it is one room.");
  await grace.tell("So it makes no difference where we land.");
  await grace.tell("The notes are at https://example.com/notes, by the way.");
  await ada.sees("The notes are at https://example.com/notes, by the way.");
  await ada.seesPeople("hub-a: Ada Lovelace; hub-b: Grace Hopper");
  await ada.page.locator("#text").blur();
  await ada.picture(`chat-${colorScheme}`);
  await obeysTheRules(ada, "a talk");

  await ask("kill redis");
  await ada.say("Not now.");
  await ada.page.getByRole("button", { name: "Try again" }).waitFor();
  await obeysTheRules(ada, "a failed message");
  await ask("kill hub-a");
  await ada.page.locator("#try-now").waitFor();
  await ada.say("Later.");
  await obeysTheRules(ada, "a lost connection");
  await ada.picture(`trouble-${colorScheme}`);
}

export const allStatesObeyTheRulesInLight = (stage) => allStatesObeyTheRules(stage, "light");
export const allStatesObeyTheRulesInDark = (stage) => allStatesObeyTheRules(stage, "dark");
