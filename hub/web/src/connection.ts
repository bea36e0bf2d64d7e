// The connection to the hub. It never gives up.
//
// The client's own automatic reconnect only begins after a first success and cannot be told to try now, so the tries are made here:
// one way for the first connection and for all that follow.

import { HubConnectionBuilder, HubConnectionState, LogLevel } from "@microsoft/signalr";

import { wait } from "./retry";
import type { LinkEvent } from "./state/link";

/** A hub that does not answer within this many milliseconds is given up for another try. */
const NEGOTIATE_MS = 10_000;

/** Only a connection that lasted so long makes the waits short again: a hub may take us and close at once. */
const STEADY_MS = 5_000;

export class Connection {
  readonly #hub;
  readonly #token;
  readonly #tell;
  #tries = 0;
  #wake: (() => void) | undefined;
  #closed: ((error: Error | undefined) => void) | undefined;

  /** `token` is asked at each try; "" is none. */
  constructor(url: string, token: () => string, tell: (event: LinkEvent) => void) {
    this.#token = token;
    this.#tell = tell;
    this.#hub = new HubConnectionBuilder()
      .withUrl(url, { accessTokenFactory: token, timeout: NEGOTIATE_MS })
      .configureLogging(LogLevel.None)
      .build();
    this.#hub.onclose((error) => this.#closed?.(error));
  }

  /** Calls `handler` with what the hub calls `target` with. */
  on<T>(target: string, handler: (value: T) => void): void {
    this.#hub.on(target, handler);
  }

  get isUp(): boolean {
    return this.#hub.state === HubConnectionState.Connected;
  }

  /** Fails with the hub's reason, or with `Lost`. */
  async invoke<T>(method: string, ...values: unknown[]): Promise<T> {
    if (!this.isUp) throw new Lost();
    try {
      return await this.#hub.invoke<T>(method, ...values);
    } catch (error) {
      // Who loses the connection has all open calls fail; the state is another by then.
      throw this.isUp ? error : new Lost();
    }
  }

  /** Without an answer; what is lost is lost. */
  say(method: string, ...values: unknown[]): void {
    if (this.isUp) this.#hub.send(method, ...values).catch(() => {});
  }

  /** Connects, and stays connected from now on. */
  async run(): Promise<never> {
    for (;;) {
      this.#tell({ type: "connecting", now: Date.now() });
      const closed = new Promise<Error | undefined>((resolve) => (this.#closed = resolve));
      let reason = "";
      try {
        await this.#hub.start();
        const began = Date.now();
        this.#tell({ type: "connected" });
        reason = reasonGiven(await closed);
        if (Date.now() - began >= STEADY_MS) this.#tries = 0;
      } catch (error) {
        if (isUnauthorized(error)) {
          await this.#sleep(undefined, () => this.#tell({ type: "locked", refused: this.#token() !== "" }));
          continue;
        }
        reason = isForbidden(error) ? "The hub does not let this page in." : "";
      }
      const pause = wait(this.#tries);
      this.#tries += 1;
      const now = Date.now();
      await this.#sleep(pause, () => this.#tell({ type: "lost", now, until: now + pause, reason }));
    }
  }

  /** Does not wait for the next try. */
  tryNow(): void {
    this.#wake?.();
  }

  /** Until the time is over, or until `tryNow`. `before` is called once either can happen. */
  async #sleep(pause: number | undefined, before: () => void): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (pause !== undefined) setTimeout(resolve, pause);
      before();
    });
    this.#wake = undefined;
  }
}

/** There is no connection, or it ended before the hub answered. */
export class Lost extends Error {
  constructor() {
    super("There is no connection.");
  }
}

/** An error in the hub's own words. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Why the hub closed, if it said so. Others' words, such as a browser's about a WebSocket, help nobody. */
export function reasonGiven(error: Error | undefined): string {
  return error?.message.match(/Server returned an error on close: (.+)/s)?.[1] ?? "";
}

/** The client tells the status of a negotiation in its error's text alone. */
function isUnauthorized(error: unknown): boolean {
  return reasonOf(error).includes("Status code '401'");
}

function isForbidden(error: unknown): boolean {
  return reasonOf(error).includes("Status code '403'");
}
