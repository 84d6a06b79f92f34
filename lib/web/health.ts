/**
 * `/health/live` and `/health/ready`, for systemd, Docker, Kubernetes and load balancers.
 *
 * @module
 */

import type { Exchange, Route, WebServices } from "./exchange.ts";

/** The routes. They need no token, and say nothing that is worth one. */
export function healthRoutes(services: WebServices): Route[] {
  return [
    {
      method: "GET",
      path: "/health/live",
      access: "public",
      handler: ({ response }) => sendJson(response, 200, { status: "live" }),
    },
    {
      method: "GET",
      path: "/health/ready",
      access: "public",
      handler: ({ response }) => {
        const readiness = services.readiness();
        return sendJson(response, readiness.status === "ready" ? 200 : 503, readiness);
      },
    },
  ];
}

function sendJson(response: Exchange["response"], status: number, value: unknown): Promise<void> {
  const body = `${JSON.stringify(value)}\n`;
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": body.length,
    "cache-control": "no-store",
  });
  response.end(body);
  return Promise.resolve();
}
