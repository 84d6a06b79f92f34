/**
 * The part of `@std/text` that Parley uses; see its documentation for each function.
 *
 * @module
 */

/** The one of `possibleWords` nearest to `givenWord`, in any case of letters. Throws TypeError where there is none. */
export function closestString(givenWord: string, possibleWords: ReadonlyArray<string>): string;

/** How many letters to insert, remove or replace to make `str1` into `str2`. */
export function levenshteinDistance(str1: string, str2: string): number;

/** `log-level` as `logLevel`. */
export function toCamelCase(input: string): string;
