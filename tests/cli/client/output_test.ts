import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { lines, readAll, type Source } from "../../../lib/cli/client/input.ts";
import { Output, OutputClosed } from "../../../lib/cli/output.ts";
import { visible, visibleJson, visibleLines } from "../../../lib/cli/terminal.ts";
import { ParleyError } from "../../../lib/errors.ts";

/** Records what is written, at most `most` bytes per write. */
class Kept {
  readonly writes: string[] = [];
  readonly #most: number;

  constructor(most = Infinity) {
    this.#most = most;
  }

  write(bytes: Uint8Array): Promise<number> {
    const taken = bytes.subarray(0, this.#most);
    this.writes.push(new TextDecoder().decode(taken));
    return Promise.resolve(taken.length);
  }
}

function source(...texts: string[]): Source {
  const chunks = async function* () {
    for (const text of texts) yield await Promise.resolve(new TextEncoder().encode(text));
  };
  return { name: "stdin", chunks: chunks() };
}

async function allLines(maxBytes: number, ...texts: string[]): Promise<string[]> {
  const all: string[] = [];
  for await (const line of lines(source(...texts), maxBytes)) all.push(new TextDecoder().decode(line));
  return all;
}

Deno.test("lines of one turn share a write, in order, with bytes between them in their place", async () => {
  const kept = new Kept();
  const output = new Output(kept);
  output.line("one");
  output.line("two");
  output.write(new TextEncoder().encode("three"));
  output.write("");
  await output.flush();
  assertEquals(kept.writes, ["one\ntwo\nthree\n"]);
});

Deno.test("a writer that takes a few bytes at a time gets everything", async () => {
  const kept = new Kept(3);
  const output = new Output(kept);
  output.line("abcdefgh");
  await output.flush();
  assertEquals(kept.writes, ["abc", "def", "gh\n"]);
});

Deno.test("a caller that writes much must wait", async () => {
  const output = new Output(new Kept());
  assertEquals(output.line("little"), undefined);
  assertInstanceOf(output.line("x".repeat(70_000)), Promise);
  await output.flush();
});

Deno.test("a broken pipe rejects broken and every later call", async () => {
  const output = new Output({ write: () => Promise.reject(new Deno.errors.BrokenPipe()) });
  output.line("lost");
  await assertRejects(() => output.broken, OutputClosed);
  await assertRejects(() => output.line("more")!, OutputClosed);
  await assertRejects(() => output.flush(), OutputClosed);
});

Deno.test("lines are found wherever the chunks are split", async () => {
  const text = "one\r\ntwo\n\nvier ü\nlast";
  for (let at = 0; at <= text.length; at++) {
    assertEquals(await allLines(100, text.slice(0, at), text.slice(at)), [
      "one\r",
      "two",
      "",
      "vier ü",
      "last",
    ]);
  }
  assertEquals(await allLines(100), []);
  assertEquals(await allLines(100, "\n"), [""]);
});

Deno.test("input that is too long is refused, with the number of the line", async () => {
  const words = "line 2 of stdin is longer than the 4 bytes";
  await assertRejects(() => allLines(4, "one\ntw", "ooo"), ParleyError, words);
  await assertRejects(() => allLines(4, "one\ntwooo\nthree"), ParleyError, words);
  assertEquals(await readAll(source("ab", "cd"), 4), new TextEncoder().encode("abcd"));
  await assertRejects(() => readAll(source("ab", "cde"), 4), ParleyError, "more than the 4 bytes");
});

Deno.test("control characters, separators and bidi marks are escaped, all else stays", () => {
  assertEquals(visible("a\tb ü 漢 🎉"), "a\tb ü 漢 🎉");
  assertEquals(
    visible("\0\x1b\x7f\x9b\r\n\u2028\u202e\u2066"),
    "\\x00\\x1b\\x7f\\x9b\\r\\n\\u{2028}\\u{202e}\\u{2066}",
  );
  assertEquals(visibleLines("a\r\nb\x1b\n"), "a\nb\\x1b\n");
  const value = { text: "\x1b\u009b\u202e\t" };
  assertEquals(visibleJson(value), '{"text":"\\u001b\\u009b\\u202e\\t"}');
  assertEquals(JSON.parse(visibleJson(value)), value);
});
