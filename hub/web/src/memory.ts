// What the browser remembers. It may refuse to, and the page works all the same.

/** `lasting`: until it is deleted. `session`: as long as this tab, over reloads. */
export type Shelf = "lasting" | "session";

// Only naming them throws where a browser keeps nothing.
const storage = (shelf: Shelf) => (shelf === "lasting" ? localStorage : sessionStorage);

/** What was remembered under `key`, or "". */
export function recall(shelf: Shelf, key: string): string {
  try {
    return storage(shelf).getItem(`chatcluster.${key}`) ?? "";
  } catch {
    return "";
  }
}

/** Remembers `value` under `key`; "" forgets it. */
export function remember(shelf: Shelf, key: string, value: string): void {
  try {
    if (value) storage(shelf).setItem(`chatcluster.${key}`, value);
    else storage(shelf).removeItem(`chatcluster.${key}`);
  } catch {
    // Private windows and full disks.
  }
}
