/**
 * Pattern subscriptions, kept as a tree of segments, so that finding those that cover a name does not depend on how many
 * there are.
 *
 * @module
 */

import { isServerOwn } from "../wire/names.ts";
import type { Subscription } from "./peer.ts";
import type { WorkBudget } from "./work_budget.ts";

/**
 * One segment of the patterns. An attacker can make many nodes with few bytes, so a node is small: its first child
 * needs no map, its first subscription no set.
 */
export class PatternNode {
  /** Identifies the node among all that ever were. */
  readonly id: number;
  /** {@linkcode Patterns.version} when the subscriptions that end here last changed. */
  changedAt = 0;
  #segment: string | undefined;
  #child: PatternNode | undefined;
  #children: Map<string, PatternNode> | undefined;
  #subscriptions: Subscription | Set<Subscription> | undefined;

  constructor(id: number) {
    this.id = id;
  }

  /** Whether a pattern ends here. */
  get isPattern(): boolean {
    return this.#subscriptions !== undefined;
  }

  /** Whether the node is of no more use. */
  get isEmpty(): boolean {
    return this.#subscriptions === undefined && this.#child === undefined && this.#children === undefined;
  }

  /** The child for `segment`, if there is one. */
  child(segment: string): PatternNode | undefined {
    return segment === this.#segment ? this.#child : this.#children?.get(segment);
  }

  /** Adds `child` for `segment`. */
  addChild(segment: string, child: PatternNode): void {
    if (this.#child === undefined) {
      this.#segment = segment;
      this.#child = child;
    } else {
      this.#children ??= new Map();
      this.#children.set(segment, child);
    }
  }

  /** Removes the child for `segment`. */
  removeChild(segment: string): void {
    if (segment === this.#segment) {
      this.#segment = this.#child = undefined;
    } else if (this.#children?.delete(segment) && this.#children.size === 0) {
      this.#children = undefined;
    }
  }

  /** Adds a subscription to the pattern that ends here. */
  add(subscription: Subscription): void {
    if (this.#subscriptions === undefined) this.#subscriptions = subscription;
    else if (this.#subscriptions instanceof Set) this.#subscriptions.add(subscription);
    else this.#subscriptions = new Set([this.#subscriptions, subscription]);
  }

  /** Removes a subscription that `add` added. */
  remove(subscription: Subscription): void {
    if (!(this.#subscriptions instanceof Set)) this.#subscriptions = undefined;
    else if (this.#subscriptions.delete(subscription) && this.#subscriptions.size === 0) {
      this.#subscriptions = undefined;
    }
  }

  /** Calls `found` for each subscription to the pattern that ends here. */
  forEach(found: (subscription: Subscription) => void): void {
    if (this.#subscriptions instanceof Set) this.#subscriptions.forEach(found);
    else if (this.#subscriptions !== undefined) found(this.#subscriptions);
  }
}

/** All pattern subscriptions of one server. */
export class Patterns {
  /** Changes whenever a subscription does. */
  version = 0;
  readonly #budget: WorkBudget;
  #lastId = 0;
  #size = 0;
  readonly #root = new PatternNode(0);

  constructor(budget: WorkBudget) {
    this.#budget = budget;
  }

  /** How many subscriptions there are. */
  get size(): number {
    return this.#size;
  }

  /** Adds `subscription` under its pattern, which must be valid. */
  add(subscription: Subscription): void {
    let node = this.#root;
    for (const segment of subscription.segments) {
      let next = node.child(segment);
      if (next === undefined) node.addChild(segment, next = new PatternNode(++this.#lastId));
      node = next;
    }
    node.add(subscription);
    this.#size++;
    node.changedAt = subscription.since = ++this.version;
  }

  /** Removes what `add` added, and the nodes that no pattern needs any more. */
  remove(subscription: Subscription): void {
    const { segments } = subscription;
    const path = [this.#root];
    for (const segment of segments) path.push(path[path.length - 1].child(segment)!);
    const node = path[path.length - 1];
    node.remove(subscription);
    this.#size--;
    node.changedAt = ++this.version;
    for (let i = segments.length; i > 0 && path[i].isEmpty; i--) path[i - 1].removeChild(segments[i - 1]);
  }

  /** Has what `subscription` covers announced to it again. */
  announceAgain(subscription: Subscription): void {
    let node = this.#root;
    for (const segment of subscription.segments) node = node.child(segment)!;
    node.changedAt = subscription.since = ++this.version;
  }

  /**
   * The nodes of the patterns that cover `name`. No pattern covers a name of the server's own.
   *
   * Costs a look at every node that begins a pattern the name may match: at most two to the power of its segments.
   */
  covering(name: string): PatternNode[] {
    const found: PatternNode[] = [];
    if (!isServerOwn(name)) this.#budget.spend(walk(this.#root, name.split("."), 0, found));
    return found;
  }
}

/** Adds the patterns below `node` that match `segments` from `depth` on; returns how many nodes it looked at. */
function walk(node: PatternNode, segments: string[], depth: number, found: PatternNode[]): number {
  if (depth === segments.length) {
    if (node.isPattern) found.push(node);
    return 1;
  }
  const rest = node.child(">");
  if (rest !== undefined) found.push(rest);
  const exact = node.child(segments[depth]);
  const any = node.child("*");
  return 1 + (exact === undefined ? 0 : walk(exact, segments, depth + 1, found)) +
    (any === undefined ? 0 : walk(any, segments, depth + 1, found));
}
