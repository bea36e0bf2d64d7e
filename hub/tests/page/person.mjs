// A person who uses the page, with a browser profile of their own.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { chromium } from "playwright-core";

/** The bound for everything: far more than it takes, because the machine may be busy. */
export const PATIENCE_MS = 60_000;

const QUIET = ["gpu", "background-networking", "component-update", "sync", "extensions"].map((what) => `--disable-${what}`);

let browser;
const people = [];

export async function launch() {
  const executablePath = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/google-chrome"].find(existsSync);
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--no-first-run", ...QUIET] });
}

export const end = () => browser?.close();

export async function pictureOfEach(scene) {
  for (const [index, person] of people.entries()) await person.picture(`failed-${scene}-${index}`).catch(() => {});
}

/** Waits until `check` returns a true value, and fails with its last value if it never does. */
export async function until(what, check) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited in vain: ${what}; last: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export class Person {
  /** Errors that the page threw, and violations of its Content Security Policy. */
  problems = [];

  /**
   * Opens the page at `url` with a browser profile of its own. `options` are those of Playwright's contexts.
   */
  static async at(url, options = {}) {
    const person = new Person();
    person.context = await browser.newContext({ viewport: { width: 1000, height: 640 }, locale: "en-GB", ...options });
    person.context.setDefaultTimeout(PATIENCE_MS);
    person.page = await person.context.newPage();
    person.page.on("pageerror", (error) => person.problems.push(error.message));
    person.page.on("console", (message) => {
      if (message.text().includes("Content Security Policy")) person.problems.push(message.text());
    });
    await person.page.goto(url);
    people.push(person);
    return person;
  }

  /** Opens the page, joins a room, and waits for the connection. */
  static async in(room, name, url, options) {
    const person = await Person.at(url, options);
    await person.join(name, room);
    return person;
  }

  async join(name, room) {
    await this.page.locator("#name").fill(name);
    if (room !== undefined) await this.page.locator("#room").fill(room);
    await this.page.locator("#join").click();
    await this.isIn();
  }

  /** Waits until the person has joined. */
  async isIn() {
    await this.status("connected");
    await this.page.locator("#messages[aria-busy=false]").waitFor();
  }

  async status(word) {
    await this.page.locator("#status").getByText(word, { exact: true }).waitFor();
  }

  async pod() {
    return this.page.locator("#pod").innerText();
  }

  async say(text) {
    await this.page.locator("#text").fill(text);
    await this.page.locator("#send").click();
  }

  /** Sends a text that was put into the field at once. Chromium's own typing of thousands of lines takes minutes. */
  async paste(text) {
    await this.page.locator("#text").evaluate((field, text) => {
      field.value = text;
      field.dispatchEvent(new InputEvent("input", { bubbles: true }));
    }, text);
    await this.page.locator("#send").click();
  }

  /** Sends a text, and waits until it is stored. */
  async tell(text) {
    await this.say(text);
    await this.message(text).locator('[aria-label="Stored"]').waitFor();
  }

  /** The message with this text. */
  message(text) {
    return this.page.locator("#messages .message").filter({ has: this.page.getByText(text, { exact: true }) });
  }

  async sees(text) {
    await this.message(text).waitFor();
  }

  /** The texts of all messages, in order. */
  texts() {
    return this.page.locator("#messages .text").allInnerTexts();
  }

  async hears(...texts) {
    await until(`the messages are ${texts}`, async () => (await this.texts()).join() === texts.join());
  }

  /** The people that the page shows, by pod: "hub-a: Ada, Grace". */
  whoIsHere() {
    // All are read in one step, because people come and go meanwhile.
    return this.page.locator("#people section").evaluateAll((pods) => {
      const name = (element) => element.textContent.replace(" (you)", "");
      const line = (pod) => `${pod.querySelector("h3").textContent}: ${[...pod.querySelectorAll(".who")].map(name).join(", ")}`;
      return pods.map(line).join("; ");
    });
  }

  async seesPeople(expected) {
    let last;
    await until(`the people are ${expected}`, async () => (last = await this.whoIsHere()) === expected).catch((error) => {
      throw new Error(`${error.message}; the people are ${last}`);
    });
  }

  async reload() {
    await this.page.reload();
  }

  /** Asserts that the page caused no errors. */
  hadNoProblems() {
    assert.deepEqual(this.problems, []);
  }

  /** Asserts that nothing is wider than the window. */
  async fits() {
    const { wide, window } = await this.page.evaluate(() => {
      const out = (element) => element.getBoundingClientRect().right > innerWidth + 0.5 && !element.closest(".sr, .wide");
      const wide = [...document.querySelectorAll("body *")].filter(out).map((element) => element.outerHTML.slice(0, 120));
      return { wide, window: document.documentElement.scrollWidth - innerWidth };
    });
    assert.deepEqual(wide, []);
    assert.equal(window, 0, "the page scrolls sideways");
  }

  async picture(name) {
    const folder = process.env.PICTURES;
    if (!folder) return;
    await mkdir(folder, { recursive: true });
    await this.page.screenshot({ path: join(folder, `${name}.png`) });
  }
}
