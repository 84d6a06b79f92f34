/**
 * What the server's own channels carry: `$stats`, which tells of the server, and `$admin`, which changes something. All
 * of it is JSON.
 *
 * A session that has the right to look (`monitor`) may subscribe to `$stats`, and send the requests of
 * {@linkcode StatsRequests}. One that has the right to change things (`admin`) may also send those of
 * {@linkcode AdminRequests}. A request is refused with the header `error` and a sentence as its content.
 *
 * Counts are of all that has happened since the server started; rates are those of the last whole second. Messages are
 * MESSAGE, REQUEST and REPLY frames, but for those on these channels: looking does not change what is seen. Bytes of a
 * session and of the server are those of all frames, headers included.
 *
 * @module
 */

/** A MESSAGE a second, to the sessions that subscribe to it. */
export const STATS = "$stats";

/** Channels on which a session asks with the right to look, and what it sends and receives there. */
export interface StatsRequests {
  /** The same as a MESSAGE on `$stats`. */
  "$stats.now": { readonly ask: Record<never, never>; readonly reply: ServerStats };
  /** The last fifteen minutes, in steps. */
  "$stats.history": { readonly ask: Record<never, never>; readonly reply: StatsHistory };
  /** Sessions, in the order of `sort`, highest first. */
  "$stats.sessions": { readonly ask: ListAsk; readonly reply: SessionList };
  /** Channels, in the order of `sort`, highest first. */
  "$stats.channels": { readonly ask: ListAsk; readonly reply: ChannelList };
  /** Where a message on a channel would go, and which sessions hold others back. */
  "$stats.why": { readonly ask: { readonly channel: string }; readonly reply: ChannelDiagnosis };
  /** The slowest sessions, which sessions hold which others back, and channels without subscribers. */
  "$stats.slow": { readonly ask: Record<never, never>; readonly reply: SlowDiagnosis };
  /** The last refusals, newest first. */
  "$stats.refusals": { ask: Record<never, never>; reply: { readonly refusals: readonly RefusalEntry[] } };
  /** The configuration in effect. */
  "$stats.config": {
    readonly ask: Record<never, never>;
    readonly reply: { readonly options: readonly ConfigEntry[] };
  };
  /** The messages of a consumer that are set aside. */
  "$stats.set_aside": {
    readonly ask: ConsumerAsk & { readonly after?: number; readonly limit?: number };
    readonly reply: { readonly count: number; readonly messages: readonly SetAsideEntry[] };
  };
}

/** Channels on which a session asks with the right to change things. */
export interface AdminRequests {
  /** Ends a session. */
  "$admin.disconnect": { readonly ask: { readonly session: number }; readonly reply: Record<never, never> };
  /** Pauses, resumes or resets a consumer; `position` is the sequence after which it goes on. */
  "$admin.consumer": {
    readonly ask: ConsumerAsk & { readonly action: "pause" | "resume" | "reset"; readonly position?: number };
    readonly reply: Record<never, never>;
  };
  /** Has messages that are set aside delivered again, or gives them up; all of them if `sequence` is left out. */
  "$admin.set_aside": {
    readonly ask: ConsumerAsk & { readonly action: "retry" | "drop"; readonly sequence?: number };
    readonly reply: { readonly count: number };
  };
}

/** What a list is to hold. */
export interface ListAsk {
  /** Only what holds this text in a name, an address or a number. */
  readonly search?: string;
  /** A key of an entry whose value is a number, or `lag` of channels; `rate` by default. */
  readonly sort?: string;
  /** At most so many entries, 1 to 1,000; 100 by default. */
  readonly limit?: number;
}

/** Which consumer is meant; `subject` is needed if consumers of several subjects have that name. */
export interface ConsumerAsk {
  readonly channel: string;
  readonly consumer: string;
  readonly subject?: string;
}

/** The server as a whole. */
export interface ServerStats {
  /** When this was measured, RFC 3339. */
  readonly time: string;
  readonly version: string;
  readonly uptimeSeconds: number;
  /** `starting` and `draining` are short; `failing` is a store that cannot be written. */
  readonly state: "ready" | "draining" | "failing";
  readonly sessions: number;
  /** Connections without a session yet included. */
  readonly connections: number;
  /** Channels that a session has open by name. */
  readonly channels: number;
  readonly patterns: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly requests: {
    readonly asked: number;
    readonly answered: number;
    /** `no_responders`, `responder_gone`, `forbidden` and the like. */
    readonly refused: number;
    /** Not answered in time. */
    readonly late: number;
    readonly waiting: number;
  };
  /** Messages on channels that had no subscriber. */
  readonly unheard: number;
  readonly slowConsumers: number;
  /** Publishers that wait for a subscriber or the store now, how often one had to, and for how long altogether. */
  readonly heldBack: { readonly now: number; readonly times: number; readonly seconds: number };
  /** ERROR frames by code. */
  readonly errors: Readonly<Record<string, number>>;
  readonly rejectedTokens: number;
  readonly failedTlsHandshakes: number;
  /** Buffers in which something waits, for all sessions together, and how much they may be. */
  readonly pendingBytes: number;
  readonly maxPendingBytes: number;
  /** Resident memory and the heap's used part, in bytes. */
  readonly memoryBytes: number;
  readonly heapBytes: number;
  /** Open descriptors; null if the system does not tell. */
  readonly descriptors: number | null;
  /** How late the event loop was in the last second, in milliseconds. */
  readonly loopDelayMs: { readonly mean: number; readonly max: number };
  /** Of durable channels; undefined if the server has none. */
  readonly store?: StoreStats;
}

