/**
 * What the tests of tokens, keys and certificates share: a clock that stands, and a server's token desk in memory.
 *
 * @module
 */

import { fail } from "@std/assert";
import { Keys } from "../../lib/auth/keys.ts";
import type { Rejection } from "../../lib/auth/rejections.ts";
import { Registry } from "../../lib/auth/registry.ts";
import { MemoryStorage, type Storage } from "../../lib/state/storage.ts";
import { type Identity, type TokenRequest, Tokens, type Verdict } from "../../lib/auth/tokens.ts";

/** A moment to count from. */
export const START = Date.UTC(2030, 0, 1);

export const DAY_SECONDS = 86_400;

/** A clock that moves only when told. */
export class Clock {
  ms = START;
  readonly now = (): number => this.ms;

  advance(seconds: number): void {
    this.ms += seconds * 1000;
  }
}

/** All parts of one process that uses `storage`; several of them are several processes. */
export function process(storage: Storage = new MemoryStorage(), clock: Clock = new Clock()) {
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

export function admitted(verdict: Verdict): Identity {
  return "identity" in verdict ? verdict.identity : fail(`refused: ${verdict.rejection.detail}`);
}

export function refused(verdict: Verdict): Rejection {
  return "rejection" in verdict ? verdict.rejection : fail(`let ${verdict.identity.name} in`);
}

/** Options of a test that needs real files, skipped where those are not allowed. */
export const FILES_IGNORED: boolean = !(await isGranted("read") && await isGranted("write"));

export async function isGranted(name: "read" | "write" | "run"): Promise<boolean> {
  return (await Deno.permissions.query({ name })).state === "granted";
}

/** A folder for one test. */
export function makeFolder() {
  const path = Deno.makeTempDirSync({ prefix: "parley-auth-" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}
