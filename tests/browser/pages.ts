/**
 * A server of files for pages that are not Parley's own, as any web server is one.
 *
 * @module
 */

import { ROOT } from "../harness/program.ts";

const TYPES: Record<string, string> = { html: "text/html", js: "text/javascript", css: "text/css" };

/** Serves the files of a folder of the checkout, and `pages`: HTML by path. */
export class Pages implements AsyncDisposable {
  readonly #folder: string;
  readonly #pages: Record<string, string>;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(folder: string, pages: Record<string, string> = {}) {
    this.#folder = folder;
    this.#pages = pages;
    const listening = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    this.#server = Deno.serve(listening, (request) => this.answer(request));
  }

  /** The origin of the pages: `http://127.0.0.1:8000`. */
  get origin(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  /** Answers a request. */
  async answer({ url }: Request): Promise<Response> {
    const path = new URL(url).pathname;
    if (path === "/favicon.ico") return new Response(null, { status: 204 });
    const page = this.#pages[path];
    const name = path.endsWith("/") ? `${path}index.html` : path;
    const type = page !== undefined ? TYPES.html : TYPES[name.replace(/^.*\./, "")];
    const headers = { "content-type": `${type}; charset=utf-8` };
    if (page !== undefined) return new Response(page, { headers });
    const body = await Deno.readFile(`${ROOT}${this.#folder}${name}`).catch(() => undefined);
    return body === undefined ? new Response(null, { status: 404 }) : new Response(body, { headers });
  }
}
