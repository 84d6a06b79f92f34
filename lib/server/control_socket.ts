/**
 * The socket in the folder of a store by which `parley-server store` reaches the server that has the store open.
 *
 * It is a Unix socket that only the server's user can open, because its folder has mode 0700. One connection is one
 * operation: a line of JSON with its name and arguments goes there; lines with progress, with items, and at last with the
 * result or an error come back.
 *
 * @module
 */

import { connect, createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { ParleyError } from "../errors.ts";
import { failure, type Log } from "../logging/log.ts";
import { operate, type StoreCall } from "./store_operations.ts";

/** The name of the socket in the folder of the store. */
const CONTROL_SOCKET = "control.sock";

/** An operation, as it is asked for. */
interface Question {
  readonly operation: string;
  readonly args: unknown;
}

/** A line of an answer. */
type Answer =
  | { readonly progress: readonly [done: number, total: number] }
  | { readonly item: unknown }
  | { readonly result: unknown }
  | { readonly error: { readonly code: ParleyError["code"]; readonly message: string } };

/** What a command does with what comes before the result. */
export type StoreEvents = Pick<StoreCall, "progress" | "item">;

/** Answers the operations of commands, until it is closed. */
export class ControlSocket {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #path: string;

  /** Listens in the folder of the store, whose lock this process has. */
  constructor(store: Omit<StoreCall, "progress" | "item">, log: Log) {
    this.#path = `${store.folder}/${CONTROL_SOCKET}`;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("error", () => socket.destroy()); // the command is gone
      answer(socket, store).catch((error) => log.warn("a store command failed", failure(error)));
    });
    // Without it the commands say that the store is in use; everything else works.
    this.#server.on("error", (error) => log.warn("no store commands while the server runs", failure(error)));
    removeIfThere(this.#path); // left by a process that was killed
    this.#server.listen(this.#path);
  }

  /** Ends it. Commands under way fail. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    removeIfThere(this.#path);
  }
}

/** Does the operation that the other end asks for. */
async function answer(socket: Socket, store: Omit<StoreCall, "progress" | "item">): Promise<void> {
  const send = (line: Answer) =>
    new Promise<void>((resolve) => void socket.write(`${JSON.stringify(line)}\n`, () => resolve()));
  try {
    for await (const line of createInterface({ input: socket })) {
      const { operation, args } = JSON.parse(line) as Question;
      const call = {
        ...store,
        progress: (done: number, total: number) => void send({ progress: [done, total] }),
        item: (item: unknown) => send({ item }),
      };
      await send({ result: await operate(call, operation, args) ?? null });
      break;
    }
  } catch (error) {
    const code = error instanceof ParleyError ? error.code : "internal";
    await send({ error: { code, message: error instanceof Error ? error.message : String(error) } });
  } finally {
    socket.end();
  }
}

/**
 * Has the server that has the store in `folder` open do an operation.
 *
 * @returns its result, or `undefined` if no server has it open
 * @throws {ParleyError} what the operation threw; `disconnected` if the server ended meanwhile
 */
export async function askServer(
  folder: string,
  operation: string,
  args: unknown,
  { progress, item }: StoreEvents,
): Promise<{ readonly result: unknown } | undefined> {
  const socket = await open(`${folder}/${CONTROL_SOCKET}`);
  if (socket === undefined) return undefined;
  try {
    socket.write(`${JSON.stringify({ operation, args })}\n`);
    for await (const line of createInterface({ input: socket })) {
      const answer = JSON.parse(line) as Answer;
      if ("result" in answer) return answer;
      if ("error" in answer) throw new ParleyError(answer.error.code, answer.error.message);
      if ("progress" in answer) progress(...answer.progress);
      else await item(answer.item);
    }
    throw new ParleyError("disconnected", "the server ended before it had answered");
  } finally {
    socket.destroy();
  }
}

/** Connects to the socket at `path`, if a server listens there. */
function open(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(socket));
    socket.once("error", () => resolve(undefined));
  });
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
