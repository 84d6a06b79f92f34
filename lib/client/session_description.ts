/**
 * What a client says of its session.
 *
 * @module
 */

import type { Welcome } from "../wire/client_control.ts";

/** The session connected last, as its WELCOME describes it. */
export abstract class SessionDescription {
  /** Set once there is a first connection. */
  protected welcome!: Welcome;

  /** See `Client`. */
  get sessionId(): number {
    return this.welcome.number;
  }

  /** See `Client`. */
  get uuid(): string {
    return this.welcome.session;
  }

  /** See `Client`. */
  get name(): string {
    return this.welcome.name;
  }

  /** See `Client`. */
  get greeting(): string {
    return this.welcome.message;
  }

  /** See `Client`. */
  get server(): Welcome["server"] {
    return this.welcome.server;
  }

  /** See `Client`. */
  get limits(): Welcome["limits"] {
    return this.welcome.limits;
  }

  /** See `Client`. */
  get serverTime(): Date | undefined {
    const time = Date.parse(this.welcome.time ?? "");
    return Number.isNaN(time) ? undefined : new Date(time);
  }
}
