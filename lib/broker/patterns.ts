/**
 * Pattern subscriptions, kept as a tree of segments so that finding those that cover a name does not depend on how
 * many there are.
 *
 * @module
 */

import { isServerOwn } from "../wire/names.ts";
import type { Subscription } from "./peer.ts";

/** One segment of the patterns; what is subscribed here ends with it. */
class Node {
  readonly next = new Map<string, Node>();
  readonly here = new Set<Subscription>();
}

/** All pattern subscriptions of one server. */
export class Patterns {
  /** Changes whenever a subscription does: whoever keeps an answer of `covering` must ask again. */
  version = 0;
  readonly #root = new Node();

  /** Adds `subscription` under `pattern`, which must be valid. */
  add(pattern: string, subscription: Subscription): void {
    let node = this.#root;
    for (const segment of pattern.split(".")) {
      let next = node.next.get(segment);
      if (next === undefined) node.next.set(segment, next = new Node());
      node = next;
    }
    node.here.add(subscription);
    this.version++;
  }

  /** Removes what `add` added, and the nodes nobody needs any more. */
  remove(pattern: string, subscription: Subscription): void {
    this.#prune(this.#root, pattern.split("."), 0, subscription);
    this.version++;
  }

  /** Calls `found` for each subscription whose pattern covers `name`; the server's own names are covered by none. */
  covering(name: string, found: (subscription: Subscription) => void): void {
    if (!isServerOwn(name)) this.#walk(this.#root, name.split("."), 0, found);
  }

  #walk(node: Node, segments: string[], depth: number, found: (subscription: Subscription) => void): void {
    if (depth === segments.length) {
      node.here.forEach(found);
      return;
    }
    node.next.get(">")?.here.forEach(found);
    const exact = node.next.get(segments[depth]);
    if (exact !== undefined) this.#walk(exact, segments, depth + 1, found);
    const any = node.next.get("*");
    if (any !== undefined) this.#walk(any, segments, depth + 1, found);
  }

  /** Removes `subscription` below `node`; whether `node` is of no more use. */
  #prune(node: Node, segments: string[], depth: number, subscription: Subscription): boolean {
    if (depth === segments.length) {
      node.here.delete(subscription);
    } else {
      const next = node.next.get(segments[depth]);
      if (next !== undefined && this.#prune(next, segments, depth + 1, subscription)) {
        node.next.delete(segments[depth]);
      }
    }
    return node.here.size === 0 && node.next.size === 0;
  }
}
