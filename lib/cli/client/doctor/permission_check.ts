/**
 * Checks what a session may do on a channel, without sending a message and without answering a request.
 *
 * @module
 */

import { Grants } from "../../../auth/grants.ts";
import type { ReconnectingClient } from "../../../client/client.ts";
import { Wait } from "../../../client/waiting.ts";
import { ParleyError } from "../../../errors.ts";
import { isPattern } from "../../../wire/names.ts";
import type { TokenDetails } from "./token_details.ts";

/** What may be done on a channel. */
export interface PermissionResult {
  readonly status: "ok" | "warn";
  readonly text: string;
  readonly details: object;
}

/**
 * Opens `channel` for publishing, and subscribes for a moment. Responding is read from the token, because a session
 * that tried it could be sent a request.
 *
 * @returns the error if nothing may be done, or the channel's name is wrong
 */
export async function checkPermission(
  client: ReconnectingClient,
  channel: string,
  token: TokenDetails | undefined,
  timeoutMs: number,
): Promise<PermissionResult | ParleyError> {
  try {
    const subscription = await client.subscribe(channel, { timeoutMs }).catch(orForbidden);
    await subscription?.end();
    const publish = isPattern(channel)
      ? undefined
      : await mayPublish(client, channel, timeoutMs).catch(orForbidden) ?? false;
    const respond = token && new Grants(token.grants).mayRespond(channel);
    const rights = { publish, subscribe: subscription !== undefined, respond };
    const checked = Object.entries(rights).filter(([, may]) => may !== undefined);
    const may = checked.filter(([, may]) => may).map(([right]) => right);
    const mayNot = checked.filter(([, may]) => !may).map(([right]) => right);
    if (may.length === 0) {
      const grants = checked.map(([right]) => `--${right} ${channel}`).join(" ");
      const text = `not permitted to ${
        listOf(mayNot, "or")
      } on ${channel}; ask for a token with what you need of ${grants}`;
      return new ParleyError("forbidden", text);
    }
    const text = `on ${channel} may ${listOf(may, "and")}` +
      (mayNot.length > 0 ? `, may not ${listOf(mayNot, "or")}` : "");
    return { status: mayNot.length > 0 ? "warn" : "ok", text, details: { channel, ...rights } };
  } catch (error) {
    if (error instanceof ParleyError) return error;
    throw error;
  }
}

/** Whether the session may publish on a channel, as the server says when it opens it. */
async function mayPublish(client: ReconnectingClient, name: string, timeoutMs: number): Promise<boolean> {
  const wait = new Wait("opening a channel", { timeoutMs });
  const channel = (await client.session(wait)).openToSend(name);
  await wait.for(channel.ready);
  return channel.mayPublish;
}

function orForbidden(error: unknown): undefined {
  if (error instanceof ParleyError && error.code === "forbidden") return undefined;
  throw error;
}

function listOf(words: readonly string[], conjunction: string): string {
  return [words.slice(0, -1).join(", "), words.at(-1)].filter((part) => part !== "").join(` ${conjunction} `);
}
