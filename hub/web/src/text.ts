// Splits a text at the web addresses in it. Nothing here is markup: the parts are shown as text.

/** A part of a text. With `href` it is a web address. */
export interface Part {
  text: string;
  href?: string;
}

const ADDRESS = /https?:\/\/[^\s<>"'`\u{1e}]+/giu;

/** Characters that end a sentence or close a bracket around an address, rather than belong to the address. */
const TRAILING = /[.,;:!?)\]}…]+$/u;

export function parts(text: string): Part[] {
  const found: Part[] = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = trimmed(match[0]);
    const href = parsed(address);
    if (!href) continue;
    if (match.index > end) found.push({ text: text.slice(end, match.index) });
    found.push({ text: address, href });
    end = match.index + address.length;
  }
  if (end < text.length) found.push({ text: text.slice(end) });
  return found;
}

function trimmed(address: string): string {
  const without = address.replace(TRAILING, "");
  // Some addresses contain brackets themselves, such as .../Chat_(disambiguation).
  const closes = address.charAt(without.length) === ")" && without.lastIndexOf("(") > without.lastIndexOf(")");
  return closes ? `${without})` : without;
}

function parsed(address: string): string | undefined {
  try {
    const url = new URL(address);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : undefined;
  } catch {
    return undefined;
  }
}
