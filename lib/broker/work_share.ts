/**
 * How much of the work budget one session has used of late. While the budget is spent, sessions that have used little go
 * on before those that have used much: a PING waits for one turn, not for every session that keeps the server busy.
 *
 * Only work since the server became busy counts. What a session does while there is time for it costs no other session
 * anything, and must not make it wait when others begin to keep the server busy.
 *
 * @module
 */

import type { WorkBudget } from "./work_budget.ts";

/** The shares of a turn's work: as many as sessions by default, so that all of them together do not exceed it. */
const SHARES = 10_000;

/** A session may use its share of so many turns at once, and is light again after as many without work. */
const SHARE_TURNS = 40;

/** The account of one session. */
export class WorkShare {
  readonly #budget: WorkBudget;
  /** Units it may use and still go first. */
  #credit: number;
  /** The turn up to which credit has been given. */
  #creditedAt: number;
  /** The busy period in which the credit was used. */
  #period: number;
  /** The units that all sessions had used when this one began to use some; -1 while it uses none. */
  #before = -1;

  /** @param budget the budget of the server */
  constructor(budget: WorkBudget) {
    this.#budget = budget;
    this.#credit = this.#most;
    this.#creditedAt = budget.turns;
    this.#period = budget.busyPeriods;
  }

  /** What is spent from now on, the session has caused. */
  begin(): void {
    this.#before = this.#budget.total;
  }

  /** What is spent from now on, other sessions have caused. */
  end(): void {
    if (this.#before < 0) return;
    this.#beginAnew();
    this.#credit -= this.#budget.total - this.#before;
    this.#before = -1;
  }

  /** Whether the session has used less than its share. */
  get isLight(): boolean {
    this.#beginAnew();
    const { turns } = this.#budget;
    const given = Math.ceil((turns - this.#creditedAt) * this.#most / SHARE_TURNS);
    this.#creditedAt = turns;
    // A session that has used much is light again after some turns without work, however much it was.
    this.#credit = Math.min(Math.max(this.#credit, -this.#most) + given, this.#most);
    return this.#credit > 0;
  }

  /** In a new busy period the session has used nothing yet. */
  #beginAnew(): void {
    const { busyPeriods, turns } = this.#budget;
    if (this.#period === busyPeriods) return;
    this.#period = busyPeriods;
    this.#credit = this.#most;
    this.#creditedAt = turns;
  }

  get #most(): number {
    return Math.ceil(this.#budget.perTurn / SHARES * SHARE_TURNS); // a small integer takes no memory of its own
  }
}
