/**
 * Messages that sessions publish without frames, as HTTP requests do: under a key, of which one is stored, or without.
 *
 * The writer of a message under a key is the key: it has one message, and each call is another attempt at it.
 *
 * @module
 */

import { DirectAccess, type PublishedPlace } from "../../../../lib/broker/stored/direct_access.ts";
import { ParleyError } from "../../../../lib/errors.ts";
import { HEADER_BYTES } from "../../../../lib/limits.ts";
import type { History } from "../../../crash/history.ts";
import { putNumbered } from "../../../crash/numbered.ts";
import { LOST_READ } from "./faulty_log.ts";
import type { Records } from "./records.ts";
import type { SimulatedClient } from "./simulated_client.ts";
import type { SimulatedServer } from "./simulated_server.ts";

const NEVER = new AbortController().signal;
const INDEX = 1;

/** The calls of one life of the server. */
export class DirectCalls {
  /** How many wait for their answer. */
  unanswered = 0;
  readonly #server: SimulatedServer;
  readonly #records: Records;
  readonly #access: DirectAccess;

  constructor(server: SimulatedServer, records: Records) {
    this.#server = server;
    this.#records = records;
    const { router, limits } = server.context;
    this.#access = new DirectAccess(router, server.stored, limits);
  }

  /** Publishes a message with a payload of `size` bytes in the name of `client`, whose own it is. */
  publish(client: SimulatedClient, channel: string, key: string | undefined, size: number): void {
    const history = this.#records.historyOf(channel, this.#server.epochOf(channel));
    const { writer, attempt } = this.#records.attempt(channel, key);
    client.owns(writer);
    const message = { writer, attempt, index: INDEX, count: 1 };
    history.sent(message);
    const frame = new Uint8Array(HEADER_BYTES + size);
    putNumbered(frame, 0, { channel: 0, sender: 0, id: 0, size }, message);
    const payload = frame.subarray(HEADER_BYTES);
    this.unanswered++;
    this.#access.publish(client.number, { channel, flags: 0, payload, key }, NEVER).then(
      (place) => this.#stored(history, writer, attempt, place),
      (error) => {
        // Whatever went wrong: nothing is stored by this call.
        history.refused(message);
        const isExpected = error instanceof ParleyError && /^(not_stored|closed)$/.test(error.code);
        if (!isExpected && error.message !== LOST_READ) this.#records.violated(`a call failed: ${error}`);
      },
    ).finally(() => this.unanswered--);
  }

  #stored(history: History, writer: number, attempt: number, { sequence, isReplayed }: PublishedPlace): void {
    if (!isReplayed) return history.receipt({ writer, attempt, index: INDEX, sequence });
    // It was stored by another attempt.
    const there = history.stored.find((run) =>
      run.sequence <= sequence && sequence < run.sequence + run.count
    );
    if (there?.writer === writer) history.receipt({ writer, attempt: there.attempt, index: INDEX, sequence });
    else {this.#records.violated(
        `a key of writer ${writer} is said to be at ${sequence}, as another message is`,
      );}
  }
}
