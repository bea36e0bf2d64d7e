import type { Chat } from "../chat";
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
          onTyping={() => chat.typing()}
          onSend={(text) => chat.send(text)}
        />
      </div>
      {peopleShown && (
        <People
          people={state.people}
          current={state.membership !== "rejoining"}
          me={place.name}
          pod={state.welcome?.pod}
          onHide={onHidePeople}
        />
      )}
    </main>
  );
}
