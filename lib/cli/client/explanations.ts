/**
 * What each error code means, where it comes from and what to do about it: the texts of `parley explain`.
 *
 * The meanings are those of the documentation of `ErrorCode` and `LocalCode` in `lib/errors.ts`; a test compares them.
 *
 * @module
 */

import type { ErrorCode, LocalCode } from "../../errors.ts";

/** What there is to say about an error code. Each text is one or more sentences. */
export interface Explanation {
  /** What has happened. */
  readonly meaning: string;
  /** Why that happens. */
  readonly cause: string;
  /** What to do. */
  readonly action: string;
}

/** The explanation of every code: first those that a server sends, then those that arise at the client. */
export const EXPLANATIONS: Readonly<Record<ErrorCode | LocalCode, Explanation>> = {
  bad_frame: {
    meaning: "The peer sent bytes that are no frame of Parley, or a frame that the protocol does not " +
      "allow.",
    cause: "A program that is not a Parley client connected to the port, a proxy added bytes of its own, " +
      "or a client has a fault in its encoder.",
    action: "Check that both ends speak Parley, and TLS at both ends or at neither. For a client of your " +
      "own, look at its bytes with parley decode.",
  },
  bad_hello: {
    meaning: "The first frame was not a HELLO, or its payload was not as the protocol says.",
    cause: "A client of your own begins with another frame, or its name is empty, too long or has " +
      "control characters.",
    action: 'Send HELLO first, with "protocol":"parley/1" and a name of 1 to 64 characters. parley decode ' +
      "shows what was sent.",
  },
  unsupported_protocol: {
    meaning: "The server does not speak the version of the protocol that the client asked for.",
    cause: "Client and server are of versions that do not fit each other.",
    action: "Update the older one of the two. The message names the versions that the server speaks.",
  },
  too_large: {
    meaning: "A frame is larger than its receiver accepts.",
    cause: "A message has more bytes than the server's --max-payload (1 MiB by default), or a control " +
      "payload has more than 16 KiB.",
    action: "Send less at once: store large things elsewhere and send their address. Or raise " +
      "--max-payload of the server.",
  },
  unauthorized: {
    meaning: "The server requires a token, and there was none, or it is not valid.",
    cause: "The token is missing, cut short, expired, not yet valid, revoked, or another server's. One " +
      "of the two clocks may be wrong.",
    action: "Give a valid token with --token or PARLEY_TOKEN, or use the whole join link. Make one with " +
      "parley-server token issue. parley doctor shows the token's expiry and the difference of the " +
      "clocks.",
  },
  server_full: {
    meaning: "The server has as many connections as it allows, in all or from this address.",
    cause: "Too many clients are connected, perhaps by a program that opens connections and does not " +
      "close them.",
    action: "Try again later, close unused clients, or raise --max-connections or " +
      "--max-connections-per-address of the server.",
  },
  slow_consumer: {
    meaning:
      "The session did not read its messages fast enough, so the server, or a client over WebSocket, closed it.",
    cause: "The program was busy or stopped for longer than the server's --slow-consumer-timeout (5 s by " +
      "default), or the network is too slow.",
    action: "Iterate without long pauses, subscribe to less, or share the work with a group. What was not " +
      "delivered is lost.",
  },
  timeout: {
    meaning: "One side waited too long for the other: for a whole greeting, or for any sign of life.",
    cause: "The peer is stopped, overloaded or not a Parley server, or the network between them has " +
      "failed without closing the connection.",
    action: "Check the port, the network and the peer, then connect again.",
  },
  shutting_down: {
    meaning: "The server is stopping and takes no new sessions.",
    cause: "Its operator stops or restarts it.",
    action: "Connect again once it is back. Clients that reconnect do so by themselves.",
  },
  bad_payload: {
    meaning: "A control payload or the headers of a message are not as the protocol says.",
    cause: "It is not JSON, lacks a key, or has a value of the wrong type. A sender may have a fault in " +
      "its encoder.",
    action: "Correct what the message names. parley decode shows the bytes of a capture, --trace those of " +
      "a session.",
  },
  bad_channel: {
    meaning: "The name or pattern of a channel breaks the rules for names.",
    cause: "A name is 1 to 16 segments of A-Z a-z 0-9 _ - joined by dots, at most 128 bytes. * and a " +
      "final > are for patterns, which can be subscribed to but not published on.",
    action: "Correct the name. Put patterns in quotes, so that the shell does not expand them.",
  },
  not_open: {
    meaning: "The session used a channel that it has not opened, or has left.",
    cause: "A client of your own sent to a number before OPENED, or after LEAVE.",
    action: "Open the channel first, and use the number in OPENED.",
  },
  forbidden: {
    meaning: "The session is not permitted to do this.",
    cause: "Its token does not grant the channel for publishing, subscribing or responding, or does not " +
      "grant direct messages; $stats and $admin need the grants monitor and admin, and without tokens a client " +
      "on the server's own machine.",
    action: "Use a token with that grant: parley-server token issue --name NAME --publish, --subscribe or " +
      "--respond PATTERN, --direct, --monitor or --admin. parley doctor --channel NAME shows what is granted.",
  },
  no_responders: {
    meaning: "No session responds on the channel of the request.",
    cause: "The responder is not running, responds on another channel, or only subscribes.",
    action: "Start a responder, for example with parley respond CHANNEL --exec COMMAND, and check the " +
      "name of the channel.",
  },
  responder_gone: {
    meaning: "The responder's session ended before it replied.",
    cause: "The responder stopped, or its connection broke.",
    action: "Send the request again if it may be handled twice.",
  },
  no_reply: {
    meaning: "The responder did not reply within the server's request time.",
    cause: "The responder is too slow or has forgotten the request, or the requester did not read its " +
      "replies.",
    action: "Look at the responder's own log. Raise --request-time of the server if requests take longer " +
      "than 60 s.",
  },
  id_in_use: {
    meaning: "The session sent a request under an id that still waits for its reply.",
    cause: "A client of your own uses ids again too early.",
    action: "Use each id from 1 to 65,535 only after its reply or its ERROR has come.",
  },
  not_durable: {
    meaning: "The call is only for durable channels, and this channel is not one.",
    cause: "A receipt, an ACK, a producer or a consumer was used on a channel that the server does not " +
      "store on disk.",
    action: "Leave it out, or have the server store the channel: parley-server --durable PATTERN. " +
      "parley-server config shows which channels are stored.",
  },
  not_stored: {
    meaning: "A message for a durable channel could not be stored, and was not delivered.",
    cause: "The disk of the server is full or has failed, or the store is at a limit of its configuration " +
      'and "full" is "refuse". Every later message of the session on the channel is refused, too.',
    action: "Look at the server's log, and make room: --store-bytes bounds all durable channels together. " +
      'Then open the channel again with "retry" and send the message again.',
  },
  fenced: {
    meaning: "Another session has taken over this producer; the message was neither stored nor delivered.",
    cause: "A second program uses the same name of a producer on the channel.",
    action: "Run one program for each producer. The one that was fenced must not take the producer back " +
      "by itself.",
  },
  epoch_changed: {
    meaning: "The sequences of the channel began anew, so the place asked for is no longer there.",
    cause: "The channel was deleted, a backup was restored, or the server of a channel with history has " +
      "restarted.",
    action: "Subscribe again with from all, or from new, and treat what was seen before as another " +
      "series. Keep the new epoch with each sequence that you store.",
  },
  no_such_session: {
    meaning: "There is no session with this id.",
    cause: "It has ended. A session that reconnects has another id.",
    action: "Learn the new id, for example from presence, or use a channel instead of a direct message.",
  },
  overlap: {
    meaning: "The subscription overlaps another one of the same session, and one of them is in a group or " +
      "a consumer.",
    cause: "The session could not tell for which of the two a message is.",
    action: "Use one connection for each of them. The library's client does so by itself.",
  },
  limit: {
    meaning: "The session has reached one of the server's limits, which costs only this call.",
    cause: "Too many channels are open, or too many requests wait for their replies. The message says " +
      "which.",
    action: "Leave channels that are not used, or wait for replies. Or raise --max-channels or " +
      "--max-requests of the server.",
  },
  internal: {
    meaning: "The server or the client failed by a fault of its own.",
    cause: "This is a fault in Parley. The server's log has the details under the reference in the " +
      "message.",
    action: "Please report it, with the lines of the log.",
  },
  unreachable: {
    meaning: "Nothing answered at the address.",
    cause: "No server runs there, the address or the port is wrong, a firewall blocks it, or the network " +
      "is down. A WebSocket also needs a server with --web, a page one that allows its origin with " +
      "--web-origin, and a browser a certificate that it trusts.",
    action: "Start the server, or correct --url, --host or --port. parley doctor shows which step fails.",
  },
  untrusted: {
    meaning: "The server's certificate is not valid: another authority, another name, expired, or not " +
      "valid yet.",
    cause: "The client does not know the server's authority, connects by a name that the certificate is " +
      "not for, or one of the clocks is wrong.",
    action: "Use the server's join link, or give its ca.pem with --ca. Connect by a name of the " +
      "certificate, which parley doctor lists. Check the clock.",
  },
  not_parley: {
    meaning: "Something answered that does not speak Parley.",
    cause: "The port is that of another program, such as a web server, or one side uses TLS and the " +
      "other does not.",
    action: "Correct the port. Use --tls or a parleys:// link for a server with TLS, and neither for one " +
      "without.",
  },
  disconnected: {
    meaning: "The connection ended without a reason from the server.",
    cause: "The server was killed, a proxy closed the connection, or the network failed.",
    action: "Connect again, and look at the server's log.",
  },
  interrupted: {
    meaning: "The connection broke before the answer came. The call is not repeated, and may have had an " +
      "effect.",
    cause: "The server restarted, or the network failed. The client reconnects.",
    action: "Repeat the call if doing it twice does no harm.",
  },
  closed: {
    meaning: "The program has closed the client or server that it now uses.",
    cause: "A call was made after close(), or was still waiting when close() was called.",
    action: "Await what is under way before closing, and connect again for more.",
  },
  cannot_listen: {
    meaning: "The server cannot listen on the address.",
    cause: "Another program listens there, the address is not one of this machine, or the user may not " +
      "have the port.",
    action: "Stop the other program, or choose another address or port. Port 0 takes a free one.",
  },
  bad_argument: {
    meaning: "An argument or option is unknown, or outside its documented range.",
    cause: "A typing mistake, or two options that contradict each other.",
    action: "Correct what the message names. --help lists the options of each command.",
  },
  timed_out: {
    meaning: "A call took longer than it may.",
    cause: "The server, the responder or the network is slow, or the time is too short.",
    action: "Allow more time with --timeout or timeoutMs, or find out what is slow with parley ping.",
  },
  backlog_full: {
    meaning: "More of this client waits than may: bytes to be sent, or calls for their answers.",
    cause: "The program makes calls without awaiting them, or the connection has been down for long.",
    action: "Await each call. Raise pendingBytes, or reconnect.keptBytes for the time without a " +
      "connection.",
  },
  responder_failed: {
    meaning: "The responder failed without an error meant for the requester.",
    cause: "Its handler threw an error, or its command failed. The reason stays with the responder, " +
      "because it may be private.",
    action: "Look at the responder's own log. A handler can throw an ApplicationError to tell its " +
      "requester.",
  },
};
