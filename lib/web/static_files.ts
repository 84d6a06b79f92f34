/**
 * The files of the dashboard, which are in `lib/web/static/`. They need no token: there is nothing of the server in them.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { Exchange, Route } from "./exchange.ts";
import { HttpProblem } from "./problem.ts";

/** Path, file and type of each. */
const FILES: readonly (readonly [path: string, file: string, type: string])[] = [
  ["/", "index.html", "text/html; charset=utf-8"],
  ["/app.js", "app.js", "text/javascript; charset=utf-8"],
  ["/app.css", "app.css", "text/css; charset=utf-8"],
  ["/licenses.txt", "licenses.txt", "text/plain; charset=utf-8"],
];

/** What is sent of a file. */
interface Content {
  readonly bytes: Uint8Array;
  readonly zipped: Uint8Array;
  /** Changes with the content. */
  readonly tag: string;
}

/** The routes. A file is read when it is first asked for, and kept: they change with the program only. */
export function staticRoutes(): Route[] {
  return FILES.map(([path, file, type]) => {
    let content: Promise<Content> | undefined;
    const handler = async (exchange: Exchange) => send(exchange, type, await (content ??= load(path, file)));
    return { method: "GET", path, access: "page", handler };
  });
}

async function load(path: string, file: string): Promise<Content> {
  const bytes = await read(new URL(`./static/${file}`, import.meta.url)).catch(() => {
    throw new HttpProblem(404, { code: "not_found", detail: `this server has no ${path}` });
  });
  const digest = createHash("sha256").update(bytes).digest("hex");
  return { bytes, zipped: gzipSync(bytes), tag: digest.slice(0, 32) };
}

/** The library may have been imported from a registry, whose files are not on this machine. */
async function read(url: URL): Promise<Uint8Array> {
  if (url.protocol === "file:") return await Deno.readFile(url);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

function send({ request, response }: Exchange, type: string, { bytes, zipped, tag }: Content): void {
  const isZipped = /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""));
  const body = isZipped ? zipped : bytes;
  const etag = `"${tag}${isZipped ? "-gzip" : ""}"`;
  response.setHeader("etag", etag);
  response.appendHeader("vary", "accept-encoding");
  response.setHeader("cache-control", "no-cache"); // kept, and asked for again: a new version shows at once
  if ((request.headers["if-none-match"] ?? "").split(/, */).includes(etag)) {
    response.writeHead(304).end();
    return;
  }
  if (isZipped) response.setHeader("content-encoding", "gzip");
  response.writeHead(200, { "content-type": type, "content-length": body.length });
  response.end(body);
}
