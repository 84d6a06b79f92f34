/**
 * A producer in the hands of a program.
 *
 * @module
 */

import type { Producer } from "./api.ts";
import { checkOptions } from "./checks.ts";
import type { DurableChannel } from "./durable_channel.ts";
import type { Payload } from "./message_types.ts";
import type { SendOptions } from "./options.ts";
import { bounded } from "./waiting.ts";

/** The producer behind `Client.producer`. */
export class ClientProducer implements Producer {
  readonly name: string;
  readonly #durable: DurableChannel;

  /** Publishes on `durable`. */
  constructor(durable: DurableChannel, name: string) {
    this.name = name;
    this.#durable = durable;
  }

  get channel(): string {
    return this.#durable.name;
  }

  get stored(): number {
    return this.#durable.stored;
  }

  publish(payload: Payload, options?: SendOptions): Promise<void> {
    try {
      if (options === undefined) return this.#durable.publish(payload, undefined);
      checkOptions("sendTo", options);
      options.signal?.throwIfAborted();
      return bounded(`publishing on ${this.channel}`, options, this.#durable.publish(payload, options));
    } catch (error) {
      return Promise.reject(error);
    }
  }
}
