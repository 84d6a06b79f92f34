/**
 * Checks of a program's arguments, made before they cost a round trip.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { channelProblem, isPattern } from "../wire/names.ts";
import type { OpenOptions } from "./api.ts";

/** @throws {ParleyError} `bad_channel` unless `name` names a channel or a pattern */
export function checkNameOrPattern(name: string): void {
  const problem = channelProblem(name);
  if (problem !== undefined) throw new ParleyError("bad_channel", problem);
}

/** @throws {ParleyError} `bad_channel`, or `bad_argument` if the options contradict each other */
export function checkOpen(name: string, { subscribe = true, group, presence }: OpenOptions): void {
  checkNameOrPattern(name);
  if (isPattern(name) && !subscribe) {
    throw badArgument(`${name} is a pattern: it cannot be published on, so leave subscribe true`);
  }
  if (presence && (!subscribe || isPattern(name))) {
    throw badArgument("presence needs a channel's own name, and subscribe");
  }
  if (group !== undefined && !subscribe) {
    throw badArgument("a group shares the messages of a subscription; leave subscribe true");
  }
}

/** @throws {ParleyError} `bad_channel` unless `name` names one channel */
export function checkName(name: string): void {
  const problem = channelProblem(name) ??
    (isPattern(name) ? `${name} is a pattern; send requests to a channel by its own name` : undefined);
  if (problem !== undefined) throw new ParleyError("bad_channel", problem);
}

/** @throws {ParleyError} `bad_argument` unless `value` is above 0 */
export function checkPositive(what: string, value: number): void {
  if (!(value > 0)) throw badArgument(`${what} must be a number above 0, not ${value}`);
}

/** The error for an argument outside its range. */
export function badArgument(message: string): ParleyError {
  return new ParleyError("bad_argument", message);
}
