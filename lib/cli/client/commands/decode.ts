/**
 * `parley decode`: explains captured bytes, frame by frame, without a server.
 *
 * @module
 */

import { ParleyError } from "../../../errors.ts";
import { INBOX, KIND_MASK, MESSAGE_HEADERS, RULES } from "../../../wire/header.ts";
import { typeName } from "../../../wire/type_name.ts";
import { decodeMessageHeaders } from "../../../wire/message_headers.ts";
import { reasonNotRead } from "../../../config/option_file.ts";
import { CommandError } from "../../failures.ts";
import type { Host } from "../../host.ts";
import { type Paint, painter, visible, visibleJson } from "../../terminal.ts";
import { readCapture } from "../frames/capture.ts";
import { type CapturedFrame, capturedFrames } from "../frames/captured_frames.ts";
import type { Command, Context } from "../command.ts";
import { COLUMNS, formatFrameRows } from "../frames/frame_dump.ts";
import { readAll, type Source, stdin } from "../input.ts";
import { makeMask, type Mask } from "../frames/masking.ts";
import { decodeText, toBase64 } from "../payload.ts";
import { describeToken, parseObject } from "../frames/payload_dump.ts";
import { formatFields } from "../frames/trace.ts";

/** The largest capture, in bytes. It is read as a whole. */
const MAX_CAPTURE_BYTES = 256 * 1024 * 1024;

/** Bytes shown of what is no frame. */
const SHOWN_BYTES = 16;

/** The command. */
export const DECODE: Command = {
  name: "decode",
  operands: { usage: "[FILE | -]", min: 0, max: 1 },
  summary: "explain captured bytes, frame by frame, without a server",
  details:
    "Takes raw bytes, or hex as xxd, hexdump -C and od write it, plain or with offsets. Every field is\n" +
    "shown with its bytes and its meaning, control payloads as JSON, messages in part, tokens not at all.\n" +
    "Both directions may be mixed. For bytes that are not as the protocol says, it prints the offset, what\n" +
    "was expected and what came, and ends with 1.",
  examples: [
    "parley decode capture.bin",
    "xxd capture.bin | parley decode -",
    "parley decode --json <capture.hex",
  ],
  options: ["json"],
  endsByInterrupt: false,
  isOffline: true,
  run: decode,
};

async function decode({ values, operands, host, output }: Context): Promise<void> {
  const bytes = readCapture(await readInput(operands[0], host), MAX_CAPTURE_BYTES);
  const mask = makeMask();
  const paint = painter(host.stdout);
  if (!values.json && bytes.length > 0) await output.line(COLUMNS);
  let frames = 0;
  let malformed = 0;
  let first: CapturedFrame["problem"];
  for (const frame of capturedFrames(bytes)) {
    frames++;
    if (frame.problem !== undefined) malformed++;
    first ??= frame.problem;
    await output.line(values.json ? formatJson(frame, frames, mask) : formatText(frame, frames, mask, paint));
  }
  if (frames === 0) throw new CommandError("there are no bytes to decode");
  if (first === undefined) return;
  const which = frames === 1
    ? "the frame is"
    : `${malformed} of ${frames} frames ${malformed === 1 ? "is" : "are"}`;
  throw new CommandError(`${which} malformed: at offset ${first.at}: ${first.text}`);
}

/** @throws {ParleyError} `bad_argument` if the file cannot be read; an error if there is too much */
async function readInput(path: string | undefined, host: Host): Promise<Uint8Array> {
  if (path === undefined && host.stdin.isTerminal()) {
    throw new ParleyError(
      "bad_argument",
      "decode needs a FILE, or bytes on stdin: xxd FILE | parley decode -",
    );
  }
  const source = path === undefined || path === "-" ? stdin(host.stdin) : await open(path);
  try {
    return await readAll(source, MAX_CAPTURE_BYTES);
  } catch (error) {
    if (error instanceof ParleyError) {
      throw new CommandError(`more than ${MAX_CAPTURE_BYTES} bytes; decode a part`);
    }
    throw cannotRead(source.name, error);
  }
}

async function open(path: string): Promise<Source> {
  try {
    return { name: path, chunks: (await Deno.open(path)).readable };
  } catch (error) {
    throw cannotRead(path, error);
  }
}

function cannotRead(path: string, error: unknown): ParleyError {
  return new ParleyError("bad_argument", `cannot read ${path}: ${reasonNotRead(error)}`, { cause: error });
}

function formatText(frame: CapturedFrame, count: number, mask: Mask, paint: Paint): string {
  const { at, header, payload, problem } = frame;
  const rows = header === undefined ? [unknownRow(at, payload)] : formatFrameRows(header, payload, mask, at);
  if (problem !== undefined) {
    rows.push(paint("red", `  !    at offset ${problem.at}: ${visible(problem.text)}`));
  }
  return ["", paint("bold", formatTitle(frame, count)), ...rows].join("\n");
}

/** `frame 1 at offset 0, from the client: HELLO 58 bytes`. */
function formatTitle({ at, header, from }: CapturedFrame, count: number): string {
  if (header === undefined) return `bytes at offset ${at}: no frame`;
  const sender = from === undefined ? "" : `, from the ${from}`;
  return `frame ${count} at offset ${at}${sender}: ${typeName(header.type)}  ${formatFields(header)}`;
}

function unknownRow(at: number, bytes: Uint8Array): string {
  const hex = [...bytes.subarray(0, SHOWN_BYTES)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `${String(at).padStart(6)}  ${hex}${bytes.length > SHOWN_BYTES ? " ..." : ""}`;
}

function formatJson(frame: CapturedFrame, count: number, mask: Mask): string {
  const { at: offset, header, payload, from, problem } = frame;
  if (header === undefined) return visibleJson({ frame: null, offset, problem });
  const { type, flags, id, length, channel, sender } = header;
  const target = channel >= INBOX ? { inbox: channel - INBOX } : { channel };
  const fields = { frame: count, offset, type: typeName(type), from, flags, id, length, ...target, sender };
  return visibleJson({ ...fields, ...describePayload(frame, mask), problem });

  function describePayload({ header }: CapturedFrame, mask: Mask): Record<string, unknown> {
    const rule = RULES[header!.type];
    if (rule?.payload === "json") {
      const json = parseObject(payload);
      if (json === undefined) return {};
      const masked = JSON.parse(mask.text(JSON.stringify(json)));
      if (rule.name === "HELLO" && "token" in json) masked.token = describeToken(json.token);
      return { payload: masked };
    }
    const decoded = rule?.payload === "content" && (flags & MESSAGE_HEADERS) !== 0
      ? decodeMessageHeaders(payload)
      : undefined;
    const isSplit = decoded !== undefined && "headers" in decoded;
    const content = mask.bytes(isSplit ? payload.subarray(decoded.contentAt) : payload);
    const text = (flags & KIND_MASK) === 0 ? undefined : decodeText(content);
    return {
      ...(isSplit ? { headers: JSON.parse(mask.text(JSON.stringify(decoded.headers))) } : {}),
      ...(text === undefined ? { base64: toBase64(content) } : { text }),
    };
  }
}
