/**
 * Keeps a server's certificate up to date while it runs.
 *
 * @module
 */

import type { CertificateSource, SourcedCertificate } from "./source.ts";

/** What becomes of a look at the source. */
export interface RenewalEvents {
  /** There is another certificate than before. */
  renewed(certificate: SourcedCertificate): void;
  /** The source could not be read; the certificate from before stays in use. */
  failed(error: unknown): void;
}

/** Looks at a source now and then, one look at a time. */
export class Renewal {
  readonly #source: CertificateSource;
  readonly #events: RenewalEvents;
  #current: string;
  #looking: Promise<void> | undefined;

  /** `current` is the certificate in use. */
  constructor(source: CertificateSource, current: SourcedCertificate, events: RenewalEvents) {
    this.#source = source;
    this.#current = current.certificate;
    this.#events = events;
  }

  /** Looks whether there is another certificate. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => this.#looking = undefined);
    return this.#looking;
  }

  async #look(): Promise<void> {
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
