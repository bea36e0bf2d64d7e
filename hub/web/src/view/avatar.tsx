/** The number of colours in ../style/parts.css. */
const COLOURS = 6;

/** The initials of a name, on the colour that this name always has. The name itself is shown beside it. */
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
  // Texts are split by code point, because half an emoji is not a character.
  return [words[0], last].map((word) => Array.from(word ?? "")[0] ?? "").join("").toUpperCase();
}
