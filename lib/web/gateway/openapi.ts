/**
 * `GET /openapi.json`: what the routes are, for programs.
 *
 * @module
 */

import description from "../openapi.json" with { type: "json" };
import type { Exchange } from "../exchange.ts";
import { sendJson } from "./content.ts";

/** The OpenAPI description of the web server's routes. */
export const OPENAPI: Readonly<Record<string, unknown>> = description;

/** Answers with the description. */
export function openapi({ response }: Exchange): Promise<void> {
  sendJson(response, `${JSON.stringify(OPENAPI)}\n`);
  return Promise.resolve();
}