/** What the store has done, and what it has. */
export interface StoreStats {
  readonly channels: number;
  readonly messages: number;
  readonly bytes: number;
  readonly maxBytes: number;
  readonly commits: number;
  readonly commitSeconds: number;
  readonly slowestCommitMs: number;
  /** Commits of which nothing was stored, and how often the disk failed. */
  readonly refused: number;
  readonly failures: number;
  readonly consumers: number;
  /** The sum and the largest of all consumers' lag, in messages. */
  readonly lag: number;
  readonly maxLag: number;
  readonly setAside: number;
}

/** Samples of the last fifteen minutes. */
export interface StatsHistory {
  /** Between two samples. */
  readonly stepSeconds: number;
  /** When the last sample ended, RFC 3339. */
  readonly until: string;
  /** What each column of `samples` is: rates a second, or values at the end of the step. */
  readonly columns: readonly HistoryColumn[];
  /** Oldest first. */
  readonly samples: readonly (readonly number[])[];
}

/** A column of {@linkcode StatsHistory}. */
export type HistoryColumn =
  | "messagesIn"
  | "messagesOut"
  | "bytesIn"
  | "bytesOut"
  | "memoryBytes"
  | "loopDelayMs"
  | "pendingBytes"
  | "sessions";

/** Sessions, and how many match. */
export interface SessionList {
  readonly count: number;
  readonly sessions: readonly SessionEntry[];
}

/** One session. */
export interface SessionEntry {
  readonly session: number;
  readonly uuid: string;
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly transport: "tcp" | "tls" | "websocket" | "http";
  /** When it was established, RFC 3339. */
  readonly since: string;
  /** The id of its token, if the server asks for tokens. */
  readonly token?: string;
  /** Names and patterns it has open, at most 20 of them, and how many there are. */
  readonly open: readonly string[];
  readonly openCount: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Messages a second, in both directions. */
  readonly rate: number;
  readonly pendingBytes: number;
  /** It waits for a subscriber or the store, and is not read from meanwhile. */
  readonly isHeldBack: boolean;
  /** Its outbox is full: others may wait for it. */
  readonly isSlow: boolean;
}

/** Channels, and how many match. */
export type ChannelList = { readonly count: number; readonly channels: readonly ChannelEntry[] };

/** One channel. */
export interface ChannelEntry {
  readonly channel: string;
  readonly subscribers: number;
  /** Of each group, how many members it has. */
  readonly groups: Readonly<Record<string, number>>;
  readonly responders: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  /** Messages a second that come in. */
  readonly rate: number;
  readonly unheard: number;
  readonly stored?: StoredEntry;
}

/** What a stored channel has besides. */
export interface StoredEntry {
  readonly storage: "durable" | "history";
  readonly epoch: string;
  readonly first: number;
  readonly last: number;
  readonly messages: number;
  readonly bytes: number;
  readonly producers: readonly ProducerEntry[];
  readonly consumers: readonly ConsumerEntry[];
}

/** A producer of a durable channel, and how many messages of it are stored. */
export type ProducerEntry = { readonly producer: string; readonly subject?: string; readonly stored: number };

/** A consumer of a durable channel. */
export interface ConsumerEntry {
  readonly consumer: string;
  readonly subject?: string;
  readonly position: number;
  readonly lag: number;
  readonly members: number;
  readonly isPaused: boolean;
  readonly setAside: number;
}

/** A message that is set aside. */
export interface SetAsideEntry {
  readonly sequence: number;
  readonly deliveries: number;
  /** Since when, RFC 3339. */
  readonly since: string;
}

/** Where a message on a channel would go. */
export interface ChannelDiagnosis {
  readonly channel: string;
  /** Whether a session has it open, or it is stored. */
  readonly isKnown: boolean;
  readonly storage?: "durable" | "history";
  /** Sessions that would receive the next message; of each group the one whose turn it is. At most 100. */
  readonly receivers: readonly Receiver[];
  readonly receiverCount: number;
  /** Sessions that match, but would not receive it, and why. At most 100. */
  readonly passedOver: readonly (Receiver & { readonly reason: string })[];
  /** Sessions that would be sent the next request, in the order of their turns. At most 100. */
  readonly responders: readonly Receiver[];
  readonly consumers: readonly ConsumerEntry[];
  /** In plain sentences, most important first: why a message may not arrive. */
  readonly findings: readonly string[];
}

/** A session that matches a channel. */
export interface Receiver {
  readonly session: number;
  readonly name: string;
  /** The name or pattern by which it matches. */
  readonly by: string;
  readonly group?: string;
  readonly consumer?: string;
  readonly pendingBytes: number;
}

/** Which sessions hold others back. */
export interface SlowDiagnosis {
  /** By the bytes that wait for them, most first. At most 100. */
  readonly slowest: readonly SessionEntry[];
  /** Publishers that wait, each with the sessions it waits for; 0 stands for the store. At most 100. */
  readonly waiting: readonly {
    readonly session: number;
    readonly name: string;
    readonly seconds: number;
    readonly for: readonly number[];
  }[];
  /** Channels on which messages were published that no subscriber received, most messages first. At most 100. */
  readonly unheard: readonly { readonly channel: string; readonly messages: number }[];
}

/** An ERROR frame that the server sent. */
export interface RefusalEntry {
  readonly time: string;
  readonly code: string;
  readonly message: string;
  readonly session?: number;
  readonly name?: string;
  readonly address?: string;
  readonly channel?: string;
}

/** An option, its effective value, and where it came from. Secrets are not shown. */
export interface ConfigEntry {
  readonly option: string;
  readonly value: string;
  readonly source: string;
}
