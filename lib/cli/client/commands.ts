/**
 * The commands of `parley`, in the order in which help lists them; the first is the one without a name.
 *
 * @module
 */

import type { Command } from "./command.ts";
import { CHAT } from "./commands/chat.ts";
import { PING } from "./commands/ping.ts";
import { PUBLISH } from "./commands/publish.ts";
import { REQUEST } from "./commands/request.ts";
import { RESPOND } from "./commands/respond.ts";
import { SUBSCRIBE } from "./commands/subscribe.ts";

/** All of them. */
export const COMMANDS: readonly Command[] = [CHAT, PUBLISH, SUBSCRIBE, REQUEST, RESPOND, PING];
