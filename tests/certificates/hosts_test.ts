import { assertEquals, assertThrows } from "@std/assert";
import { parseHost } from "../../lib/certificates/hosts.ts";
import { ParleyError } from "../../lib/errors.ts";

Deno.test("names and addresses are distinguished and normalized", () => {
  const hosts: [string, "dns" | "ip", string][] = [
    ["localhost", "dns", "localhost"],
    ["Parley.Example", "dns", "parley.example"],
    ["my_host.local", "dns", "my_host.local"],
    ["*.Example.org", "dns", "*.example.org"],
    ["bücher.example", "dns", "xn--bcher-kva.example"],
    ["1and1.example", "dns", "1and1.example"],
    ["a".repeat(63) + ".example", "dns", "a".repeat(63) + ".example"],
    ["192.0.2.7", "ip", "192.0.2.7"],
    ["::1", "ip", "::1"],
    ["[::1]", "ip", "::1"],
    ["2001:DB8:0:0:0:0:0:7", "ip", "2001:db8::7"],
    ["::ffff:192.0.2.7", "ip", "::ffff:c000:207"],
  ];
  for (const [text, type, value] of hosts) assertEquals(parseHost(text), { type, value }, text);
});

Deno.test("text that is not a host is rejected", () => {
  const none = [
    ..."|. |a b|a..b|.a|a.|-a.example|a-.example|*|*.|*.org|a.*.org|**.a.org|a/b|user@host|host:80|[::1|::1]|:::|1:2:3"
      .split("|"),
    ..."256.0.0.1|010.0.0.1|2130706433|127.1|a.0x10|1.2.3|1.2.3.4.5|0x7f.1|http://a|a?b|a#b|a%b|a\\b|fe80::1%eth0|a\u0000b|\ta|[a]"
      .split(
        "|",
      ),
    "",
    "a".repeat(64) + ".example",
    Array(50).fill("abcdef").join("."),
  ];
  for (const text of none) {
    assertThrows(() => parseHost(text), ParleyError, "a host is a name or an address", JSON.stringify(text));
  }
});

Deno.test("an address that stands for all addresses is rejected, with the reason", () => {
  for (const text of ["0.0.0.0", "::", "[::]", "0:0:0:0:0:0:0:0"]) {
    assertThrows(() => parseHost(text), ParleyError, "name the addresses or names that clients use");
  }
});
