/** How many colours there are in ../style/parts.css. */
const COLOURS = 6;

/** Initials on a colour that a name always has. The name itself stands beside it. */
export function Avatar({ name }: { name: string }) {
  let sum = 0;
  for (const char of name) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 9973;
  return (
    <span class={`avatar colour-${sum % COLOURS}`} aria-hidden="true">
      {initials(name)}
    </span>
  );
}

function initials(name: string): string {
  const words = name.split(/\s+/).filter(Boolean);
  const last = words.length > 1 ? words.at(-1) : undefined;
  // By code point: half an emoji is none.
  return [words[0], last].map((word) => Array.from(word ?? "")[0] ?? "").join("").toUpperCase();
}
