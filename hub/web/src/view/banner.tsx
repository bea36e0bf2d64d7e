import { useLayoutEffect, useRef } from "preact/hooks";

import { countdown } from "../state/link";
import type { State } from "../state/state";
import { useNow } from "./clock";
import { ClockIcon } from "./icons";

/** A hub that hands its clients over to another is back within this time: nothing that one has to hear of. */
const UNNOTICED_MS = 1_000;

/** What keeps one from talking, and what is done about it. The word in the header is what screen readers announce. */
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
  // Who pressed it with the keyboard must not lose their place when it goes.
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
