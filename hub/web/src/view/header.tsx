import { useEffect, useState } from "preact/hooks";

import { linkTo } from "../address";
import { status } from "../state/link";
import type { State } from "../state/state";
import { useNow } from "./clock";
import { Brand, CheckIcon, LeaveIcon, LinkIcon, PeopleIcon } from "./icons";

interface Props {
  state: State;
  peopleShown: boolean;
  onPeople: () => void;
  onLeave: () => void;
}

/** The room, the state of the connection, and the actions for the room. */
export function Header({ state: { link, welcome, place, people }, peopleShown, onPeople, onLeave }: Props) {
  const word = status(link, useNow(link.is !== "connected"));
  return (
    <header class="top">
      <Brand />
      <div class="title">
        <h1 title={place?.room}>{place ? place.room : "chatcluster"}</h1>
        <p class="state">
          <span id="status" role="status" class={word.replace(" ", "-")}>
            {word}
          </span>
          {welcome && (
            <span class="served">
              {word === "connected" ? "to " : "last to "}
              <b id="pod">{welcome.pod}</b>
              {welcome.backplane === "memory" && ", the only hub"}
            </span>
          )}
        </p>
      </div>
      {place && (
        <div class="actions">
          <button
            id="people-button"
            class="quiet"
            aria-expanded={peopleShown}
            aria-controls="people"
            onClick={onPeople}
            onKeyDown={({ key }) => key === "Escape" && peopleShown && onPeople()}
            title="Who is here"
          >
            <PeopleIcon />
            <span>
              {people.count}
              <span class="sr"> {people.count === 1 ? "person" : "people"} here</span>
            </span>
          </button>
          <CopyLink room={place.room} />
          <button id="leave" class="quiet" onClick={onLeave} title="Leave the room">
            <LeaveIcon />
            <span class="wide">Leave</span>
          </button>
        </div>
      )}
    </header>
  );
}

function CopyLink({ room }: { room: string }) {
  const [copied, setCopied] = useState<boolean>();
  const link = linkTo(room, location.href);

  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(undefined), 4_000);
    return () => clearTimeout(timer);
  }, [copied]);

  return (
    <>
      <button
        id="copy-link"
        class="quiet"
        title="Copy a link to this room"
        onClick={async () => setCopied(await copy(link))}
      >
        {copied ? <CheckIcon /> : <LinkIcon />}
        <span class="wide">{copied ? "Copied" : "Copy link"}</span>
      </button>
      <span class="sr" role="status">
        {copied && "The link to this room is in your clipboard."}
      </span>
      {copied === false && (
        <p class="hint" role="alert">
          Your browser does not let the page copy. The link: <a href={link}>{link}</a>
        </p>
      )}
    </>
  );
}

/** Returns true if the text is in the clipboard now. Over plain HTTP, browsers support only the old way. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyTheOldWay(text);
  }
}

function copyTheOldWay(text: string): boolean {
  const before = document.activeElement;
  const field = document.createElement("textarea");
  field.className = "sr";
  field.value = text;
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return copied;
}
