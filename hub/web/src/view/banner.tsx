import { useLayoutEffect, useRef } from "preact/hooks";

import { countdown } from "../state/link";
import type { State } from "../state/state";
import { useNow } from "./clock";
import { ClockIcon } from "./icons";

/**
 * The time within which an interruption is not shown, in milliseconds: a hub that ends hands its clients over
 * in less.
 */
const UNNOTICED_MS = 1_000;

/**
 * The obstacle that keeps the user from talking, and the page's reaction. Screen readers announce the word in
 * the header.
 */
export function Banner({ state: { link, membership, refusal, place }, onTry }: { state: State; onTry: () => void }) {
  const now = useNow(link.is === "connecting" || link.is === "waiting");
  if (link.is === "connected") {
    if (!place || membership === "joined" || !refusal) return null;
    return (
      <section class="banner" aria-label="Room">
        <ClockIcon />
        <p>You are not back in the room yet: {refusal}</p>
      </section>
    );
  }
  if (link.is === "locked" || !link.since || now - link.since < UNNOTICED_MS) return null;
  const seconds = countdown(link, now);
  return (
    <section class="banner" aria-label="Connection">
      <ClockIcon />
      <p>
        {link.before ? "The connection is lost." : "The hub does not answer."}
        {link.is === "waiting" && link.reason && ` ${link.reason}`}{" "}
        {seconds > 0 ? (
          <>
            Trying again in <span class="countdown">{seconds} s</span>.
          </>
        ) : (
          "Trying now…"
        )}
        {place && <span class="more"> What you write is sent once it is back.</span>}
      </p>
      <TryNow onTry={onTry} />
    </section>
  );
}

function TryNow({ onTry }: { onTry: () => void }) {
  const button = useRef<HTMLButtonElement>(null);
  // A user who pressed the button with the keyboard must not lose the focus when it disappears.
  useLayoutEffect(
    () => () => {
      if (document.activeElement === button.current) document.getElementById("text")?.focus();
    },
    [],
  );
  return (
    <button id="try-now" ref={button} onClick={onTry}>
      Try now
    </button>
  );
}
