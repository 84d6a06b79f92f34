import { assert, assertEquals, assertRejects, fail } from "@std/assert";
import { FolderStorage } from "../../lib/state/folder.ts";
import { MemoryStorage, type Storage } from "../../lib/state/storage.ts";
import { ParleyError } from "../../lib/errors.ts";
import { accepted, ADA, Clock, makeProcess } from "../auth/fixtures.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_RUN, MAY_USE_FILES } from "../harness/permissions.ts";

const isWindows = Deno.build.os === "windows";
const modeOf = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;

const open = (path: string) => new FolderStorage(path);

/** Asserts the contract of {@linkcode Storage}. */
async function assertContract(storage: Storage): Promise<void> {
  assertEquals(await storage.read("a"), undefined);
  assertEquals(await storage.stamp("a"), "");
  await storage.write("a", "one ü");
  assertEquals(await storage.read("a"), "one ü");
  const stamps = new Set([await storage.stamp("a")]);
  assertEquals(await storage.stamp("a"), [...stamps][0]);
  for (let at = 0; at < 100; at++) {
    await storage.write("a", `same length ${at % 10}`);
    stamps.add(await storage.stamp("a"));
  }
  assert(stamps.size > 1);
  await storage.write("a", "");
  assertEquals(await storage.read("a"), "");
  let inside = 0;
  const enter = (fails: boolean) =>
    storage.exclusive(async () => {
      assertEquals(++inside, 1);
      await storage.write("b", String(Number(await storage.read("b") ?? 0) + 1));
      inside--;
      if (fails) throw new RangeError("any");
    });
  const all = await Promise.allSettled(Array.from({ length: 20 }, (_, at) => enter(at % 5 === 0)));
  assertEquals(all.filter(({ status }) => status === "rejected").length, 4);
  assertEquals(await storage.read("b"), "20");
}

Deno.test("a storage in memory fulfils the contract", () => assertContract(new MemoryStorage()));

Deno.test({
  name: "a storage in a folder fulfils the contract",
  ignore: !MAY_USE_FILES,
  async fn() {
    using folder = makeFolder();
    await assertContract(open(`${folder.path}/made/when/needed`));
  },
});

Deno.test({
  name: "the folder is made with mode 0700 at the first write, secrets are 0600, and no other file is left",
  ignore: !MAY_USE_FILES || isWindows,
  async fn() {
    using folder = makeFolder();
    const path = `${folder.path}/state`;
    const { tokens, registry } = makeProcess(open(path));
    assertEquals(await registry.list(), []);
    await tokens.refresh();
    await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
    const { token } = await tokens.issue(ADA);
    accepted(await tokens.verify(token));
    await tokens.close();
    await open(path).write("ca.pem", "for everybody", "public");
    assertEquals(modeOf(path), 0o700);
    const modes = [...Deno.readDirSync(path)].map(({ name }) => [name, modeOf(`${path}/${name}`)]).sort();
    assertEquals(modes, [
      [".lock", 0o600],
      ["ca.pem", 0o644 & ~currentUmask()],
      ["signing-keys.json", 0o600],
      ["token-uses.json", 0o600],
      ["tokens.json", 0o600],
    ]);
  },
});

/** The umask of this process. */
function currentUmask(): number {
  using folder = makeFolder();
  Deno.openSync(`${folder.path}/any`, { write: true, createNew: true, mode: 0o777 }).close();
  return 0o777 & ~modeOf(`${folder.path}/any`);
}

Deno.test({
  name: "a signing key that others can read is refused, with a hint what to do",
  ignore: !MAY_USE_FILES || isWindows,
  async fn() {
    using folder = makeFolder();
    const storage = open(folder.path);
    const { keys, tokens } = makeProcess(storage);
    await keys.signing();
    for (const [mode, text] of [[0o640, "0640"], [0o604, "0604"], [0o644, "0644"]] as const) {
      Deno.chmodSync(`${folder.path}/signing-keys.json`, mode);
      const error = await assertRejects(
        () => tokens.issue(ADA),
        ParleyError,
        `(mode ${text}), which is secret`,
      );
      assert(error.message.includes(`chmod 600 ${folder.path}/signing-keys.json`), error.message);
      assertEquals(error.code, "bad_argument");
    }
    Deno.chmodSync(`${folder.path}/signing-keys.json`, 0o400);
    await tokens.issue(ADA);
  },
});

