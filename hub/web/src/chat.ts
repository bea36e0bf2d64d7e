// The connection to the hub: it never gives up, and after each reconnect it is back in its room.

import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import type { IRetryPolicy, RetryContext } from "@microsoft/signalr";

/** What the page says about the connection. */
export type Status = "connected" | "reconnecting" | "offline";

/** What the hub sends for each message in a room. */
export interface Message {
  id: string;
  room: string;
  from: string;
  text: string;
  /** Milliseconds since 1970, by the clock of the pod that accepted it. */
  at: number;
  pod: string;
}

/** What the hub sends to each client as it connects. */
export interface Welcome {
  pod: string;
  connectionId: string;
  version: string;
  backplane: "redis" | "memory";
}

/** Where one is, and as whom. */
export interface Place {
  room: string;
  name: string;
}

/** What the page hears from the connection. */
export interface Listener {
  status(status: Status): void;
  welcome(welcome: Welcome): void;
  message(message: Message): void;
  /** In the room after the connection came, or came back. */
  rejoined(place: Place): void;
  failed(reason: string): void;
}

/** Lost for so long, one is offline, although the tries go on. */
const OFFLINE_AFTER_MS = 15_000;
const LONGEST_WAIT_MS = 5_000;

/** Longer waits after each try, and never the same for all clients: a hub that ends must not send a wave to the others. */
function wait(tries: number): number {
  return Math.min(LONGEST_WAIT_MS, 200 * 2 ** Math.min(tries, 10)) * (0.5 + Math.random() / 2);
}

export class Chat {
  readonly #connection;
  #listener: Listener | undefined;
  #place: Place | undefined;

  constructor(url: string) {
    const policy: IRetryPolicy = {
      nextRetryDelayInMilliseconds: (context: RetryContext) => {
        if (context.elapsedMilliseconds >= OFFLINE_AFTER_MS) this.#listener?.status("offline");
        return wait(context.previousRetryCount);
      },
    };
    this.#connection = new HubConnectionBuilder()
      .withUrl(url)
      .withAutomaticReconnect(policy)
      .configureLogging(LogLevel.Warning)
      .build();
    this.#connection.on("welcome", (welcome: Welcome) => this.#listener?.welcome(welcome));
    this.#connection.on("message", (message: Message) => {
      // What a room said just before one left it may still be on its way.
      if (message.room === this.#place?.room) this.#listener?.message(message);
    });
    this.#connection.onreconnecting(() => this.#listener?.status("reconnecting"));
    this.#connection.onreconnected(() => void this.#connected());
    // The hub closed for good, as after a protocol error: a new connection may fare better.
    this.#connection.onclose(() => {
      this.#listener?.status("offline");
      void this.#start();
    });
  }

  /** Connects, and reports to `listener` from now on. */
  open(listener: Listener): void {
    this.#listener = listener;
    void this.#start();
  }

  /** Goes to a room, and leaves the one before. While not connected this is done later, and gives false. */
  async join(place: Place): Promise<boolean> {
    const before = this.#place;
    this.#place = place;
    if (this.#connection.state !== "Connected") return false;
    if (before && before.room !== place.room) await this.#connection.invoke("Leave", before.room);
    await this.#connection.invoke("Join", place.room, place.name);
    return true;
  }

  /** Sends to the room; fails unless the hub confirmed it. */
  async send(text: string): Promise<void> {
    if (!this.#place) throw new Error("Join a room first.");
    if (this.#connection.state !== "Connected") throw new Error("There is no connection; try again soon.");
    await this.#connection.invoke("Send", this.#place.room, text);
  }

  // The client's automatic reconnect only begins after a first success.
  async #start(): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      try {
        await this.#connection.start();
        await this.#connected();
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, wait(tries)));
      }
    }
  }

  async #connected(): Promise<void> {
    this.#listener?.status("connected");
    const place = this.#place;
    if (!place) return;
    try {
      await this.#connection.invoke("Join", place.room, place.name);
      this.#listener?.rejoined(place);
    } catch (error) {
      // Lost again: the next reconnect joins. Anything else is for the person to see.
      if (this.#connection.state === "Connected") this.#listener?.failed(reason(error));
    }
  }
}

/** An error in the hub's own words. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
