/**
 * Epochs of stored channels.
 *
 * @module
 */

/** The name of a series of sequences that begins now. */
export function newEpoch(): string {
  return crypto.randomUUID().slice(0, 8);
}
