/**
 * Errors over HTTP, as `application/problem+json` (RFC 9457).
 *
 * @module
 */

import type { ServerResponse } from "node:http";

/** What a problem says beside its status. */
export interface ProblemDetails {
  /** A code of the protocol or of the web server, for programs. */
  readonly code: string;
  /** What was expected, what came, and what to do, for people. */
  readonly detail: string;
  /** Headers of the response. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the connection ends with the response, because what is left of the request will not be read. */
  readonly closes?: boolean;
  /** Further members of the body. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** A reason why a request is not answered as it was meant. Handlers throw it. */
export class HttpProblem extends Error {
  override readonly name = "HttpProblem";
  /** The status of the response. */
  readonly status: number;
  /** See {@linkcode ProblemDetails}. */
  readonly details: ProblemDetails;

  constructor(status: number, details: ProblemDetails) {
    super(details.detail);
    this.status = status;
    this.details = details;
  }
}

/** The titles of the statuses that Parley answers with. */
const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  426: "Upgrade Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  507: "Insufficient Storage",
};

/** The title of a status. */
export function titleOf(status: number): string {
  return TITLES[status] ?? "Error";
}

/**
 * The body of a problem.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { problemBody } from "./problem.ts";
 *
 * assertEquals(JSON.parse(problemBody(404, { code: "not_found", detail: "there is no /x" })), {
 *   type: "about:blank",
 *   title: "Not Found",
 *   status: 404,
 *   detail: "there is no /x",
 *   code: "not_found",
 * });
 * ```
 */
export function problemBody(status: number, { code, detail, members }: ProblemDetails): string {
  const problem = { type: "about:blank", title: titleOf(status), status, detail, code, ...members };
  return `${JSON.stringify(problem)}\n`;
}

/** Answers a request with a problem. If a part of the response is sent already, the connection ends instead. */
export function sendProblem(response: ServerResponse, status: number, details: ProblemDetails): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = problemBody(status, details);
  for (const [name, value] of Object.entries(details.headers ?? {})) response.setHeader(name, value);
  if (details.closes) response.setHeader("connection", "close");
  response.writeHead(status, titleOf(status), {
    "content-type": "application/problem+json",
    "content-length": new TextEncoder().encode(body).length,
    "cache-control": "no-store",
  });
  response.end(body);
}
