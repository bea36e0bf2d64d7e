// The connection to the hub, which never gives up.
//
// The client's own automatic reconnect only begins after a first success, and cannot be told to try now. So
// the attempts are made here, in the same way for the first connection and for all that follow.

import { HubConnectionBuilder, HubConnectionState, LogLevel } from "@microsoft/signalr";

import { wait } from "./retry";
import type { LinkEvent } from "./state/link";

/** The time after which an attempt with a hub that does not answer ends, in milliseconds. */
const NEGOTIATE_MS = 10_000;

/**
 * The time that a connection must last before the waits become short again, in milliseconds: a hub may accept
 * a connection and close it at once.
 */
const STEADY_MS = 5_000;

export class Connection {
  readonly #hub;
  readonly #token;
  readonly #tell;
  #tries = 0;
  #wake: (() => void) | undefined;
  #closed: ((error: Error | undefined) => void) | undefined;

  /** `token` is called at each attempt; "" means no token. */
  constructor(url: string, token: () => string, tell: (event: LinkEvent) => void) {
    this.#token = token;
    this.#tell = tell;
    this.#hub = new HubConnectionBuilder()
      .withUrl(url, { accessTokenFactory: token, timeout: NEGOTIATE_MS })
      .configureLogging(LogLevel.None)
      .build();
    this.#hub.onclose((error) => this.#closed?.(error));
  }

  /** Calls `handler` whenever the hub calls `target`. */
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
      // When the connection is lost, all pending calls fail, and the state has changed by then.
      throw this.isUp ? error : new Lost();
    }
  }

  /** Calls a method without an answer. If the call is lost, it is not repeated. */
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

  /** Ends the wait for the next attempt. */
  tryNow(): void {
    this.#wake?.();
  }

  /** Waits until the time is over, or until `tryNow`. `before` is called once either can end the wait. */
  async #sleep(pause: number | undefined, before: () => void): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (pause !== undefined) setTimeout(resolve, pause);
      before();
    });
    this.#wake = undefined;
  }
}

/** The error of a call without a connection, or whose connection ended before the hub answered. */
export class Lost extends Error {
  constructor() {
    super("There is no connection.");
  }
}

/** The message of an error, in the hub's own words. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The hub's reason for closing, if it gave one. Other messages, such as a browser's about a WebSocket, help
 * no user.
 */
export function reasonGiven(error: Error | undefined): string {
  return error?.message.match(/Server returned an error on close: (.+)/s)?.[1] ?? "";
}

/**
 * True if the hub requires a token. The client gives the status of a negotiation only in its error's text.
 */
function isUnauthorized(error: unknown): boolean {
  return reasonOf(error).includes("Status code '401'");
}

function isForbidden(error: unknown): boolean {
  return reasonOf(error).includes("Status code '403'");
}
