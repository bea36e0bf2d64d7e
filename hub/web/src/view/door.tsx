import { useEffect, useRef, useState } from "preact/hooks";

import { roomOf } from "../address";
import type { Limits } from "../hub";
import { recall } from "../memory";
import type { Place } from "../state/state";

interface Props {
  refusal: string;
  limits: Limits;
  onEnter: (place: Place) => void;
}

/** Asks for the user's name and room. */
export function Door({ refusal, limits, onEnter }: Props) {
  const [name, setName] = useState(() => recall("lasting", "name"));
  const [room, setRoom] = useState(() => roomOf(location.search) ?? (recall("lasting", "room") || "lobby"));
  const nameField = useRef<HTMLInputElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  useEffect(() => (name ? button : nameField).current?.focus(), []);

  return (
    <form
      class="card"
      aria-labelledby="door-title"
      onSubmit={(event) => {
        event.preventDefault();
        onEnter({ name: name.trim(), room: room.trim() });
      }}
    >
      <h2 id="door-title">Join a room</h2>
      <label>
        Name
        <input
          id="name"
          ref={nameField}
          value={name}
          maxLength={limits.nameCharacters}
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
          maxLength={limits.nameCharacters}
          required
          pattern=".*\S.*"
          autocomplete="off"
          onInput={(event) => setRoom(event.currentTarget.value)}
        />
      </label>
      {refusal && (
        <p class="error" role="alert">
          {refusal}
        </p>
      )}
      <button id="join" ref={button}>
        Join
      </button>
      <p class="faint">A room comes into being when someone joins it, and its link brings others there.</p>
    </form>
  );
}
