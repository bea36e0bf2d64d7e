import { useMemo } from "preact/hooks";

import type { Chat } from "../chat";
import { limitsOf } from "../hub";
import type { Place, State } from "../state/state";
import { sentence } from "../state/typing";
import { Composer } from "./composer";
import { Log } from "./log";
import { People } from "./people";

interface Props {
  chat: Chat;
  state: State;
  place: Place;
  peopleShown: boolean;
  onHidePeople: () => void;
}

/** The messages, the people, and the composer. */
export function Room({ chat, state, place, peopleShown, onHidePeople }: Props) {
  const { people, membership, welcome } = state;
  const current = membership !== "rejoining";
  // An unchanged element is not compared again: a list of a thousand people costs nothing when a message comes.
  const list = useMemo(
    () => peopleShown && <People {...{ people, current }} me={place.name} pod={welcome?.pod} onHide={onHidePeople} />,
    [peopleShown, people, current, place.name, welcome?.pod],
  );
  return (
    <main class="room">
      <div class="talk">
        <Log
          state={state}
          name={place.name}
          onAgain={(nonce) => chat.sendAgain(nonce)}
          onRemove={(nonce) => chat.giveUp(nonce)}
        />
        <p id="typing" class="typing faint" role="status">
          {sentence(state.writers)}
        </p>
        <Composer
          key={place.room}
          room={place.room}
          limits={limitsOf(state.welcome)}
          onTyping={() => chat.typing()}
          onSend={(text) => chat.send(text)}
        />
      </div>
      {list}
    </main>
  );
}
