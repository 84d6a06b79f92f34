/**
 * Hides tokens in what is shown: those in a `"token"` of JSON, in a join link, in the form of a JWT, and given ones.
 *
 * @module
 */

/** Returns a text or bytes with each character of a secret replaced by `*`. The length stays the same. */
export interface Mask {
  /** Masks a text. */
  text(text: string): string;
  /** Masks bytes. Returns `bytes` itself if there is no secret in them. */
  bytes(bytes: Uint8Array): Uint8Array;
}

/** A JWT, the value of `"token"` in JSON (which may be cut short), and that of `token=` in a URL. */
const TOKENS = String.raw`eyJ[\w-]+\.[\w-]*(?:\.[\w-]*)?` +
  String.raw`|(?<="token"\s*:\s*")(?:[^"\\]|\\.)+` +
  String.raw`|(?<=[?&]token=)[^\s&"'#]+`;

/** A shorter secret is not searched for: it would hide too much else. */
const MIN_SECRET_LENGTH = 4;

const STAR = 0x2a;

/**
 * A mask for tokens of every form, and for `secrets`, which are known.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { makeMask } from "./masking.ts";
 *
 * const mask = makeMask("t0p-secret");
 * assertEquals(mask.text("parleys://hub?token=a.b.c"), "parleys://hub?token=*****");
 * assertEquals(mask.text("I am t0p-secret"), "I am **********");
 * ```
 */
export function makeMask(...secrets: readonly (string | undefined)[]): Mask {
  const known = secrets.filter((secret) => secret !== undefined && secret.length >= MIN_SECRET_LENGTH);
  const pattern = new RegExp([...known.map((secret) => RegExp.escape(secret!)), TOKENS].join("|"), "g");
  // One character for each byte, so that places in the text are places in the bytes.
  const decoder = new TextDecoder("latin1");
  return {
    text: (text) => text.replace(pattern, (secret) => "*".repeat(secret.length)),
    bytes: (bytes) => {
      let masked = bytes;
      for (const { index, 0: secret } of decoder.decode(bytes).matchAll(pattern)) {
        if (masked === bytes) masked = bytes.slice();
        masked.fill(STAR, index, index + secret.length);
      }
      return masked;
    },
  };
}
