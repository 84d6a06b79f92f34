/**
 * Counts the work of a server: every access to a collection and to an outbox, and every frame that causes it.
 *
 * The methods of the built-in collections are replaced while an instrumentation exists, so the count does not depend on
 * how the broker is written: whatever it visits, it visits through them.
 *
 * @module
 */

import { Session } from "../../../lib/broker/session.ts";
import { Outbox } from "../../../lib/net/outbox.ts";

// deno-lint-ignore no-explicit-any
type Method = (this: any, ...args: any[]) => any;

const MapIterator = Object.getPrototypeOf(new Map().entries());
const SetIterator = Object.getPrototypeOf(new Set().values());

/** Replaces methods until it is disposed. Only one may exist at a time. */
export class Instrumentation implements Disposable {
  /** Accesses to collections and outboxes since the last `start`, by method. */
  readonly #work = new Array<number>();
  readonly #names: string[] = [];
  /** Frames that sessions took or refused since the last `start`. */
  frames = 0;
  /** How many sessions were receiving at the same time, one from within the other; at most 1 in a correct server. */
  maxReceiveDepth = 0;
  #isOn = false;
  #receiveDepth = 0;
  readonly #undo: (() => void)[] = [];

  constructor() {
    const one = () => 1;
    for (const name of ["get", "has", "set", "delete"]) this.#count(Map.prototype, name, one);
    for (const name of ["has", "add", "delete"]) this.#count(Set.prototype, name, one);
    this.#count(Map.prototype, "forEach", (map) => map.size);
    this.#count(Set.prototype, "forEach", (set) => set.size);
    this.#count(Array.prototype, "includes", (array) => array.length);
    this.#count(MapIterator, "next", one);
    this.#count(SetIterator, "next", one);
    for (const name of ["hasRoom", "whenRoom", "send"]) this.#count(Outbox.prototype, name, one);
    this.#replace(Session.prototype, "run", (original, session, args) => {
      const [, from, , count] = args;
      const taken = original.apply(session, args);
      this.frames += taken > from ? count : 1;
      return taken;
    });
    this.#replace(Session.prototype, "frame", (original, session, args) => {
      this.frames++;
      return original.apply(session, args);
    });
    this.#replace(Session.prototype, "receive", (original, session, args) => {
      this.maxReceiveDepth = Math.max(this.maxReceiveDepth, ++this.#receiveDepth);
      try {
        return original.apply(session, args);
      } finally {
        this.#receiveDepth--;
      }
    });
  }

  /** Accesses to collections and outboxes since the last `start`. */
  get work(): number {
    return this.#work.reduce((sum, count) => sum + count, 0);
  }

  /** The methods that account for most of the work. */
  get mostWork(): string {
    return this.#names.map((name, index) => ({ name, count: this.#work[index] }))
      .sort((one, other) => other.count - one.count).slice(0, 3)
      .map(({ name, count }) => `${name} ${count}`).join(", ");
  }

  /** Begins to count from 0. */
  start(): void {
    this.#work.fill(0);
    this.frames = this.maxReceiveDepth = 0;
    this.#isOn = true;
  }

  /** Stops counting. */
  stop(): void {
    this.#isOn = false;
  }

  [Symbol.dispose](): void {
    for (const undo of this.#undo) undo();
  }

  /** Adds `units` of each call to the work. */
  // deno-lint-ignore no-explicit-any
  #count(prototype: any, name: string, units: (self: any) => number): void {
    const original: Method = prototype[name];
    const index = this.#names.push(`${prototype[Symbol.toStringTag] ?? prototype.constructor.name}.${name}`) -
      1;
    this.#work.push(0);
    const count = (self: unknown) => {
      if (this.#isOn) this.#work[index] += units(self);
    };
    this.#set(prototype, name, function (...args) {
      count(this);
      return original.apply(this, args);
    });
  }

  #replace(
    // deno-lint-ignore no-explicit-any
    prototype: any,
    name: string,
    // deno-lint-ignore no-explicit-any
    call: (original: Method, self: unknown, args: any[]) => unknown,
  ): void {
    const original: Method = prototype[name];
    this.#set(prototype, name, function (...args) {
      return call(original, this, args);
    });
  }

  // deno-lint-ignore no-explicit-any
  #set(prototype: any, name: string, method: Method): void {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, name)!;
    Object.defineProperty(prototype, name, { ...descriptor, value: method });
    this.#undo.push(() => Object.defineProperty(prototype, name, descriptor));
  }
}
