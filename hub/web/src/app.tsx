// The page. Preact escapes all text that it is given, and it is given nothing as markup.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { reason } from "./chat";
import type { Chat, Message, Place, Status, Welcome } from "./chat";
import { recall, remember } from "./memory";

/** A line in the log: what someone said, or what became of the connection. */
type Line = Message | { id: string; note: string };

/** Older lines are dropped: a page may be open for days. */
const MOST_LINES = 500;

/** The most characters of names and rooms; the hub refuses more. */
const MOST_CHARS = 64;

export function App({ chat }: { chat: Chat }) {
  const [status, setStatus] = useState<Status>("offline");
  const [welcome, setWelcome] = useState<Welcome>();
  const [lines, setLines] = useState<Line[]>([]);
  const [place, setPlace] = useState<Place>();
  const [error, setError] = useState("");

  const add = (line: Line) => setLines((before) => [...before, line].slice(-MOST_LINES));
  const note = (text: string) => add({ id: crypto.getRandomValues(new Uint32Array(2)).join("-"), note: text });

  useEffect(() => {
    chat.open({
      status: setStatus,
      welcome: setWelcome,
      message: add,
      rejoined: ({ room }) => note(`Connected, and in ${room}. Messages may have been missed meanwhile.`),
      failed: setError,
    });
  }, [chat]);

  const join = async (next: Place) => {
    setError("");
    remember("name", next.name);
    remember("room", next.room);
    try {
      const joined = await chat.join(next);
      if (joined && next.room !== place?.room) note(`You are in ${next.room}.`);
      setPlace(next);
    } catch (failure) {
      setError(reason(failure));
    }
  };

  return (
    <main>
      <header>
        <h1>chatcluster</h1>
        <p class="state">
          <span id="status" role="status" class={status}>
            {status}
          </span>
          {welcome && (
            <span>
              served by <b id="pod">{welcome.pod}</b>
              {welcome.backplane === "memory" && " alone"}
            </span>
          )}
        </p>
      </header>
      <JoinForm place={place} onJoin={join} />
      <Log lines={lines} />
      <p id="error" role="alert">
        {error}
      </p>
      <SendForm
        ready={place !== undefined}
        onSend={async (text) => {
          setError("");
          try {
            await chat.send(text);
            return true;
          } catch (failure) {
            setError(reason(failure));
            return false;
          }
        }}
      />
    </main>
  );
}

function JoinForm({ place, onJoin }: { place: Place | undefined; onJoin: (place: Place) => Promise<void> }) {
  const asked = new URLSearchParams(location.search).get("room")?.slice(0, MOST_CHARS);
  const [name, setName] = useState(() => recall("name"));
  const [room, setRoom] = useState(() => asked || recall("room") || "lobby");
  const joined = place?.name === name.trim() && place.room === room.trim();
  return (
    <form
      class="join"
      onSubmit={(event) => {
        event.preventDefault();
        void onJoin({ name: name.trim(), room: room.trim() });
      }}
    >
      <label>
        Name
        <input
          id="name"
          value={name}
          maxLength={MOST_CHARS}
          required
          pattern=".*\S.*"
          autocomplete="nickname"
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <label>
        Room
        <input
          id="room"
          value={room}
          maxLength={MOST_CHARS}
          required
          pattern=".*\S.*"
          autocomplete="off"
          onInput={(event) => setRoom(event.currentTarget.value)}
        />
      </label>
      <button id="join">{joined ? "Joined" : "Join"}</button>
    </form>
  );
}

function Log({ lines }: { lines: Line[] }) {
  const list = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);

  // Follows the talk, unless one has scrolled up to read.
  useLayoutEffect(() => {
    if (atEnd.current) list.current?.scrollTo(0, list.current.scrollHeight);
  }, [lines]);

  return (
    <div
      id="messages"
      role="log"
      aria-label="Messages"
      tabIndex={0}
      ref={list}
      onScroll={({ currentTarget: log }) => {
        atEnd.current = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
      }}
    >
      {lines.map((line) => (
        <p key={line.id} class={"note" in line ? "note" : "message"}>
          {"note" in line ? line.note : <Said message={line} />}
        </p>
      ))}
    </div>
  );
}

function Said({ message }: { message: Message }) {
  const at = new Date(message.at);
  return (
    <>
      <b class="from">{message.from}</b> <span class="text">{message.text}</span>
      <small>
        <time dateTime={at.toISOString()}>{at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}</time>{" "}
        via {message.pod}
      </small>
    </>
  );
}

function SendForm({ ready, onSend }: { ready: boolean; onSend: (text: string) => Promise<boolean> }) {
  const [text, setText] = useState("");
  const field = useRef<HTMLInputElement>(null);

  useEffect(() => {
    if (ready) field.current?.focus();
  }, [ready]);

  return (
    <form
      class="send"
      onSubmit={(event) => {
        event.preventDefault();
        if (!text.trim()) return;
        setText("");
        // What was not sent comes back, unless something new is being written.
        void onSend(text).then((sent) => sent || setText((now) => now || text));
      }}
    >
      <label>
        Message
        <input
          id="text"
          ref={field}
          value={text}
          autocomplete="off"
          enterKeyHint="send"
          disabled={!ready}
          placeholder={ready ? "" : "Join a room first"}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <button id="send" disabled={!ready}>
        Send
      </button>
    </form>
  );
}
