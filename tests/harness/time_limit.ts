/**
 * Gives every test a time limit, so that one that hangs fails by name instead of holding up all others. Loaded with
 * `deno test --preload`; a test that needs longer says so with `timeout`.
 *
 * @module
 */

/** In milliseconds. Many times what the slowest test takes, because the machine may be busy. */
const TIME_LIMIT_MS = 180_000;

const test = Deno.test;

function limited(...args: unknown[]): void {
  const options = args.findIndex((arg) => typeof arg === "object");
  if (options >= 0) args[options] = { timeout: TIME_LIMIT_MS, ...args[options] as Deno.TestDefinition };
  else args.splice(-1, 0, { timeout: TIME_LIMIT_MS });
  Reflect.apply(test, Deno, args);
}

Object.assign(Deno, { test: Object.assign(limited, test) });
