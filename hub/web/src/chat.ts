// The actions of the page, between the state in ./state and the connection in ./connection.ts.

import { Connection, Lost, reasonOf } from "./connection";
import type { Gap, Joined, Message, Presence, Stored, Typing, Welcome, Who } from "./hub";
import { limitsOf } from "./hub";
import { keep, kept } from "./keep";
import { wait } from "./retry";
import { askEvery, isStale } from "./state/people";
import { lastId, reduce, START } from "./state/state";
import type { Event, Place, State } from "./state/state";
import { HOLDS_MS, SAY_AT_MOST_EVERY_MS, SAY_EVERY_MS } from "./state/typing";

/** The shortest time between two renderings, in milliseconds: a burst of messages is shown at once. */
const SHOW_EVERY_MS = 50;

export class Chat {
  #state = START;
  #listener: (state: State) => void = () => {};
  readonly #connection;
  #token;
  /** The number of consecutive refusals to let the user into the room. */
  #refusals = 0;
  /** The time when the members were asked for last, and the timer for the next question. */
  #askedAt = -Infinity;
  #nextQuestion: ReturnType<typeof setTimeout> | undefined;
  /** True if the list of members was right when it was asked for, and every change since is known. */
  #knowsPeople = false;
  /** True while the list of members is shown. */
  #listsPeople = false;
  #shownAt = -Infinity;
  #nextShowing: ReturnType<typeof setTimeout> | undefined;
  #saidTyping = -Infinity;

  constructor(url: string, token: string) {
    this.#token = token;
    this.#connection = new Connection(url, () => this.#token, (event) => this.#happened(event));
    this.#connection.on("welcome", (welcome: Welcome) => this.#happened({ type: "welcome", welcome }));
    this.#connection.on("message", (message: Message) => this.#happened({ type: "message", message }));
    this.#connection.on("presence", (presence: Presence) => this.#happened({ type: "presence", presence }));
    this.#connection.on("typing", (typing: Typing) => this.#happened({ type: "typing", typing, now: Date.now() }));
    this.#connection.on("gap", (gap: Gap) => this.#happened({ type: "gap", gap }));
  }

  get state(): State {
    return this.#state;
  }

  /** Connects, and passes each new state to `listener` from now on. */
  open(listener: (state: State) => void): void {
    this.#listener = listener;
    void this.#connection.run();
  }

