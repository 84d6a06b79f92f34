/**
 * Which view is shown: the part of the address behind `#`. It never leaves the browser.
 *
 * @module
 */

import { useEffect, useState } from "preact/hooks";

/** A view, and what it is about. */
export interface Route {
  readonly view: string;
  readonly parts: readonly string[];
}

/**
 * Reads a route.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { routeOf } from "./route.ts";
 *
 * assertEquals(routeOf("#/channels/chat.lobby"), { view: "channels", parts: ["chat.lobby"] });
 * assertEquals(routeOf(""), { view: "overview", parts: [] });
 * ```
 */
export function routeOf(hash: string): Route {
  const [view = "", ...parts] = hash.replace(/^#\/?/, "").split("/");
  return { view: view || "overview", parts: parts.map(decoded) };
}

/** The route of the page; the component is drawn again when it changes. */
export function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const changed = () => setRoute(routeOf(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
