// What the browser remembers. It may refuse to, and the page works all the same.

/** What was remembered under `key`, or "". */
export function recall(key: string): string {
  try {
    return localStorage.getItem(`chatcluster.${key}`) ?? "";
  } catch {
    return "";
  }
}

/** Remembers `value` under `key`. */
export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`chatcluster.${key}`, value);
  } catch {
    // Private windows and full disks.
  }
}
