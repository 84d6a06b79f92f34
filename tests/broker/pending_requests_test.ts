/** Pending requests: known to both sessions, found by id, the oldest first. */

import { assertEquals } from "@std/assert";
import type { Peer } from "../../lib/broker/peer.ts";
import { addRequest, type PendingRequest, removeRequest } from "../../lib/broker/pending_requests.ts";
import { type FakePeer, peers } from "./fake_peer.ts";

/** Adds a request under `id`. */
function add(requester: FakePeer, responder: FakePeer, id: number, deadline = 1000): PendingRequest<Peer> {
  const request: PendingRequest<Peer> = { requester, responder, id, channel: 5, deadline };
  addRequest(request);
  return request;
}

/** How many requests of a session wait for a reply, and how many it has yet to answer. */
function counts({ pendingRequests }: FakePeer): [number, number] {
  return [pendingRequests.sent, pendingRequests.received];
}

Deno.test("a request is known to both its sessions, under its id, until it is removed", () => {
  const [ada, grace] = peers(2);
  const request = add(ada, grace, 7);
  assertEquals(ada.pendingRequests.find(7), request);
  assertEquals([ada.pendingRequests.find(8), grace.pendingRequests.find(7)], [undefined, undefined]);
  assertEquals([counts(ada), counts(grace)], [[1, 0], [0, 1]]);
  removeRequest(request);
  assertEquals(ada.pendingRequests.find(7), undefined);
  assertEquals([counts(ada), counts(grace)], [[0, 0], [0, 0]]);
});

Deno.test("different requesters may use the same id", () => {
  const [ada, grace, alan] = peers(3);
  const ofAda = add(ada, alan, 7);
  const ofGrace = add(grace, alan, 7);
  removeRequest(ofAda);
  assertEquals([ada.pendingRequests.find(7), grace.pendingRequests.find(7)], [undefined, ofGrace]);
  assertEquals(counts(alan), [0, 1]);
});

Deno.test("a session may send itself a request", () => {
  const [ada] = peers(1);
  const request = add(ada, ada, 1);
  assertEquals(counts(ada), [1, 1]);
  removeRequest(request);
  assertEquals(counts(ada), [0, 0]);
});

Deno.test("the oldest request is the one that was sent first, also if its id was used before", () => {
  const [ada, grace] = peers(2);
  removeRequest(add(ada, grace, 1, 100));
  const second = add(ada, grace, 2, 200);
  const again = add(ada, grace, 1, 300);
  assertEquals([...ada.pendingRequests.inOrder()], [second, again]);
  removeRequest(second);
  assertEquals([...ada.pendingRequests.inOrder()], [again]);
});

Deno.test("all requests may be removed while they are listed, sent and received", () => {
  const [ada, grace, alan] = peers(3);
  for (const id of [1, 2]) add(ada, grace, id);
  for (const id of [1, 2, 3]) add(alan, ada, id);
  add(ada, ada, 3);
  const removed: PendingRequest<Peer>[] = [];
  for (const request of ada.pendingRequests.all()) {
    removeRequest(request);
    removed.push(request);
  }
  assertEquals(removed.length, 6);
  assertEquals([ada, grace, alan].map(counts), [[0, 0], [0, 0], [0, 0]]);
});
