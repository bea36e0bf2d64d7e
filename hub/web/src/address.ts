// The room and the token in the address bar.

import { LIMITS } from "./hub";

/** The room that a link leads to. */
export function roomOf(search: string): string | undefined {
  const room = new URLSearchParams(search).get("room")?.trim();
  return room ? Array.from(room).slice(0, LIMITS.nameCharacters).join("") : undefined;
}

/** The link to a room: the page's own address without anything personal. */
export function linkTo(room: string, page: string): string {
  const link = new URL(page);
  link.search = new URLSearchParams({ room }).toString();
  link.hash = "";
  return link.href;
}

/** The token of `#token=…`, and the fragment without it. */
export function tokenOf(fragment: string): { token: string; rest: string } | undefined {
  const parts = fragment.replace(/^#/, "").split("&");
  const index = parts.findIndex((part) => part.startsWith("token="));
  const token = parts[index]?.slice("token=".length);
  if (!token) return undefined;
  const rest = parts.filter((_, i) => i !== index).join("&");
  return { token: decoded(token), rest: rest && `#${rest}` };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
