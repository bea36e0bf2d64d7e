import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import type { Mark } from "../state/outbox";
import { beginning, parts } from "../text";
import type { Part } from "../text";
import { Avatar } from "./avatar";
import { timeOf } from "./clock";
import { CheckIcon, ClockIcon, WarnIcon } from "./icons";

interface Props {
  from: string;
  user?: string | undefined;
  text: string;
  at: number;
  pod: string;
  mine: boolean;
  first: boolean;
  mark: Mark;
  reason?: string | undefined;
  onAgain?: (() => void) | undefined;
  onRemove?: (() => void) | undefined;
}

/**
 * A message. The user's own keep their elements from writing to storing, so that screen readers read them out
 * once.
 */
export function MessageItem({ from, user, text, at, pod, mine, first, mark, reason, onAgain, onRemove }: Props) {
  const date = new Date(at);
  return (
    <li class={`message ${mine ? "mine" : "theirs"}${first ? " first" : ""} ${mark}`}>
      {!mine && first && <Avatar name={from} />}
      <p class={first ? "meta" : "meta sr"}>
        <b class="from">{mine ? <span class="sr">{from} (you)</span> : from}</b>
        {user !== undefined && user !== from && <span class="user">{user}</span>}
        <time dateTime={date.toISOString()} title={date.toLocaleString()}>
          {timeOf(at)}
        </time>
        <span class="via" title={`Taken by the pod ${pod}`}>
          {pod}
        </span>
      </p>
      <div class="line">
        {mine && <MarkOf mark={mark} />}
        <p class="text" title={date.toLocaleString()}>
          <Text text={text} />
        </p>
      </div>
      {mark === "waiting" && <p class="trouble waits">Waits for the connection</p>}
      {mark === "failed" && <Failed reason={reason} onAgain={onAgain} onRemove={onRemove} />}
    </li>
  );
}

/** A text with its web addresses as links. A long one is shown whole when the reader asks for it. */
function Text({ text }: { text: string }) {
  const start = beginning(text);
  const [whole, setWhole] = useState(false);
  const shown = whole || start === undefined ? text : start;
  const content = useMemo(() => parts(shown).map(partOf), [shown]);
  return (
    <>
      {content}
      {start !== undefined && !whole && (
        <>
          {"… "}
          <button type="button" class="small quiet more" onClick={() => setWhole(true)}>
            Show all {text.length.toLocaleString()} characters
          </button>
        </>
      )}
    </>
  );
}

function partOf({ text, href }: Part) {
  if (href === undefined) return text;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer">
      {text}
    </a>
  );
}

const MARKS = {
  waiting: { label: "Not sent yet", icon: ClockIcon },
  sent: { label: "Sent, not stored yet", icon: ClockIcon },
  stored: { label: "Stored", icon: CheckIcon },
  failed: { label: "Not stored", icon: WarnIcon },
} as const;

function MarkOf({ mark }: { mark: Mark }) {
  const { label, icon: Icon } = MARKS[mark];
  return (
    <span class="mark" role="img" aria-label={label} title={label}>
      <Icon />
    </span>
  );
}

function Failed({ reason, onAgain, onRemove }: Pick<Props, "reason" | "onAgain" | "onRemove">) {
  const self = useRef<HTMLDivElement>(null);
  // A user who has pressed one of the buttons gets the focus back in the field.
  useLayoutEffect(
    () => () => {
      if (self.current?.contains(document.activeElement)) document.getElementById("text")?.focus();
    },
    [],
  );
  return (
    <div class="trouble" ref={self}>
      <p role="alert">Not stored. {reason}</p>
      <button class="small" onClick={onAgain}>
        Try again
      </button>
      <button class="small quiet" onClick={onRemove}>
        Remove
      </button>
    </div>
  );
}
