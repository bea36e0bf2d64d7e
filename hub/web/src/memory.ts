// The browser's storage. The browser may refuse it, and the page works all the same.

/** `lasting`: until the user deletes it. `session`: as long as this tab exists, over reloads. */
export type Shelf = "lasting" | "session";

// Where a browser stores nothing, even naming these objects throws.
const storage = (shelf: Shelf) => (shelf === "lasting" ? localStorage : sessionStorage);

/** The value that was remembered under `key`, or "". */
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
    // Private windows and full disks cause errors.
  }
}
