/**
 * The shapes of JSON values that cross the wire, and what is wrong with a value that does not have its shape.
 *
 * Small on purpose: a browser loads it. Everything else in Parley checks JSON with valibot.
 *
 * @module
 */

/** Reads a value; `path` names it in an error. Throws a {@linkcode ShapeProblem} if it does not have the shape. */
export type Shape<T> = (value: unknown, path: string) => T;

/** What is wrong with a value. Not an error, because it is always caught, and a stack would only cost. */
export class ShapeProblem {
  /** `lacks "name"`, or `"name" must be a string, got null`. Never the value: it may be a token. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What a value is, as an error says it. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** What is wrong with a value, if anything is. */
export function problemOf(shape: Shape<unknown>, value: unknown): string | undefined {
  const read = readShape(shape, value);
  return "problem" in read ? read.problem : undefined;
}

/** Reads a value, or says what is wrong with it. */
export function readShape<T>(
  shape: Shape<T>,
  value: unknown,
): { readonly value: T } | { readonly problem: string } {
  try {
    return { value: shape(value, "") };
  } catch (problem) {
    if (problem instanceof ShapeProblem) return { problem: problem.text };
    throw problem;
  }
}

/** Throws that a value has another type than it must have. */
export function wrongType(path: string, expected: string, value: unknown): never {
  const isMissing = value === undefined;
  throw new ShapeProblem(isMissing ? `lacks "${path}"` : `"${path}" ${expected}, got ${kindOf(value)}`);
}

/** A string. `problemOf` says what else is wrong with it. */
export function text(problemOf?: (text: string) => string | undefined): Shape<string> {
  return (value, path) => {
    if (typeof value !== "string") wrongType(path, "must be a string", value);
    const problem = problemOf?.(value);
    if (problem !== undefined) throw new ShapeProblem(`"${path}": ${problem}`);
    return value;
  };
}

/** A string that `pattern` matches; `expected` says what that is. */
export function matching(pattern: RegExp, expected: string): Shape<string> {
  return text((text) => pattern.test(text) ? undefined : expected);
}

/** A number. */
export function number(isRight: (value: number) => boolean, expected: string): Shape<number> {
  return (value, path) => {
    if (typeof value !== "number") wrongType(path, "must be a number", value);
    if (!isRight(value)) throw new ShapeProblem(`"${path}": must be ${expected}, not ${value}`);
    return value;
  };
}

/** A whole number. */
export function whole(least: number, most: number = Infinity): Shape<number> {
  const expected = `a whole number ${
    most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`
  }`;
  return number((value) => Number.isInteger(value) && value >= least && value <= most, expected);
}

/** True or false. */
export function flag(value: unknown, path: string): boolean {
  return typeof value === "boolean" ? value : wrongType(path, "must be a boolean", value);
}

/** What may be missing. */
export function optional<T>(shape: Shape<T>): Shape<T | undefined>;
/** What may be missing, and is `otherwise` then. */
export function optional<T>(shape: Shape<T>, otherwise: T): Shape<T>;
/** Both. */
export function optional<T>(shape: Shape<T>, otherwise?: T): Shape<T | undefined> {
  return (value, path) => value === undefined ? otherwise : shape(value, path);
}

/** A list. */
export function list<T>(shape: Shape<T>): Shape<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) wrongType(path, "must be an array", value);
    return value.map((each, index) => shape(each, `${path}.${index}`));
  };
}

/** An object with these keys. Others are ignored, and are not in what it is read as; nor is what is missing. */
export function object<T extends object>(shapes: { readonly [K in keyof T]-?: Shape<T[K]> }): Shape<T> {
  return (value, path) => {
    if (typeof value !== "object" || value === null) wrongType(path, "must be an object", value);
    const result: Partial<T> = {};
    for (const key in shapes) {
      const own = Object.hasOwn(value, key) ? (value as T)[key] : undefined;
      const read = shapes[key](own, path === "" ? key : `${path}.${key}`);
      if (read !== undefined) result[key] = read;
    }
    return result as T;
  };
}