Deno.test({
  name: "a file or folder that others can change is refused, secret or not",
  ignore: !MAY_USE_FILES || isWindows,
  async fn() {
    using folder = makeFolder();
    const storage = open(folder.path);
    await storage.write("ca.pem", "for everybody", "public");
    Deno.chmodSync(`${folder.path}/ca.pem`, 0o664);
    await assertRejects(() => storage.read("ca.pem", "public"), ParleyError, "others can change");
    Deno.chmodSync(`${folder.path}/ca.pem`, 0o644);
    assertEquals(await storage.read("ca.pem", "public"), "for everybody");
    Deno.chmodSync(folder.path, 0o770);
    await assertRejects(() => storage.read("ca.pem", "public"), ParleyError, "(mode 0770)");
    await assertRejects(() => storage.write("ca.pem", "mine", "public"), ParleyError, "chmod 700");
    await assertRejects(() => storage.exclusive(() => Promise.resolve()), ParleyError, "chmod 700");
    Deno.chmodSync(folder.path, 0o755); // others can list it, and open nothing secret
    assertEquals(await storage.read("ca.pem", "public"), "for everybody");
  },
});

Deno.test({
  name: "a folder or a file of another user is refused, with a hint what to do, and one of root is not",
  ignore: !MAY_USE_FILES || isWindows,
  async fn() {
    using folder = makeFolder();
    const { uid } = Deno.statSync(folder.path);
    await new FolderStorage(folder.path, uid).write("a", "mine");
    // Only root can give files away. Any other user checks as if this process were run by yet another one.
    const own = uid === 0 ? 0 : uid! + 1;
    const other = uid === 0 ? 4242 : uid!;
    if (uid === 0) Deno.chownSync(folder.path, other, null);
    const storage = new FolderStorage(folder.path, own);
    const hint = `chown -R ${own} ${folder.path}`;
    await assertRejects(() => storage.read("a"), ParleyError, hint);
    await assertRejects(() => storage.write("a", "x"), ParleyError, hint);
    await assertRejects(() => storage.exclusive(() => Promise.resolve()), ParleyError, hint);
    if (uid !== 0) return;
    const others = new FolderStorage(folder.path, other);
    assertEquals(await others.read("a"), "mine", "a file of root in the user's own folder");
    Deno.chownSync(folder.path, 0, null);
    assertEquals(await others.read("a"), "mine", "a folder of root");
    Deno.chownSync(`${folder.path}/a`, 4243, null);
    await assertRejects(
      () => storage.read("a"),
      ParleyError,
      `${folder.path}/a belongs to user 4243`,
    );
  },
});

/** Holds the lock of the folder, as a process does that is stuck. */
function holdLock(path: string): Disposable {
  const file = Deno.openSync(`${path}/.lock`, { write: true, create: true, mode: 0o600 });
  file.lockSync(true);
  return file;
}

Deno.test({
  name: "a lock that another process holds is waited for, and given up when the signal is aborted",
  ignore: !MAY_USE_FILES,
  async fn() {
    using folder = makeFolder();
    const storage = open(folder.path);
    const abort = new AbortController();
    const lock = holdLock(folder.path);
    const given = storage.exclusive(() => Promise.resolve("given up"), abort.signal);
    const waiting = storage.exclusive(() => Promise.resolve("had its turn"));
    abort.abort();
    const message = `another process holds the lock ${folder.path}/.lock;`;
    await assertRejects(() => given, ParleyError, message);
    // Aborted before it begins: it tries once, because the lock may be free.
    await assertRejects(() => open(folder.path).exclusive(() => fail(), abort.signal), ParleyError, message);
    lock[Symbol.dispose]();
    assertEquals(await waiting, "had its turn");
    assertEquals(await storage.exclusive(() => Promise.resolve("free"), abort.signal), "free");
  },
});

Deno.test({
  name: "a folder that cannot be written or locked is found out, and nothing is left in it",
  ignore: !MAY_USE_FILES,
  async fn() {
    using folder = makeFolder();
    const path = `${folder.path}/state`;
    await open(path).checkWritable();
    assertEquals([...Deno.readDirSync(path)].map(({ name }) => name), [".lock"]);
    Deno.removeSync(`${path}/.lock`);
    Deno.mkdirSync(`${path}/.lock`); // even root cannot write this
    await assertRejects(() => open(path).checkWritable(), ParleyError, `cannot write ${path}/.lock`);
    Deno.writeTextFileSync(`${folder.path}/file`, "");
    await assertRejects(() => open(`${folder.path}/file`).checkWritable(), ParleyError, "cannot write");
  },
});

Deno.test({
  name: "an empty folder that the group may write loses that permission at the first write",
  ignore: !MAY_USE_FILES || isWindows,
  async fn() {
    using folder = makeFolder();
    Deno.chmodSync(folder.path, 0o775);
    Deno.writeTextFileSync(`${folder.path}/.gitignore`, "*\n");
    await open(folder.path).write("a", "mine");
    assertEquals(modeOf(folder.path), 0o755);
  },
});

