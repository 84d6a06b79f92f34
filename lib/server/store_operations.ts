/**
 * The operations of `parley-server store`, by name: in the server that has the store open, or in a process that has opened
 * it itself.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { ConsumerName, ListedMessage, StoreOperator } from "../broker/stored/operator.ts";
import { ParleyError } from "../errors.ts";
import { newEpoch } from "../store/epoch.ts";
import { backUp, type Findings, verify } from "../store/maintenance.ts";

export type { ConsumerName, ListedChannel } from "../broker/stored/operator.ts";
export type { Findings } from "../store/maintenance.ts";
export { restoreStore } from "../store/restore.ts";

/** A stored message as it crosses to the command. */
export interface ShownMessage extends Omit<ListedMessage, "payload"> {
  /** In base64. */
  readonly payload: string;
}

/** What an operation needs. */
export interface StoreCall {
  readonly operator: StoreOperator;
  /** The folder of the store. */
  readonly folder: string;
  /** Is told how much has been done, of how much. */
  progress(done: number, total: number): void;
  /** Takes an item of a result that comes in pieces. */
  item(item: unknown): Promise<void>;
}

/** What the operations take and give. */
export interface StoreOperations {
  list(args: { channel?: string }): Promise<unknown>;
  show(args: { channel: string; from: number; count: number }): Promise<void>;
  purge(args: { channel: string; before?: number }): Promise<number>;
  delete(args: { channel: string }): Promise<void>;
  reset(args: ConsumerName & { position: number }): Promise<void>;
  pause(args: ConsumerName): Promise<void>;
  resume(args: ConsumerName): Promise<void>;
  setAside(args: ConsumerName): Promise<unknown>;
  giveBack(args: ConsumerName & { which: number | "all" }): Promise<number>;
  drop(args: ConsumerName & { which: number | "all" }): Promise<number>;
  forget(args: ConsumerName): Promise<void>;
  verify(args: Record<never, never>): Promise<Findings>;
  backup(args: { file: string }): Promise<void>;
}

/** The operations, on one store. */
export function operationsOf({ operator, folder, progress, item }: StoreCall): StoreOperations {
  return {
    list: ({ channel }) => operator.list(channel),
    async show({ channel, from, count }) {
      for await (const { payload, ...message } of operator.messages(channel, from, count)) {
        await item({ ...message, payload: Buffer.from(payload).toString("base64") });
      }
    },
    purge: ({ channel, before }) => operator.purge(channel, before),
    delete: ({ channel }) => operator.delete(channel, newEpoch()),
    reset: ({ position, ...name }) => operator.reset(name, position),
    pause: (name) => operator.pause(name),
    resume: (name) => operator.resume(name),
    setAside: (name) => Promise.resolve(operator.setAside(name)),
    giveBack: ({ which, ...name }) => operator.giveBack(name, which),
    drop: ({ which, ...name }) => operator.drop(name, which),
    forget: (name) => operator.deleteConsumer(name),
    verify: () => verify(folder, progress),
    backup: ({ file }) => backUp(folder, file, progress),
  };
}

/** Does the operation `name`. */
export function operate(call: StoreCall, name: string, args: unknown): Promise<unknown> {
  const operations = operationsOf(call);
  if (!Object.hasOwn(operations, name)) {
    throw new ParleyError("bad_argument", `${name} is not an operation of this server's store`);
  }
  return operations[name as keyof StoreOperations](args as never);
}
