/**
 * `parley top` at a terminal: asks for what is shown, and does what the keys say.
 *
 * @module
 */

import type { Client } from "../../../client/api.ts";
import type { ChannelEntry, ServerStats, SessionEntry } from "../../../wire/stats.ts";
import { describeFailure } from "../../failures.ts";
import { painter } from "../../terminal.ts";
import type { Context } from "../command.ts";
import { connectionLost } from "../connection.ts";
import { stdin } from "../input.ts";
import { interrupt, OWN_SCREEN, RawTerminal, terminalSize } from "../raw_terminal.ts";
import { dashboard, HISTORY, SORT_KEYS, type Tables } from "./dashboard.ts";
import { FullScreen } from "./full_screen.ts";
import { type Rates, ratesBetween } from "./rates.ts";
import { askStats, readStats, watchStats } from "./stats_requests.ts";

/** A key that is not a character: an escape sequence, such as that of an arrow. */
// deno-lint-ignore no-control-regex -- it begins with one
const SEQUENCE = /\x1b(\[[0-?]*[ -/]*[@-~]|O.)/g;

const [CTRL_C, CTRL_L, CTRL_Z] = ["\x03", "\x0c", "\x1a"];

/** How long a notice stays where the keys are explained. While there is no connection, no second passes. */
const NOTICE_SECONDS = 3;

/** What Tab leads to. */
const NEXT: Record<Tables, Tables> = { both: "channels", channels: "sessions", sessions: "both" };

/** Shows the server until its user ends it. */
export async function showOnTerminal(context: Context): Promise<void> {
  const { values, log, connect } = context;
  let server = "";
  let top: Top | undefined = undefined;
  const client = await connect({
    reconnect: values.reconnect,
    onEvent: (event) => {
      if (event.type === "connecting" || event.type === "connected") server = event.server;
      top?.connectionChanged(server);
    },
    onNotice: (text) => top?.notice(text),
  });
  const subscription = await watchStats(client); // a refusal is printed where the shell was
  log.info("watching", { session: client.uuid });
  top = await Top.start(context, client, server);
  const watch = async () => {
    let left = values.count ?? Infinity;
    for await (const message of subscription) {
      top.measured(readStats("$stats.now", message));
      if (--left === 0) break;
    }
    await top.drawn();
  };
  await Promise.race([top.ended, watch(), connectionLost(client)]);
}

/** What is shown, and the terminal that shows it. */
class Top implements AsyncDisposable {
  /** Resolves when the person at the keyboard ends it. */
  readonly ended: Promise<void>;

  readonly #client: Client;
  readonly #screen: FullScreen;
  readonly #end: () => void;
  #terminal: RawTerminal | undefined;
  #server: string;
  #stats: ServerStats | undefined;
  #rates: Rates | undefined;
  #history: number[] = [];
  #channels: readonly ChannelEntry[] = [];
  #sessions: readonly SessionEntry[] = [];
  #tables: Tables = "both";
  #sort = { channels: "rate", sessions: "rate" };
  #notice: string | undefined;
  /** How many more seconds the notice stays. */
  #noticeSeconds = 0;
  #isAsking = false;
  /** What is shown has changed while the lists were asked for. */
  #asksAgain = false;

  private constructor({ output, host }: Context, client: Client, server: string) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#end = resolve;
    this.#client = client;
    this.#server = server;
    this.#screen = new FullScreen({
      output,
      size: terminalSize,
      paint: painter(host.stdout),
      draw: (size, paint) => this.#stats === undefined ? [] : dashboard(this.#view(this.#stats), size, paint),
    });
  }

  /** Takes the terminal over. What would go to stderr becomes the notice. */
  static async start(context: Context, client: Client, server: string): Promise<Top> {
    const { host, resources, divertLines } = context;
    const top = new Top(context, client, server);
    await divertLines((line) => top.notice(line));
    resources.defer(() => divertLines(undefined));
    resources.use(top); // before the client is closed, which may take time
    top.#terminal = new RawTerminal({
      resized: () => top.#changed(),
      continued: () => top.#screen.repaint(),
    }, OWN_SCREEN);
    const { chunks } = stdin(host.stdin);
    top.#read(chunks).then(top.#end, top.#end); // the terminal was closed
    await top.#readHistory();
    return top;
  }

  /** A second has passed. */
  measured(stats: ServerStats): void {
    this.#rates = ratesBetween(this.#stats, stats);
    this.#stats = stats;
    if (--this.#noticeSeconds === 0) this.#notice = undefined;
    if (this.#rates !== undefined) this.#history = [...this.#history, this.#rates.messagesIn].slice(-HISTORY);
    this.#changed();
  }

  /** Shows one line for some seconds, or until the connection is well again. */
  notice(text: string): void {
    this.#notice = text;
    this.#noticeSeconds = NOTICE_SECONDS;
    this.#screen.refresh();
  }

  /** The connection broke or came back; `server` is the one that the client has or tries. */
  connectionChanged(server: string): void {
    this.#server = server;
    this.#screen.refresh();
  }

  /** Resolves when everything is drawn. */
  drawn(): Promise<void> {
    return this.#screen.drawn();
  }

  /** Leaves the terminal as it was. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#screen.pause();
    this.#terminal?.[Symbol.dispose]();
  }

  async #read(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of chunks) {
      for (const key of decoder.decode(chunk, { stream: true }).replace(SEQUENCE, "")) this.#key(key);
    }
  }

  #key(key: string): void {
    if (key === CTRL_C) return void (interrupt() || this.#end());
    if (key === CTRL_Z) return void this.#suspend();
    if (key === CTRL_L) return this.#screen.repaint();
    if (key === "q" || key === "Q") return this.#end();
    if (key === "\t") this.#tables = NEXT[this.#tables];
    else if (Object.hasOwn(SORT_KEYS, key)) {
      const { channels = this.#sort.channels, sessions = this.#sort.sessions } = SORT_KEYS[key];
      this.#sort = { channels, sessions };
    } else return;
    this.#changed();
  }

  /** Nothing may be drawn on the screen of the shell. */
  async #suspend(): Promise<void> {
    await this.#screen.pause();
    this.#terminal?.suspend();
  }

  /** Draws, and asks for the lists that are shown now. */
  #changed(): void {
    this.#screen.refresh();
    if (this.#isAsking) this.#asksAgain = true;
    else this.#ask();
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    this.#asksAgain = false;
    try {
      const { rows } = terminalSize();
      const limit = Math.max(1, Math.min(1_000, rows || 24));
      const ask = <T>(isShown: boolean, list: () => Promise<T>) => isShown ? list() : undefined;
      const [channels, sessions] = await Promise.all([
        ask(this.#tables !== "sessions", () => {
          return askStats(this.#client, "$stats.channels", { sort: this.#sort.channels, limit });
        }),
        ask(this.#tables !== "channels", () => {
          return askStats(this.#client, "$stats.sessions", { sort: this.#sort.sessions, limit });
        }),
      ]);
      this.#channels = channels?.channels ?? this.#channels;
      this.#sessions = sessions?.sessions ?? this.#sessions;
      this.#screen.refresh();
    } catch (error) {
      if (this.#client.isConnected) this.notice(describeFailure(error)); // otherwise there is a notice already
    } finally {
      this.#isAsking = false;
      if (this.#asksAgain) this.#ask();
    }
  }

  /** The chart need not begin empty. */
  async #readHistory(): Promise<void> {
    try {
      const { stepSeconds, columns, samples } = await askStats(this.#client, "$stats.history", {});
      const column = columns.indexOf("messagesIn");
      if (stepSeconds !== 1 || column < 0) return;
      this.#history = samples.slice(-HISTORY).map((sample) => sample[column] ?? 0);
    } catch {
      // It fills as time passes.
    }
  }

  #view(stats: ServerStats): Parameters<typeof dashboard>[0] {
    return {
      address: this.#server,
      stats,
      rates: this.#rates,
      history: this.#history,
      channels: this.#channels,
      sessions: this.#sessions,
      tables: this.#tables,
      sort: this.#sort,
      notice: this.#notice,
      isConnected: this.#client.isConnected,
    };
  }
}
