import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { excess } from "../hub";
import type { Limits } from "../hub";
import { recall, remember } from "../memory";
import { SendIcon } from "./icons";

interface Props {
  room: string;
  limits: Limits;
  onTyping: () => void;
  onSend: (text: string) => void;
}

/** The field for a message. Its content survives a reload. */
export function Composer({ room, limits, onTyping, onSend }: Props) {
  const [text, setText] = useState(() => recall("session", `draft.${room}`));
  const field = useRef<HTMLTextAreaElement>(null);
  const tooMany = excess(room, text.trimEnd(), limits);

  useEffect(() => field.current?.focus(), []);
  useEffect(() => remember("session", `draft.${room}`, text), [room, text]);
  // The field is as high as its text, up to the maximum in the style.
  useLayoutEffect(() => {
    const area = field.current;
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight + area.offsetHeight - area.clientHeight}px`;
  }, [text]);

  const send = () => {
    if (!text.trim() || tooMany > 0) return;
    onSend(text.trimEnd());
    setText("");
    field.current?.focus();
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {tooMany > 0 && (
        <p class="error" role="alert">
          {tooMany.toLocaleString()} bytes too long to be sent at once.
        </p>
      )}
      <textarea
        id="text"
        ref={field}
        rows={1}
        value={text}
        aria-label="Message"
        aria-invalid={tooMany > 0}
        autocomplete="off"
        enterkeyhint="send"
        placeholder={`Message ${room}`}
        onInput={(event) => {
          setText(event.currentTarget.value);
          onTyping();
        }}
        onKeyDown={(event) => {
          // An Enter that only selects a word of an input method does not send.
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          send();
        }}
      />
      <button id="send" title="Send (Enter; Shift and Enter: a new line)">
        <SendIcon />
        <span class="wide">Send</span>
      </button>
    </form>
  );
}
