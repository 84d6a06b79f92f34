/**
 * Which request goes to which handler.
 *
 * @module
 */

import { gatewayRoutes } from "./gateway/gateway.ts";
import { healthRoutes } from "./health.ts";
import { staticRoutes } from "./static_files.ts";
import { webSocketRoute } from "./web_sockets.ts";
import type { Route, WebServices } from "./exchange.ts";
import { HttpProblem } from "./problem.ts";

/** The table, in the order in which it is searched. */
export function routesOf(services: WebServices): readonly Route[] {
  return [
    ...healthRoutes(services),
    ...gatewayRoutes(services),
    webSocketRoute(),
    ...staticRoutes(),
  ];
}

/**
 * Finds the route of a request.
 *
 * @throws {HttpProblem} 404 with what there is, 405 with what is allowed there
 */
export function findRoute(routes: readonly Route[], method: string, path: string): Route {
  const wanted = method === "HEAD" ? "GET" : method;
  const route = routes.find((route) => route.method === wanted && matches(route.path, path));
  if (route !== undefined) return route;
  const matching = routes.filter((route) => matches(route.path, path));
  if (matching.length === 0) {
    const paths = [...new Set(routes.filter(({ access }) => access !== "page").map(({ path }) => path))];
    throw new HttpProblem(404, {
      code: "not_found",
      detail: `there is no ${JSON.stringify(path.slice(0, 200))} here; there are ${paths.join(", ")}`,
    });
  }
  const methods = [...new Set(matching.map(({ method }) => method))];
  const allow = [...methods, ...(methods.includes("GET") ? ["HEAD"] : []), "OPTIONS"].join(", ");
  throw new HttpProblem(405, {
    code: "wrong_method",
    detail: `${path.slice(0, 200)} is for ${methods.join(" and ")}, not ${method}`,
    headers: { allow },
  });
}

function matches(pattern: string, path: string): boolean {
  if (!pattern.endsWith("/*")) return pattern === path;
  const start = pattern.slice(0, -1);
  return path.startsWith(start) && path.length > start.length && !path.slice(start.length).includes("/");
}
