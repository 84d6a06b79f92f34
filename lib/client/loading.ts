/**
 * Parts of the client that are loaded when they are first used: what is stored, requests, and what explains a fault. A page
 * that publishes and subscribes loads none of them.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";

/**
 * The part that `loading` imports.
 *
 * @throws {ParleyError} `unreachable`
 */
export async function loaded<T>(loading: Promise<T>): Promise<T> {
  try {
    return await loading;
  } catch (cause) {
    const text = `cannot load a part of the client: ${cause}; serve all its files together`;
    throw new ParleyError("unreachable", text, { cause });
  }
}
