/**
 * The names of producers and consumers, which belong to the subject of a token: two subjects never share one.
 *
 * @module
 */

/** A producer or consumer: its name, and the subject whose own it is; empty without tokens. */
export interface Named {
  readonly name: string;
  readonly subject: string;
}

/** Both as one text, as logs keep it. A name has no `/`; a subject may. */
export function keyOf({ name, subject }: Named): string {
  return `${subject}/${name}`;
}

/** The opposite of {@linkcode keyOf}. */
export function namedBy(key: string): Named {
  const at = key.lastIndexOf("/");
  return { name: key.slice(at + 1), subject: key.slice(0, at) };
}
