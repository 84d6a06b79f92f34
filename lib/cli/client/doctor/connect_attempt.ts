/**
 * One attempt to connect, the way every command does, whose steps can be awaited one by one.
 *
 * @module
 */

import type { ReconnectingClient } from "../../../client/client.ts";
import { connectInSteps } from "../../../client/connect.ts";
import type { ConnectOptions, Trace } from "../../../client/options.ts";
import { ParleyError } from "../../../errors.ts";
import { Type } from "../../../wire/header.ts";
import { parseObject } from "../frames/payload_dump.ts";

/** An attempt that begins at once. */
export class ConnectAttempt {
  /** Resolves to the client, or to the error for which there is none. */
  readonly result: Promise<ReconnectingClient | ParleyError>;
  /** The server's clock when it answered; undefined if it did not tell. */
  serverTime: Date | undefined;
  /** The clock here at that time, in milliseconds since 1970. */
  answeredAtMs = 0;

  readonly #startMs = performance.now();
  readonly #done = { tcp: Promise.withResolvers<number>(), tls: Promise.withResolvers<number>() };
  readonly #now: () => number;

  /** @param now the clock, in milliseconds since 1970 */
  constructor(options: ConnectOptions, now: () => number) {
    this.#now = now;
    const trace: Trace = (way, header, payload, sessionId) => {
      options.trace?.(way, header, payload, sessionId);
      const isAnswer = header.type === Type.WELCOME || header.type === Type.ERROR;
      if (way === "in" && isAnswer && sessionId === 0) this.#answered(payload);
    };
    const stepDone = (step: "tcp" | "tls") => this.#done[step].resolve(performance.now() - this.#startMs);
    this.result = connectInSteps({ ...options, reconnect: false, trace }, stepDone).catch((error) => {
      if (error instanceof ParleyError) return error;
      throw error;
    });
  }

  /** Resolves to the milliseconds from the start to the end of a step, or to the error if it failed. */
  async step(step: "tcp" | "tls"): Promise<number | ParleyError> {
    const failed = this.result.then((result) => result instanceof ParleyError ? result : 0);
    return await Promise.race([this.#done[step].promise, failed]);
  }

  #answered(payload: Uint8Array): void {
    this.answeredAtMs = this.#now();
    const time = parseObject(payload)?.time;
    const date = typeof time === "string" ? new Date(time) : undefined;
    this.serverTime = date === undefined || Number.isNaN(date.getTime()) ? undefined : date;
  }
}
