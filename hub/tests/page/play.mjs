// node play.mjs SCENE STAGE
//
// Plays one scene of scenes/ in a headless Chromium, and exits with 0 if everything in it was as expected.
// STAGE is JSON: the addresses `a` and `b` of two hubs with one Redis, and `any`, which leads to the first of
// them that is up; with `key`, both hubs require tokens that are signed with it. A scene asks for changes of
// the stage on standard output, { ask: "kill hub-a" }, and goes on once { done: true } comes on standard
// input.
//
// With PICTURES=FOLDER the scenes save screenshots there.

import { readdir } from "node:fs/promises";
import { createInterface } from "node:readline";

import { end, launch, pictureOfEach } from "./person.mjs";

const [name, stageText] = process.argv.slice(2);
const stage = JSON.parse(stageText);
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Asks for a change of the stage: kill or start, and hub-a, hub-b or redis. */
stage.ask = async (what) => {
  process.stdout.write(JSON.stringify({ ask: what }) + "\n");
  const { value, done } = await answers.next();
  if (done || !JSON.parse(value).done) throw new Error(`nobody would ${what}`);
};

async function sceneOf(name) {
  for (const file of await readdir(new URL("scenes/", import.meta.url))) {
    const scenes = await import(`./scenes/${file}`);
    if (scenes[name]) return scenes[name];
  }
  throw new Error(`there is no scene ${name}`);
}

let code = 0;
try {
  const scene = await sceneOf(name);
  await launch();
  await scene(stage);
} catch (error) {
  console.error(error);
  await pictureOfEach(name);
  code = 1;
}
await end();
process.exit(code);
