/**
 * Random numbers that can be repeated: a test that fails has printed its seed.
 *
 * @module
 */

/** A generator of random values; the same seed gives the same values in the same order. */
export interface Random {
  /** A whole number from 0 up to, but not including, `below`. */
  int(below: number): number;
  /** One of `choices`. */
  pick<T>(choices: readonly T[]): T;
  /** `length` random bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer>;
}

/** Makes a generator (mulberry32: 32 bits of state, plenty for tests). */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const int = (below: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 * below);
  };
  return {
    int,
    pick: (choices) => choices[int(choices.length)],
    bytes: (length) => Uint8Array.from({ length }, () => int(256)),
  };
}

/**
 * Chooses a seed and prints it: `PARLEY_SEED` if the environment has it and may be read, a new one otherwise. It never
 * asks for the permission, so a test that uses it runs without.
 */
export function seedFrom(): number {
  const mayRead = Deno.permissions.querySync({ name: "env", variable: "PARLEY_SEED" }).state === "granted";
  const given = mayRead ? Deno.env.get("PARLEY_SEED") : undefined;
  const seed = given === undefined ? crypto.getRandomValues(new Uint32Array(1))[0] : Number(given);
  if (!Number.isInteger(seed)) throw new TypeError(`PARLEY_SEED must be a whole number, got "${given}"`);
  console.log(`seed ${seed}; to repeat: PARLEY_SEED=${seed} deno test --allow-net --allow-env=PARLEY_SEED`);
  return seed;
}
