/**
 * Shared by the tests of tokens, keys, certificates and state: a clock under the test's control, and the parts of a
 * process that uses tokens.
 *
 * @module
 */

import { fail } from "@std/assert";
import { Keys } from "../../lib/auth/keys.ts";
import type { Rejection } from "../../lib/auth/rejections.ts";
import { Registry } from "../../lib/auth/registry.ts";
import { MemoryStorage, type Storage } from "../../lib/state/storage.ts";
import { type Decision, type Identity, type TokenRequest, Tokens } from "../../lib/auth/tokens.ts";

/** The time at which every {@linkcode Clock} begins, in milliseconds since 1970. */
export const START = Date.UTC(2030, 0, 1);

export const DAY_SECONDS = 86_400;

/** A clock that moves only when a test advances it. */
export class Clock {
  ms = START;
  readonly now = (): number => this.ms;

  advance(seconds: number): void {
    this.ms += seconds * 1000;
  }
}

/** The parts of one process that uses `storage`. Call it again for another process. */
export function makeProcess(storage: Storage = new MemoryStorage(), clock: Clock = new Clock()) {
  const keys = new Keys(storage, clock.now);
  const registry = new Registry(storage, clock.now);
  const tokens = new Tokens({ keys, registry, now: clock.now, uuid: () => crypto.randomUUID() });
  return { storage, clock, keys, registry, tokens };
}

export const ADA: TokenRequest = {
  name: "Ada",
  publish: ["chat.>"],
  subscribe: ["chat.>"],
  respond: ["service.>"],
  direct: false,
  expiresInSeconds: 3600,
};

/** Returns the identity, or fails the test. */
export function accepted(decision: Decision): Identity {
  return "accepted" in decision ? decision.accepted : fail(`rejected: ${decision.rejected.detail}`);
}

/** Returns the rejection, or fails the test. */
export function rejected(decision: Decision): Rejection {
  return "rejected" in decision ? decision.rejected : fail(`accepted ${decision.accepted.name}`);
}
