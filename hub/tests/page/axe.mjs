// The rules of accessibility, as far as a program can check them.

import assert from "node:assert/strict";

import { AxeBuilder } from "@axe-core/playwright";

/** Nothing in the page, in this state, is against axe's rules. */
export async function obeysTheRules({ page }, state) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => html + failureSummary)}`);
  assert.deepEqual(found, [], state);
}
