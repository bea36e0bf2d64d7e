import { byPod } from "../state/people";
import type { People as Everyone } from "../state/people";
import { Avatar } from "./avatar";

interface Props {
  people: Everyone;
  /** True while the hub reports who comes and goes. */
  current: boolean;
  me: string;
  /** The pod that serves me. */
  pod: string | undefined;
  onHide: () => void;
}

/** The people in the room, by the pod that serves them. */
export function People({ people, current, me, pod, onHide }: Props) {
  const unnamed = people.count - people.members.length;
  const myself = people.members.find((person) => person.pod === pod && person.name === me);
  return (
    <aside
      id="people"
      aria-label="People"
      // A long list can be scrolled by keyboard, too.
      tabIndex={0}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        document.getElementById("people-button")?.focus();
        onHide();
      }}
    >
      <h2>{summary(people)}</h2>
      {!current && <p class="faint">as it was when you were last in the room</p>}
      {byPod(people.members).map((there) => (
        <section key={there.pod} aria-label={`Served by ${there.pod}`}>
          <h3>{there.pod}</h3>
          <ul>
            {there.members.map((person, index) => (
              <li key={index}>
                <Avatar name={person.name} />
                <span class="who">
                  {person.name}
                  {person.user !== undefined && person.user !== person.name && <span class="faint"> {person.user}</span>}
                  {person === myself && <span class="faint"> (you)</span>}
                </span>
              </li>
            ))}
          </ul>
        </section>
      ))}
      {people.members.length > 0 && unnamed > 0 && <p class="faint">and {unnamed} more</p>}
    </aside>
  );
}

function summary({ count, pods }: Everyone): string {
  const of = (n: number, one: string, many: string) => `${n} ${n === 1 ? one : many}`;
  return `${of(count, "person", "people")} on ${of(pods, "pod", "pods")}`;
}
