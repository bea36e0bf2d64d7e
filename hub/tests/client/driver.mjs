// One unmodified @microsoft/signalr client, led by JSON lines on standard input: { id, do, target, arguments }.
// It answers { id, value } or { id, error }, and tells what it hears as { event, value }. It ends with its input.
//
// node driver.mjs URL [skip-negotiation]

import { createInterface } from "node:readline";

import { HttpTransportType, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";

const [url, skip] = process.argv.slice(2);
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const words = (error) => (error instanceof Error ? error.message : String(error));

const options = skip ? { skipNegotiation: true, transport: HttpTransportType.WebSockets } : {};
const connection = new HubConnectionBuilder()
  .withUrl(url, options)
  .withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => 100 })
  .configureLogging(LogLevel.None)
  .build();

for (const event of ["welcome", "message", "gap", "presence", "typing", "told", "draw"]) {
  connection.on(event, (value) => say({ event, value: value ?? null }));
}
connection.onreconnecting((error) => say({ event: "reconnecting", value: error ? words(error) : null }));
connection.onreconnected((id) => say({ event: "reconnected", value: id }));
connection.onclose((error) => say({ event: "closed", value: error ? words(error) : null }));

const actions = {
  start: async () => {
    await connection.start();
    return connection.connectionId;
  },
  invoke: ({ target, arguments: args }) => connection.invoke(target, ...args),
  send: ({ target, arguments: args }) => connection.send(target, ...args),
  stream: ({ target, arguments: args }) =>
    new Promise((complete, error) => connection.stream(target, ...args).subscribe({ next() {}, complete, error })),
  stop: () => connection.stop(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: action, ...rest } = JSON.parse(line);
  actions[action](rest).then(
    (value) => say({ id, value: value ?? null }),
    (error) => say({ id, error: words(error) }),
  );
}
process.exit(0);
