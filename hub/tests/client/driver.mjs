// Drives one unmodified @microsoft/signalr client by JSON lines on standard input: { id, do, target,
// arguments }. It answers { id, value } or { id, error }, and reports events as { event, value }. It ends
// with its input. The drivers in ../client-python and ../client-java use the same lines;
// ../it/support/client.rs runs all of them.
//
// node driver.mjs URL TRANSPORT PROTOCOL [skip-negotiation] [stateful] [impatient]
// TRANSPORT: auto, WebSockets, ServerSentEvents or LongPolling. PROTOCOL: json or messagepack.

import { createInterface } from "node:readline";

import { HttpTransportType, HubConnectionBuilder, LogLevel, Subject } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";

const [url, transport, protocol, ...more] = process.argv.slice(2);
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const words = (error) => (error instanceof Error ? error.message : String(error));

const builder = new HubConnectionBuilder()
  .withUrl(url, {
    transport: transport === "auto" ? undefined : HttpTransportType[transport],
    skipNegotiation: more.includes("skip-negotiation"),
  })
  .withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => 100 })
  .configureLogging(LogLevel.None);
if (protocol === "messagepack") {
  builder.withHubProtocol(new MessagePackHubProtocol());
}
if (more.includes("stateful")) {
  builder.withStatefulReconnect();
}
const connection = builder.build();
if (more.includes("impatient")) {
  connection.keepAliveIntervalInMilliseconds = 1_000;
  connection.serverTimeoutInMilliseconds = 10_000;
}

for (const event of ["welcome", "message", "gap", "presence", "typing", "told", "draw"]) {
  connection.on(event, (value) => say({ event, value: value ?? null }));
}
// Calls from outside the chat, with any arguments, and handlers that return results.
connection.on("note", (...value) => say({ event: "note", value }));
connection.on("echo", (...values) => values);
connection.on("fail", () => {
  throw new Error("not today");
});
connection.onreconnecting((error) => say({ event: "reconnecting", value: error ? words(error) : null }));
connection.onreconnected((id) => say({ event: "reconnected", value: id }));
connection.onclose((error) => say({ event: "closed", value: error ? words(error) : null }));

const subscriptions = new Map();
const actions = {
  start: async () => {
    await connection.start();
    return connection.connectionId;
  },
  invoke: ({ target, arguments: args }) => connection.invoke(target, ...args),
  send: ({ target, arguments: args }) => connection.send(target, ...args),
  // Answers when the stream ends, and reports its items as { event: "item", value: { stream, item } }.
  stream: ({ id, target, arguments: args }) =>
    new Promise((complete, error) => {
      const next = (item) => say({ event: "item", value: { stream: id, item } });
      subscriptions.set(id, connection.stream(target, ...args).subscribe({ next, complete, error }));
    }),
  cancel: async ({ stream }) => subscriptions.get(stream).dispose(),
  // Invokes a method with a stream of `items` as the last argument.
  upload: async ({ target, arguments: args, items }) => {
    const subject = new Subject();
    const answer = connection.invoke(target, ...args, subject);
    items.forEach((item) => subject.next(item));
    subject.complete();
    return answer;
  },
  stop: () => connection.stop(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  actions[order.do](order).then(
    (value) => say({ id: order.id, value: value ?? null }),
    (error) => say({ id: order.id, error: words(error) }),
  );
}
process.exit(0);