Deno.test({
  name: "a failed read or write is an error that names the file",
  ignore: !MAY_USE_FILES,
  async fn() {
    using folder = makeFolder();
    Deno.writeTextFileSync(`${folder.path}/file`, "");
    const message = `cannot write ${folder.path}/file/x: `;
    await assertRejects(() => open(`${folder.path}/file`).write("x", ""), ParleyError, message);
    await assertRejects(() => open(`${folder.path}/file`).exclusive(() => Promise.resolve()), ParleyError);
    Deno.mkdirSync(`${folder.path}/x`);
    await assertRejects(() => open(folder.path).read("x"), ParleyError, "/x");
    await assertRejects(() => open(folder.path).write("x", ""), ParleyError, "cannot write");
    assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name).sort(), ["file", "x"]);
  },
});

Deno.test({
  name: "during a write a reader sees the whole old text or the whole new one",
  ignore: !MAY_USE_FILES,
  async fn() {
    using folder = makeFolder();
    const storage = open(folder.path);
    const texts = ["a".repeat(100_000), "b".repeat(200_000)];
    await storage.write("x", texts[0]);
    let writing = true;
    const reader = async () => {
      let reads = 0;
      for (; writing; reads++) assert(texts.includes((await storage.read("x"))!));
      return reads;
    };
    const reads = [reader(), reader()];
    for (let at = 0; at < 50; at++) await storage.write("x", texts[at % 2]);
    writing = false;
    assert((await Promise.all(reads)).every((count) => count > 0));
  },
});

Deno.test({
  name: "the unfinished file of a killed process is not read and does not prevent a write",
  ignore: !MAY_USE_FILES,
  async fn() {
    using folder = makeFolder();
    const storage = open(folder.path);
    await storage.write("x", "old");
    Deno.writeTextFileSync(`${folder.path}/x.tmp`, "ha", { mode: 0o644 });
    assertEquals(await storage.read("x"), "old");
    await storage.write("x", "new");
    assertEquals(await storage.read("x"), "new");
    if (!isWindows) assertEquals(modeOf(`${folder.path}/x`), 0o600);
    assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["x"]);
  },
});

Deno.test({
  name: "several processes that issue, revoke, rotate and make certificates at once lose nothing",
  ignore: !MAY_RUN,
  async fn() {
    using folder = makeFolder();
    const lib = (name: string) => JSON.stringify(new URL(`../../lib/${name}`, import.meta.url).href);
    const program = (at: number) => `
      import { ensureCertificate } from ${lib("certificates/folder.ts")};
      import { FolderStorage } from ${lib("state/folder.ts")};
      import { Keys } from ${lib("auth/keys.ts")};
      import { Registry } from ${lib("auth/registry.ts")};
      import { Tokens } from ${lib("auth/tokens.ts")};
      const uuid = () => crypto.randomUUID();
      const storage = new FolderStorage(${JSON.stringify(folder.path)});
      const now = Date.now;
      const keys = new Keys(storage, now), registry = new Registry(storage, now);
      const tokens = new Tokens({ keys, registry, now, uuid });
      const grants = { publish: ["chat"], subscribe: ["chat"], respond: [], direct: false };
      const kept = [];
      for (let count = 0; count < 10; count++) {
        const { token } = await tokens.issue({ name: "p${at}-" + count, ...grants, expiresInSeconds: 3600 });
        const { issued } = await tokens.issue({ name: "gone", ...grants, expiresInSeconds: 3600 });
        await tokens.revoke(issued.id);
        if (count === 5) await tokens.rotate(3600);
        await tokens.verify(token);
        await tokens.refresh();
        kept.push(token);
      }
      await tokens.close();
      const { authority } = await ensureCertificate(storage, { hosts: ["localhost"], nowMs: now() });
      console.log(JSON.stringify({ kept, authority }));
    `;
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const run = async (at: number) => {
      const args = ["eval", "--frozen", "--no-check", "--config", config, program(at)];
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
      assertEquals(code, 0, new TextDecoder().decode(stderr));
      return JSON.parse(new TextDecoder().decode(stdout)) as { kept: string[]; authority: string };
    };
    const results = await Promise.all([0, 1, 2, 3].map(run));
    const clock = new Clock();
    clock.ms = Date.now();
    const { tokens, registry } = makeProcess(open(folder.path), clock);
    const listed = await registry.list();
    assertEquals(listed.filter(({ revokedAtMs }) => revokedAtMs === undefined).length, 40);
    assertEquals(listed.filter(({ revokedAtMs }) => revokedAtMs !== undefined).length, 40);
    assertEquals(listed.filter(({ lastUsedAtMs }) => lastUsedAtMs !== undefined).length, 40);
    for (const token of results.flatMap(({ kept }) => kept)) accepted(await tokens.verify(token));
    assertEquals(new Set(results.map(({ authority }) => authority)).size, 1);
  },
});
