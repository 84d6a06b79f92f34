/**
 * The limits of tokens, keys and certificates.
 *
 * @module
 */

const KiB = 1024;
const DAY_SECONDS = 24 * 3600;

/** The longest token, in bytes (tokens are ASCII). Holds about a hundred grants, and is half of a HELLO at most. */
export const MAX_TOKEN_BYTES = 8 * KiB;

/** Patterns in each list of a token's grants. Every OPEN walks a list, so larger sets need wildcards. */
export const MAX_GRANTS = 64;

/** The longest validity of a token: a credential that is not renewed within a year is probably forgotten. */
export const MAX_TOKEN_SECONDS = 366 * DAY_SECONDS;

/** How far the issuer's clock may be ahead of the server's: more than clocks under NTP differ. */
export const NOT_BEFORE_TOLERANCE_SECONDS = 5;

/** How long a replaced key is accepted by default: as long as a token is valid by default. */
export const KEY_OVERLAP_SECONDS = 30 * DAY_SECONDS;

/** How long an expired token stays in the list, so that an operator can see why a client no longer connects. */
export const FORGET_EXPIRED_SECONDS = 30 * DAY_SECONDS;

/** How often the last uses of tokens are written: exact enough to find unused tokens, and few writes to flash memory. */
export const WRITE_USES_MS = 10_000;

/** How far ahead a token of another issuer may expire, unless configured: it should be renewed with the user's login. */
export const EXTERNAL_TOKEN_SECONDS = DAY_SECONDS;

/** The most that can be configured for that. So long the ids of revoked ones have to be remembered. */
export const MAX_EXTERNAL_TOKEN_SECONDS = 30 * DAY_SECONDS;

/** The longest id (`jti`) of such a token, in characters. Those of Keycloak have 43. */
export const MAX_EXTERNAL_ID_LENGTH = 256;

/** Remembered ids of revoked tokens of another issuer; some 3 MiB. More than that asks for a new key there. */
export const MAX_REVOKED_IDS = 10_000;

/** The longest issuer and audience, in characters. Most are URLs. */
export const MAX_ISSUER_LENGTH = 256;

/** The public keys of another issuer in one file or answer, in bytes. A key has some 500. */
export const MAX_KEY_SET_BYTES = 64 * KiB;

/** Keys of another issuer in one file or answer: each that is no longer used is one more that could have leaked. */
export const MAX_EXTERNAL_KEYS = 64;

/** Keys tried for a token that names none: each costs a signature check. */
export const MAX_KEYS_TRIED = 4;

/** How long fetching keys may take: less than the handshake, in which a token may have to wait for it. */
export const KEY_FETCH_MS = 3_000;

/** Time between two fetches of keys from one URL, whatever key ids clients send, and until a failed one is repeated. */
export const KEY_COOLDOWN_MS = 10_000;

/** How often keys are fetched anyway: a key that its issuer has withdrawn is accepted for at most this long. */
export const KEY_REFETCH_MS = 300_000;

/** The validity of an authority. Replacing it means changing every client, so it must outlast them. */
export const AUTHORITY_DAYS = 3650;

/** The default validity of a server certificate. The server renews it. */
export const CERTIFICATE_DAYS = 90;

/** The longest validity of a server certificate: more than this, browsers and Apple's systems reject. */
export const MAX_CERTIFICATE_DAYS = 397;

/** A server certificate is renewed when fewer days are left: a third of its validity to notice a failed renewal. */
export const RENEW_BELOW_DAYS = 30;

/**
 * A server warns when its certificate has at most this many days left, and when it has expired. Only those count that
 * are less than a third of the validity: before that, whatever renews the certificate need not have done so.
 */
export const EXPIRY_WARNING_DAYS: readonly number[] = [30, 7, 1];

/** A certificate is valid from this long before it is made, for clients whose clock is slow. */
export const BACKDATE_SECONDS = 3600;

/** Names and addresses in one certificate. */
export const MAX_HOSTS = 100;

/** The delay of the rejection of an address' first wrong token. It doubles with each further one. */
export const FIRST_PENALTY_MS = 100;

/** The longest such delay: less than the handshake time, so that the client still receives the rejection. */
export const MAX_PENALTY_MS = 3_200;

/** Time without a wrong token after which those of an address are forgotten. */
export const FAILURES_FORGOTTEN_MS = 60_000;

/** Addresses whose wrong tokens are remembered. An attacker with more addresses would not be slowed by delays anyway. */
export const MAX_REMEMBERED_ADDRESSES = 10_000;

/**
 * How long a process waits for the lock of a folder. Its holders write some files of a few KiB, so one that takes longer
 * is stuck or stopped.
 */
export const LOCK_WAIT_MS = 15_000;

/** How long a process that waits for the lock sleeps between two attempts, at most. */
export const MAX_LOCK_POLL_MS = 50;

/** How often a server checks for a new certificate. SIGHUP makes it check at once. */
export const RENEWAL_CHECK_MS = 60_000;
