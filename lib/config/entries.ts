/**
 * Parses a list of objects in the file: each has keys of its own, which are options too.
 *
 * @module
 */

import {
  defaultOf,
  describeAllowed,
  describeInvalid,
  describeValue,
  type Options,
  parseValue,
  type Value,
} from "./option.ts";
import { nearest, type RawValue, type Report } from "./sources.ts";

/** An entry as parsed, by key. */
export type Entry = { readonly [key: string]: Value | Value[] | undefined };

/** Parses the entries of `from`; undefined, with each problem reported, if one of them is not as `keys` say. */
export function parseEntries(
  keys: Options,
  { name, raw, label, origins = [] }: RawValue,
  report: Report,
): Entry[] | undefined {
  if (!Array.isArray(raw)) {
    report(`${label} must be an array of objects, not ${describeValue(raw)}`, name);
    return undefined;
  }
  const entries = raw.map((entry, at) => {
    const where = origins[at] === undefined ? label : `${origins[at]}: ${JSON.stringify(name)}`;
    return parseEntry(keys, entry, `${where}[${at}]`, (text) => report(text, name));
  });
  return entries.includes(undefined) ? undefined : entries as Entry[];
}

function parseEntry(
  keys: Options,
  raw: unknown,
  label: string,
  report: (text: string) => void,
): Entry | undefined {
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) {
    report(`${label} must be an object, not ${describeValue(raw)}`);
    return undefined;
  }
  const names = Object.keys(keys);
  const entry: Record<string, Value | Value[] | undefined> = {};
  let isValid = true;
  const problem = (text: string) => {
    isValid = false;
    report(`${label}${text}`);
  };
  for (const [key, value] of Object.entries(raw)) {
    if (!Object.hasOwn(keys, key)) {
      const guess = nearest(key, names);
      const hint = guess === undefined ? `the keys are ${names.join(", ")}` : `did you mean ${guess}?`;
      problem(` has no key ${JSON.stringify(key)}; ${hint}`);
      continue;
    }
    entry[key] = parseValue(keys[key], value);
    if (entry[key] === undefined) problem(describeInvalid(keys[key], value, `.${key}`));
  }
  for (const [key, option] of Object.entries(keys)) {
    if (Object.hasOwn(raw, key)) continue;
    if (option.required) problem(` lacks ${JSON.stringify(key)}, which must be ${describeAllowed(option)}`);
    entry[key] = defaultOf(option, false);
  }
  return isValid ? entry : undefined;
}
