/**
 * Keeps the certificate of a running server up to date.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { EXPIRY_WARNING_DAYS } from "../limits.ts";
import { type Flaw, flawsAt, inspect, type InspectedCertificate } from "./inspection.ts";
import type { CertificateSource } from "./source.ts";

const DAY_MS = 86_400_000;

/** A certificate, for the log. */
export interface CertificateDetails extends Record<string, unknown> {
  readonly file: string;
  readonly hosts: readonly string[];
  /** Both in ISO 8601. */
  readonly validFrom: string;
  readonly validUntil: string;
}

/** What the owner of a {@linkcode Renewal} is told. */
export interface RenewalEvents {
  /** The source has another certificate than the one in use. If this throws, the next check tries again. */
  renewed(certificate: InspectedCertificate, details: CertificateDetails): void;
  /**
   * The new certificate could not be read or used. The earlier one stays in use. The same failure of the next checks is
   * not reported again.
   */
  failed(error: unknown): void;
  /** Clients refuse the certificate in use, or soon will. `message` says what to do. */
  warned(message: string, details: CertificateDetails): void;
}

/** Checks a source for a new certificate, one check at a time, and warns before the one in use expires. */
export class Renewal {
  readonly #source: CertificateSource;
  readonly #events: RenewalEvents;
  readonly #now: () => number;
  #current: InspectedCertificate;
  #checking: Promise<void> | undefined;
  /** The failure reported last, until a check succeeds. */
  #failure: string | undefined;
  /** The lowest number of days left that was warned of; 0 if the certificate has expired. */
  #warnedDays = Infinity;

  /** `current` is the certificate in use; `now` is the time in milliseconds since 1970. */
  constructor(
    source: CertificateSource,
    current: InspectedCertificate,
    events: RenewalEvents,
    now: () => number,
  ) {
    this.#source = source;
    this.#current = current;
    this.#events = events;
    this.#now = now;
  }

  /** The certificate in use. */
  get details(): CertificateDetails {
    const { description: { hosts, notBefore }, validUntil: until } = this.#current;
    const [validFrom, validUntil] = [notBefore, until].map((date) => date.toISOString());
    return { file: this.#source.file, hosts, validFrom, validUntil };
  }

  /** When the certificate in use, or that of its issuer, expires. */
  get validUntil(): Date {
    return this.#current.validUntil;
  }

  /** Warns of the flaws of the certificate in use. */
  warn(): void {
    for (const { kind, message } of flawsAt(this.#current, this.#now())) {
      if (kind !== "expired") this.#events.warned(message, this.details);
    }
    this.#warnOfExpiry();
  }

  /**
   * Checks for a new certificate, and how long the one in use is valid. Never rejects. With `repeat` a failure is
   * reported even if the check before has failed in the same way.
   */
  check({ repeat = false }: { repeat?: boolean } = {}): Promise<void> {
    if (repeat) this.#failure = undefined;
    this.#checking ??= this.#check().finally(() => this.#checking = undefined);
    return this.#checking;
  }

  async #check(): Promise<void> {
    try {
      await this.#renew();
      this.#failure = undefined;
    } catch (error) {
      const failure = String(error);
      if (failure !== this.#failure) this.#events.failed(error);
      this.#failure = failure;
    }
    this.#warnOfExpiry();
  }

  async #renew(): Promise<void> {
    const found = await this.#source.read();
    if (found.certificate === this.#current.certificate) return;
    const next = await inspect(found);
    const worse = this.#worse(next);
    if (worse !== undefined) {
      throw new ParleyError("bad_argument", `${this.#source.file} is not used: ${worse.message}`);
    }
    const before = this.#current;
    this.#current = next;
    try {
      this.#events.renewed(next, this.details);
    } catch (error) {
      this.#current = before;
      throw error;
    }
    this.#warnedDays = Infinity;
    this.warn();
  }

  /**
   * A flaw of `next` that the certificate in use does not have. One with the same flaws is accepted: the clients of this
   * server may be such that accept them.
   */
  #worse(next: InspectedCertificate): Flaw | undefined {
    const now = this.#now();
    const kinds = new Set(flawsAt(this.#current, now).map(({ kind }) => kind));
    return flawsAt(next, now).find(({ kind }) => !kinds.has(kind));
  }

  #warnOfExpiry(): void {
    const { description: { notBefore }, validUntil } = this.#current;
    const leftMs = validUntil.getTime() - this.#now();
    const thirdMs = (validUntil.getTime() - notBefore.getTime()) / 3;
    const reached = [...EXPIRY_WARNING_DAYS, 0].filter((days) =>
      leftMs <= days * DAY_MS && days * DAY_MS < thirdMs && days < this.#warnedDays
    );
    if (reached.length === 0) return;
    this.#warnedDays = Math.min(...reached);
    const expired = flawsAt(this.#current, this.#now()).find(({ kind }) => kind === "expired");
    const message = expired?.message ?? "the certificate expires soon; renew it and send SIGHUP";
    this.#events.warned(message, this.details);
  }
}
