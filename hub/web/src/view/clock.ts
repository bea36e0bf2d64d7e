// Times in the reader's own language.

import { useEffect, useState } from "preact/hooks";

const TIME = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat([], { weekday: "long", day: "numeric", month: "long", year: "numeric" });

export const timeOf = (at: number) => TIME.format(at);

/** The day of `at`, seen from `now`. */
export function dayOf(at: number, now = Date.now()): string {
  if (at >= midnight(now, 0) && at < midnight(now, 1)) return "Today";
  if (at >= midnight(now, -1) && at < midnight(now, 0)) return "Yesterday";
  return DAY.format(at);
}

/** The start of the day `days` after the day of `now`. Not every day has 24 hours. */
function midnight(now: number, days: number): number {
  const date = new Date(now);
  date.setDate(date.getDate() + days);
  return date.setHours(0, 0, 0, 0);
}

/** The time, several times a second while `runs`. */
export function useNow(runs: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    setNow(Date.now());
    if (!runs) return;
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, [runs]);
  return now;
}
