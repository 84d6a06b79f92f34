/**
 * No server, but the disk itself: one message written to a file and `fdatasync`, again and again. No server that keeps
 * its promise can give a receipt sooner.
 *
 * @module
 */

import type { Broker } from "../broker.ts";

/** The disk, as a contender. */
export const disk: Broker = {
  name: "disk",
  title: "write + fdatasync",
  durability: "no server: a message is appended to a file, then `fdatasync`",
  supports: ["store-one"],
  hasNoServer: true,
  version: () => Promise.resolve("bench/load/disk.ts"),
  command: () => Promise.reject(new Error("the disk is no server")),
  newClient() {
    throw new Error("the disk has no clients");
  },
};
