// The page. Preact escapes all text, and no markup is passed to it.

import { useEffect, useRef, useState } from "preact/hooks";

import { linkTo, roomOf } from "../address";
import type { Chat } from "../chat";
import { limitsOf } from "../hub";
import { recall, remember } from "../memory";
import type { Place, State } from "../state/state";
import { Banner } from "./banner";
import { Door } from "./door";
import { Header } from "./header";
import { Room } from "./room";
import { TokenForm } from "./token";

export function App({ chat }: { chat: Chat }) {
  const [state, setState] = useState<State>(chat.state);
  const [peopleShown, showPeople] = useState(() => matchMedia("(min-width: 48rem)").matches);
  const { place } = state;

  const enter = (next: Place, again = false) => {
    remember("lasting", "name", next.name);
    remember("lasting", "room", next.room);
    // Another tab may have another name.
    remember("session", "name", next.name);
    remember("session", "in", next.room);
    history.replaceState(history.state, "", linkTo(next.room, location.href));
    chat.enter(next, again);
  };
  const leave = () => {
    remember("session", "in", "");
    chat.leave();
  };

  useEffect(() => {
    chat.open(setState);
    // After a reload the user is in the same room again. A user who follows a link to another room is asked
    // first.
    const name = recall("session", "name");
    const room = recall("session", "in");
    if (name && room && (roomOf(location.search) ?? room) === room) enter({ name, room }, true);
  }, [chat]);
  useEffect(() => chat.listPeople(peopleShown), [chat, peopleShown]);
  useTitle(state);

  const lock = state.link.is === "locked" && (
    <TokenForm
      refused={state.link.refused}
      onToken={(token) => {
        remember("session", "token", token);
        chat.useToken(token);
      }}
    />
  );

  return (
    <div class="app">
      <Header state={state} peopleShown={peopleShown} onPeople={() => showPeople(!peopleShown)} onLeave={leave} />
      <Banner state={state} onTry={() => chat.tryNow()} />
      {place ? (
        <>
          {lock}
          <Room chat={chat} state={state} place={place} peopleShown={peopleShown} onHidePeople={() => showPeople(false)} />
        </>
      ) : (
        <main class="door">{lock || <Door refusal={state.refusal} limits={limitsOf(state.welcome)} onEnter={(next) => enter(next)} />}</main>
      )}
    </div>
  );
}

/** Shows in the title the room, and the number of messages that came while the page was hidden. */
function useTitle({ place, log }: State): void {
  const seen = useRef<string | undefined>(undefined);
  const [hidden, setHidden] = useState(document.hidden);
  useEffect(() => {
    const look = () => setHidden(document.hidden);
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, []);
  if (!hidden) seen.current = log.at(-1)?.id;
  const unseen = hidden ? log.length - 1 - log.findLastIndex(({ id }) => id === seen.current) : 0;
  const title = place ? `${place.room} · chatcluster` : "chatcluster";
  useEffect(() => {
    document.title = unseen ? `(${unseen}) ${title}` : title;
  }, [title, unseen]);
}
