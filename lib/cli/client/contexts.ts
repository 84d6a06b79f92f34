/**
 * Contexts: servers by a name of the user's own, each with its join link. A link may hold a token, so the file is secret.
 *
 * @module
 */

import * as v from "valibot";
import { ParleyError } from "../../errors.ts";
import { parseFile, type Storage } from "../../state/storage.ts";
import { formatJoinUrl, parseJoinUrl } from "../../wire/join_url.ts";

/** The file's name. */
const FILE = "contexts.json";

const SavedContext = v.object({
  /** The join link. */
  url: v.string(),
  /** The name of its sessions, as `--name` gives it. */
  name: v.optional(v.string()),
});

const File = v.object({
  current: v.optional(v.string()),
  contexts: v.record(v.string(), SavedContext),
});

/** What a context holds. */
export type SavedContext = v.InferOutput<typeof SavedContext>;

/** A context as it is listed: without its secrets. */
export interface ListedContext {
  readonly name: string;
  /** The address: the join link without token and authority. */
  readonly url: string;
  /** The name of its sessions. */
  readonly as: string | undefined;
  /** Whether the link holds a token. */
  readonly token: boolean;
  /** Whether commands use it that name no server. */
  readonly current: boolean;
}

/** What a context holds besides what is in its link. */
export interface ContextDetails {
  /** The name of its sessions. */
  readonly as?: string;
  readonly token?: string;
  /** The authority to trust, PEM. */
  readonly ca?: string;
  /** Whether to use TLS although the link does not say so. */
  readonly tls?: boolean;
}

/** The contexts of one user. */
export class Contexts {
  readonly #storage: Storage | undefined;

  /** Keeps them in `storage`; without one there are none, and none can be added. */
  constructor(storage: Storage | undefined) {
    this.#storage = storage;
  }

  /** All of them, by name. */
  async list(): Promise<ListedContext[]> {
    const { current, contexts } = await this.#read();
    return Object.entries(contexts).map(([name, { url, name: as }]) => ({
      name,
      ...withoutSecrets(url),
      as,
      current: name === current,
    }));
  }

  /**
   * The context `name`, or the one in use; undefined if none is in use.
   *
   * @throws {ParleyError} `bad_argument` if there is no context `name`
   */
  async get(name: string | undefined): Promise<SavedContext | undefined> {
    const file = await this.#read();
    const wanted = name ?? file.current;
    if (wanted === undefined) return undefined;
    return Object.hasOwn(file.contexts, wanted) ? file.contexts[wanted] : unknown(wanted, file);
  }

  /**
   * Adds a context, or replaces it. The first one is in use from then on.
   *
   * @param link a join link, which may have quotes around it or line breaks in it
   * @param details what goes before that of the link, and the name of the sessions
   * @throws {ParleyError} `bad_argument` if the name or the link is not valid
   */
  async add(name: string, link: string, { as, ...details }: ContextDetails = {}): Promise<ListedContext> {
    if (!/^\w[\w.-]{0,63}$/.test(name)) {
      const text = `${
        JSON.stringify(name)
      } cannot be the name of a context; use up to 64 letters, digits, _, . and -`;
      throw new ParleyError("bad_argument", text);
    }
    const parsed = parseJoinUrl(link);
    if ("problem" in parsed) {
      throw new ParleyError("bad_argument", `the link cannot be used: ${parsed.problem}`);
    }
    const { joinUrl } = parsed;
    const { ca = joinUrl.ca, token = joinUrl.token, tls = false } = details;
    const url = formatJoinUrl({ ...joinUrl, ca, token, tls: joinUrl.tls || tls || ca !== undefined });
    return await this.#change((file) => {
      file.contexts[name] = { url, ...(as === undefined ? {} : { name: as }) };
      file.current ??= name;
      return { name, ...withoutSecrets(url), as, current: file.current === name };
    });
  }

  /**
   * Uses the context `name` from now on.
   *
   * @throws {ParleyError} `bad_argument` if there is none
   */
  use(name: string): Promise<void> {
    return this.#change((file) => {
      if (!Object.hasOwn(file.contexts, name)) unknown(name, file);
      file.current = name;
    });
  }

  /**
   * Removes the context `name`.
   *
   * @throws {ParleyError} `bad_argument` if there is none
   */
  remove(name: string): Promise<void> {
    return this.#change((file) => {
      if (!Object.hasOwn(file.contexts, name)) unknown(name, file);
      delete file.contexts[name];
      if (file.current === name) delete file.current;
    });
  }

  async #read(): Promise<v.InferOutput<typeof File>> {
    const empty = { contexts: {} };
    const storage = this.#storage;
    // Without contexts, a folder of another user is no problem: sudo may keep the HOME of the user.
    if (storage === undefined || await storage.stamp(FILE) === "") return empty;
    return parseFile(storage, FILE, await storage.read(FILE), File, empty);
  }

  async #change<T>(change: (file: v.InferOutput<typeof File>) => T): Promise<T> {
    const storage = this.#storage;
    if (storage === undefined) {
      throw new ParleyError(
        "bad_argument",
        "there is no folder to keep contexts in; set HOME or XDG_STATE_HOME",
      );
    }
    return await storage.exclusive(async () => {
      const file = await this.#read();
      const result = change(file);
      await storage.write(FILE, `${JSON.stringify(file, null, 2)}\n`);
      return result;
    });
  }
}

/** The address that a link holds, and whether it holds a token. */
function withoutSecrets(url: string): { url: string; token: boolean } {
  const parsed = parseJoinUrl(url);
  if ("problem" in parsed) return { url: "?", token: false };
  const { token } = parsed.joinUrl;
  return {
    url: formatJoinUrl({ ...parsed.joinUrl, token: undefined, ca: undefined }),
    token: token !== undefined,
  };
}

function unknown(name: string, { contexts }: v.InferOutput<typeof File>): never {
  const names = Object.keys(contexts);
  const there = names.length === 0
    ? "add one with parley context add NAME LINK"
    : `the contexts are ${names.join(", ")}`;
  throw new ParleyError("bad_argument", `there is no context ${JSON.stringify(name)}; ${there}`);
}
