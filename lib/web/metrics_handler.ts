/**
 * The route `/metrics`: asks `$stats` with the token of the request, and answers in Prometheus' text format.
 *
 * @module
 */

import type { Client } from "../client/api.ts";
import { ApplicationError, isErrorCode, ParleyError } from "../errors.ts";
import type { ChannelList, ServerStats, StatsRequests } from "../wire/stats.ts";
import type { Exchange } from "./exchange.ts";
import { METRIC_CHANNELS, METRIC_CONSUMERS } from "./metric_row.ts";
import { Metrics, METRICS_TYPE } from "./metrics.ts";

/** How long the server may take to tell of itself, in milliseconds: Prometheus waits for 10 s. */
const ASK_MS = 5_000;

/** Answers scrapes. One for each server. */
export class MetricsHandler {
  readonly #certificateExpires: () => Date | undefined;
  readonly #metrics = new Metrics();

  /** `certificateExpires` says when the certificate in use is no longer valid; undefined without TLS. */
  constructor(certificateExpires: () => Date | undefined) {
    this.#certificateExpires = certificateExpires;
  }

  /**
   * Answers `exchange`; `client` is that of the one who asks.
   *
   * @throws {ParleyError} `forbidden` if it may not look at the server
   */
  async answer({ response, request }: Exchange, client: Pick<Client, "request">): Promise<void> {
    const ask = async <C extends keyof StatsRequests>(channel: C, json: StatsRequests[C]["ask"]) => {
      const reply = await client.request(channel, { json }, { timeoutMs: ASK_MS }).catch(asServerError);
      return reply.json<StatsRequests[C]["reply"]>();
    };
    const [server, { channels }]: [ServerStats, ChannelList] = await Promise.all([
      ask("$stats.now", {}),
      ask("$stats.channels", { sort: "messagesIn", limit: METRIC_CHANNELS }),
    ]);
    const hasConsumers = server.store !== undefined && server.store.consumers > 0;
    const stored = hasConsumers
      ? (await ask("$stats.channels", { sort: "lag", limit: METRIC_CONSUMERS })).channels
      : [];
    const certificateExpires = this.#certificateExpires();
    const text = this.#metrics.render({ server, channels, stored, certificateExpires });
    const body = new TextEncoder().encode(text);
    response.writeHead(200, {
      "content-type": METRICS_TYPE,
      "content-length": body.length,
      "cache-control": "no-store",
    });
    response.end(request.method === "HEAD" ? undefined : body);
  }
}

/** The server answers as an application does, but its codes are those of the protocol. */
function asServerError(error: unknown): never {
  if (!(error instanceof ApplicationError) || !isErrorCode(error.code)) throw error;
  throw new ParleyError(error.code, error.message, { cause: error });
}
