import type { VNode } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import { rows } from "../state/rows";
import type { Row } from "../state/rows";
import type { State } from "../state/state";
import { dayOf } from "./clock";
import { DownIcon } from "./icons";
import { MessageItem } from "./message";

interface Props {
  state: State;
  /** The user's own name. */
  name: string;
  onAgain: (nonce: string) => void;
  onRemove: (nonce: string) => void;
}

/** The distance from its end within which the log follows new messages, in pixels. */
const NEAR = 32;

export function Log({ state, name, onAgain, onRemove }: Props) {
  const { log, own, lostAfter, box, membership, welcome } = state;
  const shown = useMemo(() => rows(log, own, lostAfter, dayOf), [log, own, lostAfter]);
  // Unchanged elements are not compared again: a message costs its own row, and not those of the whole log.
  const before = useRef<ReadonlyMap<string, Shown>>(new Map());
  const elements = useMemo(() => {
    const all = shown.map((row) => ({ row, element: elementOf(before.current.get(row.key), row) }));
    before.current = new Map(all.map((one) => [one.row.key, one]));
    return all.map(({ element }) => element);
  }, [shown]);
  const pane = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLOListElement>(null);
  const atEnd = useRef(true);
  const [behind, setBehind] = useState(false);
  const written = box.length && box.at(-1)!.nonce;

  const toEnd = () => pane.current?.scrollTo(0, pane.current.scrollHeight);
  // The log stays at its end when the window, the composer or a message changes its height.
  useEffect(() => {
    const observer = new ResizeObserver(() => atEnd.current && toEnd());
    for (const element of [pane.current, list.current]) if (element) observer.observe(element);
    return () => observer.disconnect();
  }, []);
  // The log follows new messages, unless the user has scrolled up to read.
  useLayoutEffect(() => {
    if (atEnd.current) toEnd();
    else setBehind(true);
  }, [log]);
  useLayoutEffect(toEnd, [written]);

  const last = shown.at(-1);
  const continues = last?.is === "message" && last.mine;
  return (
    <div class="log">
      <div
        id="messages"
        role="log"
        aria-label="Messages"
        // Screen readers should not read out a whole history.
        aria-busy={membership !== "joined"}
        tabIndex={0}
        ref={pane}
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          atEnd.current = scrollHeight - scrollTop - clientHeight < NEAR;
          if (atEnd.current) setBehind(false);
        }}
      >
        {shown.length + box.length === 0 && <Empty joined={membership === "joined"} />}
        <ol ref={list}>
          {[
            ...elements,
            ...box.map(({ nonce, text, at, mark, reason }, index) => (
              <MessageItem
                key={nonce}
                {...{ text, at, mark, reason }}
                from={name}
                pod={welcome?.pod ?? ""}
                mine
                first={index === 0 && !continues}
                onAgain={() => onAgain(nonce)}
                onRemove={() => onRemove(nonce)}
              />
            )),
          ]}
        </ol>
      </div>
      {behind && (
        <button class="jump" onClick={toEnd}>
          <DownIcon /> New messages
        </button>
      )}
    </div>
  );
}

/** A row, and its element. */
interface Shown {
  row: Row;
  element: VNode;
}

/** The element of a row: that of before, if it would be the same. */
function elementOf(before: Shown | undefined, row: Row): VNode {
  return before && isSame(before.row, row) ? before.element : rowOf(row);
}

function isSame(a: Row, b: Row): boolean {
  if (a.is === "message" && b.is === "message") {
    return a.message === b.message && a.mine === b.mine && a.first === b.first;
  }
  if (a.is === "gap" && b.is === "gap") return a.missing === b.missing;
  return a.is === "day" && b.is === "day" && a.day === b.day;
}

/**
 * The element of a row. Stored and unstored messages are in one list, so that a message keeps its element
 * when it is stored.
 */
function rowOf(row: Row): VNode {
  switch (row.is) {
    case "day":
      return (
        <li key={row.key} class="day">
          {row.day}
        </li>
      );
    case "gap":
      return (
        <li key={row.key} class="gap">
          {gapText(row.missing)}
        </li>
      );
    case "message": {
      const { from, user, text, at, pod } = row.message;
      return <MessageItem key={row.key} {...{ from, user, text, at, pod }} mine={row.mine} first={row.first} mark="stored" />;
    }
  }
}

function gapText(missing: number | null): string {
  if (missing === null) return "Messages may be missing here";
  return missing === 1 ? "One message is missing here" : `${missing} messages are missing here`;
}

function Empty({ joined }: { joined: boolean }) {
  if (!joined) return <p class="empty faint">Joining…</p>;
  return <p class="empty faint">Nothing was said here yet. Say something, or copy the link to bring others here.</p>;
}
