/**
 * Keeps the certificate of a running server up to date.
 *
 * @module
 */

import type { CertificateSource, SourcedCertificate } from "./source.ts";

/** The outcomes of a check that need handling. */
export interface RenewalEvents {
  /** The source has another certificate than the one in use. If this throws, the next check tries again. */
  renewed(certificate: SourcedCertificate): void;
  /** The new certificate could not be read or used. The earlier one stays in use. */
  failed(error: unknown): void;
}

/** Checks a source for a new certificate, one check at a time. */
export class Renewal {
  readonly #source: CertificateSource;
  readonly #events: RenewalEvents;
  #current: string;
  #checking: Promise<void> | undefined;

  /** `current` is the certificate in use. */
  constructor(source: CertificateSource, current: SourcedCertificate, events: RenewalEvents) {
    this.#source = source;
    this.#current = current.certificate;
    this.#events = events;
  }

  /** Checks for a new certificate. Never rejects. */
  check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => this.#checking = undefined);
    return this.#checking;
  }

  async #check(): Promise<void> {
    try {
      const certificate = await this.#source.read();
      if (certificate.certificate === this.#current) return;
      this.#events.renewed(certificate);
      this.#current = certificate.certificate;
    } catch (error) {
      this.#events.failed(error);
    }
  }
}
