// Checks of the accessibility rules, as far as a program can do that.

import assert from "node:assert/strict";

import { AxeBuilder } from "@axe-core/playwright";

/** Asserts that the page, in this state, obeys axe's rules. */
export async function obeysTheRules({ page }, state) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => html + failureSummary)}`);
  assert.deepEqual(found, [], state);
}