  /** Tries to connect at once, without waiting for the next attempt. */
  tryNow(): void {
    if (!this.#connection.isUp) this.#connection.tryNow();
  }

  /** Presents this token to the hub from now on. */
  useToken(token: string): void {
    this.#token = token;
    this.tryNow();
  }

  /**
   * Joins a room, now or as soon as there is a connection. A user who joins `again` retries until the hub
   * lets them in.
   */
  enter(place: Place, again: boolean): void {
    this.#refusals = 0;
    this.#happened({ type: "entered", place, again, ...kept(place.room) });
    void this.#join();
  }

  leave(): void {
    const { place } = this.#state;
    if (place) this.#connection.invoke("Leave", place.room).catch(() => {});
    this.#happened({ type: "left" });
  }

  send(text: string): void {
    const nonce = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-");
    // For the others this message ends the writing. The next writing is reported soon, but not before the hub
    // would pass it on.
    this.#saidTyping -= SAY_EVERY_MS - SAY_AT_MOST_EVERY_MS;
    this.#happened({ type: "written", nonce, text, now: Date.now() });
    this.#sendWaiting();
  }

  /**
   * Sends a failed message again, with the same nonce: if it was stored after all, it is not stored twice.
   */
  sendAgain(nonce: string): void {
    this.#happened({ type: "again", nonce });
    this.#sendWaiting();
  }

  giveUp(nonce: string): void {
    this.#happened({ type: "removed", nonce });
  }

  /** Tells the others that the user is writing. */
  typing(): void {
    const { place, membership } = this.#state;
    if (!place || membership !== "joined" || Date.now() - this.#saidTyping < SAY_EVERY_MS) return;
    this.#saidTyping = Date.now();
    this.#connection.say("Typing", place.room);
  }

  /** Notes whether the list of members is shown. While it is not, the hub is not asked for it. */
  listPeople(shown: boolean): void {
    this.#listsPeople = shown;
    this.#askWho();
  }

  #happened(event: Event): void {
    const before = this.#state;
    this.#state = reduce(before, event);
    const { place, own, box, membership } = this.#state;
    if (place && before.place === place && (before.own !== own || before.box !== box)) keep(place.room, own, box);
    this.#show();

    if (event.type === "connected" && place) void this.#join();
    if (event.type === "gap" && membership === "joined") void this.#join(event.gap.after ?? undefined);
    if (event.type === "presence") {
      // Large rooms do not say who came and went.
      const { joined, left } = event.presence;
      this.#knowsPeople &&= joined.length + left.length > 0;
      this.#askWho();
    }
    if (event.type === "typing") setTimeout(() => this.#happened({ type: "tick", now: Date.now() }), HOLDS_MS);
  }

  /**
   * Joins, and gets the messages since then: after a reconnect, nothing that the hub still has is missing.
   */
  async #join(since: string | undefined = lastId(this.#state)): Promise<void> {
    const { place } = this.#state;
    if (!place || !this.#connection.isUp) return;
    try {
      const options = { presence: true, ...(since !== undefined && { since }) };
      const joined = await this.#connection.invoke<Joined>("Join", place.room, place.name, options);
      if (this.#state.place !== place) return;
      this.#refusals = 0;
      this.#happened({ type: "joined", joined, now: Date.now() });
      this.#knowsPeople = false;
      this.#askedAt = -Infinity;
      this.#askWho();
      this.#sendWaiting();
    } catch (error) {
      // After a lost connection, the next one joins.
      if (error instanceof Lost || this.#state.place !== place) return;
      this.#happened({ type: "refused", reason: reasonOf(error) });
      this.#refusals += 1;
      setTimeout(() => {
        if (this.#state.place === place && this.#state.membership !== "joined") void this.#join();
      }, wait(this.#refusals));
    }
  }

  /** Sends the waiting messages in the order in which they were written. */
  #sendWaiting(): void {
    if (this.#state.membership !== "joined") return;
    for (const { nonce, text, mark } of this.#state.box) if (mark === "waiting") void this.#send(nonce, text);
  }

  async #send(nonce: string, text: string): Promise<void> {
    const { place } = this.#state;
    if (!place) return;
    this.#happened({ type: "sent", nonce, now: Date.now() });
    try {
      await this.#connection.invoke<Stored>("Send", place.room, text, { nonce });
      this.#happened({ type: "stored", nonce });
    } catch (error) {
      if (error instanceof Lost) this.#happened({ type: "unanswered", nonce });
      else this.#happened({ type: "failed", nonce, reason: reasonOf(error) });
    }
  }

  /** Shows the state: now, or soon if another one was shown just before. */
  #show(): void {
    if (this.#nextShowing !== undefined) return;
    const wait = this.#shownAt + SHOW_EVERY_MS - performance.now();
    if (wait > 0) {
      this.#nextShowing = setTimeout(() => {
        this.#nextShowing = undefined;
        this.#show();
      }, wait);
      return;
    }
    this.#shownAt = performance.now();
    this.#listener(this.#state);
  }

  /** Asks for the members if they are shown and the list is not right: now, or as soon as it may be asked. */
  #askWho(): void {
    clearTimeout(this.#nextQuestion);
    const { people, welcome, membership } = this.#state;
    if (!this.#listsPeople || membership !== "joined") return;
    if (this.#knowsPeople && !isStale(people, limitsOf(welcome))) return;
    const wait = this.#askedAt + askEvery(people) - performance.now();
    if (wait > 0) {
      this.#nextQuestion = setTimeout(() => this.#askWho(), wait);
      return;
    }
    this.#askedAt = performance.now();
    void this.#who();
    this.#nextQuestion = setTimeout(() => this.#askWho(), askEvery(people));
  }

  async #who(): Promise<void> {
    const { place } = this.#state;
    if (!place) return;
    try {
      const who = await this.#connection.invoke<Who>("Who", place.room);
      if (this.#state.place !== place) return;
      this.#knowsPeople = true;
      this.#happened({ type: "who", who });
    } catch {
      // The members are asked for again after the next change or reconnect.
    }
  }
}
