// Splits a text at the web addresses in it, and shortens long ones. Nothing here is markup: the parts are shown
// as text. Whatever a text contains, the time for it grows no faster than its length.

/** A part of a text. With `href` it is a web address. */
export interface Part {
  text: string;
  href?: string;
}

const ADDRESS = /https?:\/\/[^\s<>"'`\u{1e}]+/giu;

/** Characters that end a sentence or close a bracket around an address, rather than belong to the address. */
const TRAILING = ".,;:!?)]}…";

/** The most addresses of a text that become links. */
export const MOST_LINKS = 100;

/** The most characters of a text that are shown at first, in UTF-16 units. */
export const MOST_SHOWN_CHARS = 2_000;

/** The most lines of a text that are shown at first. */
export const MOST_SHOWN_LINES = 40;

export function parts(text: string): Part[] {
  const found: Part[] = [];
  let end = 0;
  let links = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = trimmed(match[0]);
    const href = parsed(address);
    if (!href) continue;
    if (links === MOST_LINKS) break;
    links += 1;
    if (match.index > end) found.push({ text: text.slice(end, match.index) });
    found.push({ text: address, href });
    end = match.index + address.length;
  }
  if (end < text.length) found.push({ text: text.slice(end) });
  return found;
}

function trimmed(address: string): string {
  // A regular expression for the end of a text would look for it at every place.
  let end = address.length;
  while (end > 0 && TRAILING.includes(address.charAt(end - 1))) end -= 1;
  const without = address.slice(0, end);
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

/** The beginning of a text that is too long to be shown at once; undefined for all other texts. */
export function beginning(text: string): string | undefined {
  let end = text.length;
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) {
    lines += 1;
    if (lines < MOST_SHOWN_LINES) continue;
    end = at;
    break;
  }
  end = Math.min(end, MOST_SHOWN_CHARS);
  if (end >= text.length) return undefined;
  // Half an emoji is not a character.
  return text.slice(0, isHalf(text.charCodeAt(end - 1)) ? end - 1 : end);
}

/** True for the first half of a character that takes two UTF-16 units. */
function isHalf(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}
