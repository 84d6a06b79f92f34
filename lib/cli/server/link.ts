/**
 * Join links: which address of a server clients use, and which authority they must trust.
 *
 * @module
 */

import { describeCertificate } from "../../certificates/certificates.ts";
import { FILES } from "../../certificates/folder.ts";
import { LINK_OPTIONS, type TOKEN_OPTIONS } from "../../config/command_options.ts";
import { type ConfigSources, loadConfig, type Loaded } from "../../config/load.ts";
import { SERVER } from "../../config/server_options.ts";
import { ParleyError } from "../../errors.ts";
import { FolderStorage } from "../../state/folder.ts";
import { formatJoinUrl } from "../../wire/join_url.ts";
import { addressForOthers, type SecurityConfig, securityOf } from "./security.ts";

/** The options that determine a link. */
export type LinkConfig = SecurityConfig;

/**
 * The join link of a server with these options.
 *
 * @param authority the authority that clients must trust, if Parley made it
 */
export async function linkTo(
  config: LinkConfig,
  { port, authority, token }: { port: number; authority: string | undefined; token: string },
): Promise<string> {
  const { tls } = securityOf(config);
  return formatJoinUrl({ hostname: await hostnameOf(config), port, tls, ca: authority, token });
}

/** The hostname in the link. If the operator gave a certificate, a name that it covers. */
async function hostnameOf({ host, tlsCert }: LinkConfig): Promise<string> {
  const address = addressForOthers(host);
  if (tlsCert === undefined) return address;
  const { hosts } = await describeCertificate(await Deno.readTextFile(tlsCert));
  if (hosts.includes(address)) return address;
  return hosts.find((name) => !name.startsWith("*.")) ?? address;
}

/** What `token issue --link` needs of the server, found out before a token is issued. */
export interface LinkSource {
  /** One line for each thing that a client needs besides the link. */
  readonly warnings: readonly string[];
  /** The link with this token in it. */
  link(token: string): Promise<string>;
}

/**
 * Finds out the address and the authority of the server that is started here with those flags of `token` that concern
 * them; whatever they leave out, its variables and its option file say.
 *
 * @throws {ParleyError} `bad_argument` if that is not enough for a link
 */
export async function linkSource(
  { values, origins }: Loaded<typeof TOKEN_OPTIONS>,
  sources: ConfigSources,
): Promise<LinkSource> {
  const { host, port, tls, tlsCert, certs, insecure } = values;
  const flags = { host, port, tls, "tls-cert": tlsCert, certs, insecure };
  const args = Object.entries(flags)
    .filter(([name]) => origins[name as keyof typeof flags] === "flag")
    .map(([name, value]) => `--${name}=${value}`);
  return await sourceOf(loadConfig(SERVER, { ...sources, args }));
}

async function sourceOf({ values: config, problems }: Loaded<typeof SERVER.options>): Promise<LinkSource> {
  const names: readonly string[] = Object.keys(LINK_OPTIONS);
  const concerned = problems.find(({ options }) =>
    options.length === 0 || options.some((name) => names.includes(name) || name === "config")
  );
  if (concerned !== undefined) throw new ParleyError("bad_argument", concerned.text);
  const { port } = config;
  if (port === 0) {
    throw new ParleyError(
      "bad_argument",
      "the server takes any free port; give the one that it logs with --port",
    );
  }
  const { tls, isPublic } = securityOf(config);
  const isOwn = tls && config.tlsCert === undefined;
  const authority = isOwn ? await readAuthority(config.certs) : undefined;
  const warnings: string[] = [];
  if (isPublic && !tls) {
    warnings.push("the connection is not encrypted: clients send the token only with --insecure");
  }
  if (tls && !isOwn) {
    warnings.push("clients must trust the authority of your certificate, or need it with --ca");
  }
  return { warnings, link: (token) => linkTo(config, { port, authority, token }) };
}

async function readAuthority(certs: string): Promise<string> {
  const authority = await new FolderStorage(certs).read(FILES.authority.certificate, "public");
  if (authority !== undefined) return authority;
  const text = `there is no ${FILES.authority.certificate} in ${certs}; start the server once, ` +
    "or give the folder of its certificates with --certs";
  throw new ParleyError("bad_argument", text);
}
