/**
 * The routes for curl and webhooks: publish, request, subscribe and read what is stored, each with plain HTTP.
 *
 * @module
 */

import type { Socket } from "../../net/socket.ts";
import { memorySocketPair } from "../../net/memory_socket.ts";
import type { Exchange, Handler, Route, WebServices } from "../exchange.ts";
import { MetricsHandler } from "../metrics_handler.ts";
import { Clients } from "./clients.ts";
import type { GatewayContext } from "./context.ts";
import { openapi } from "./openapi.ts";
import { problemFor } from "./problems.ts";
import { publish } from "./publish.ts";
import { request } from "./request.ts";
import { storedMessages } from "./stored_messages.ts";
import { subscribe } from "./subscribe.ts";

/** Answers one kind of request. */
type GatewayHandler = (exchange: Exchange, context: GatewayContext) => Promise<void>;

/** The rows of the table of routes, and what they share. */
export function gatewayRoutes(services: WebServices): readonly Route[] {
  const { limits, draining } = services;
  const clients = new Clients((address) => dial(services, address), () => performance.now());
  services.whenClosed(() => clients.close());
  const context = { clients, stored: () => services.stored(), limits, draining };
  const route = (method: Route["method"], path: string, handler: GatewayHandler): Route => (
    { method, path, handler: answering(handler, context), access: "token" }
  );
  const metrics = new MetricsHandler(() => services.certificateExpires());
  const scrape: GatewayHandler = (exchange) => {
    return clients.use(exchange, (client) => metrics.answer(exchange, client));
  };
  return [
    route("POST", "/publish/*", publish),
    route("POST", "/request/*", request),
    route("GET", "/subscribe/*", subscribe),
    route("GET", "/channels/*", storedMessages),
    route("GET", "/metrics", scrape),
    { method: "GET", path: "/openapi.json", handler: openapi, access: "public" },
  ];
}

/** Gives the server a connection from `address`, and returns the other end of it. */
function dial(services: WebServices, address: string): Socket {
  const [theirs, ours] = memorySocketPair();
  services.accept({ socket: theirs, address, port: 0, transport: "http" });
  return ours;
}

function answering(handler: GatewayHandler, context: GatewayContext): Handler {
  return async (exchange) => {
    try {
      await handler(exchange, context);
    } catch (error) {
      throw problemFor(error);
    }
  };
}
