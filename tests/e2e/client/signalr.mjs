// Chat clients built on npm's unmodified @microsoft/signalr, each with a name, driven by stdin (see
// lines.mjs).
//
// connect {client, url, avoid: [pod], seconds, skipNegotiation}  connect until the pod is none of `avoid`
// join {client, room}   leave {client, room}   send {client, room, text}   stop {client}
// Events: message {client, room, from, text, pod}, reconnecting {client}, reconnected {client, pod},
// closed {client, error}

import { HttpTransportType, HubConnectionBuilder, LogLevel } from '@microsoft/signalr'
import { happened, serve, until } from './lines.mjs'

const clients = new Map()
const patiently = { nextRetryDelayInMilliseconds: () => 300 }

const commands = {
  async connect({ client, url, avoid = [], seconds = 30, skipNegotiation = false }) {
    let tries = 0
    const seen = new Set()
    const what = `a hub other than [${avoid}] at ${url}`
    const connection = await until(seconds, what, async () => {
      tries += 1
      const { connection, pod } = await open(client, url, skipNegotiation)
      seen.add(pod)
      if (!avoid.includes(pod)) return connection
      connection.joined.clear()
      await connection.stop()
      throw new Error(`after ${tries} tries only ${[...seen]}`)
    })
    clients.set(client, connection)
    return { pod: connection.pod, connectionId: connection.connectionId, tries }
  },
  // While the client's hub is being replaced, this waits until the client is connected again.
  async join({ client, room, seconds = 30 }) {
    const connection = clients.get(client)
    connection.joined.add(room)
    return until(seconds, `${client} to join ${room}`, () => connection.invoke('Join', room, client))
  },
  async leave({ client, room }) {
    const connection = clients.get(client)
    connection.joined.delete(room)
    return connection.invoke('Leave', room)
  },
  send: ({ client, room, text }) => clients.get(client).invoke('Send', room, text),
  async stop({ client }) {
    const connection = clients.get(client)
    clients.delete(client)
    await connection.stop()
  },
}

// Opens a connection and waits for its welcome, which names the pod. After a reconnection it rejoins its
// rooms.
async function open(client, url, skipNegotiation) {
  const options = skipNegotiation ? { skipNegotiation, transport: HttpTransportType.WebSockets } : {}
  const connection = new HubConnectionBuilder()
    .withUrl(url, options)
    .withAutomaticReconnect(patiently)
    .configureLogging(LogLevel.None)
    .build()
  connection.joined = new Set()
  // Each resolves at the next welcome, also if that is the one of a later reconnection: a hub that ends
  // tells a client that has just arrived to reconnect, perhaps before it has welcomed it.
  const waiting = []
  const nextWelcome = () => new Promise((resolve) => waiting.push(resolve))

  connection.on('welcome', ({ pod }) => {
    connection.pod = pod
    for (const resolve of waiting.splice(0)) resolve()
  })
  connection.on('message', (message) => happened('message', { client, ...message }))
  let welcomedAgain
  connection.onreconnecting(() => {
    welcomedAgain = nextWelcome()
    happened('reconnecting', { client })
  })
  connection.onreconnected(async () => {
    const welcome = welcomedAgain
    await welcome
    if (welcome !== welcomedAgain) return // The connection was lost again: the next reconnection goes on.
    try {
      for (const room of connection.joined) await connection.invoke('Join', room, client)
      happened('reconnected', { client, pod: connection.pod })
    } catch {
      // The connection was lost meanwhile: the next reconnection joins the rooms.
    }
  })
  connection.onclose((error) => {
    if (clients.get(client) === connection) happened('closed', { client, error: error?.message })
  })

  const welcome = nextWelcome()
  await connection.start()
  await welcome
  return { connection, pod: connection.pod }
}

serve(commands)
