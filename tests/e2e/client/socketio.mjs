// Chat clients built on npm's unmodified socket.io-client, each with a name, driven by stdin (see lines.mjs):
// the same commands and events as signalr.mjs, for the chat of samples/socketio.
//
// connect {client, url, avoid: [pod], seconds}  connect until the pod is none of `avoid`
// join {client, room}   leave {client, room}   send {client, room, text}   stop {client}
// Events: message {client, room, from, text, pod}, reconnecting {client}, reconnected {client, pod}

import { io } from 'socket.io-client'
import { happened, serve, until } from './lines.mjs'

const clients = new Map()
const patience = 5_000

const commands = {
  async connect({ client, url, avoid = [], seconds = 30 }) {
    let tries = 0
    const seen = new Set()
    const socket = await until(seconds, `a hub other than [${avoid}] at ${url}`, async () => {
      tries += 1
      const socket = await open(url)
      seen.add(socket.pod)
      if (!avoid.includes(socket.pod)) return socket
      socket.disconnect()
      throw new Error(`after ${tries} tries only ${[...seen]}`)
    })
    listen(client, socket)
    clients.set(client, socket)
    return { pod: socket.pod, connectionId: socket.id, tries }
  },
  // While the client's hub is being replaced, this waits until the client is connected again.
  async join({ client, room, seconds = 30 }) {
    const socket = clients.get(client)
    socket.joined.add(room)
    return until(seconds, `${client} to join ${room}`, () => join(socket, room, client))
  },
  async leave({ client, room }) {
    const socket = clients.get(client)
    socket.joined.delete(room)
    await socket.timeout(patience).emitWithAck('leave', room)
  },
  async send({ client, room, text }) {
    await clients.get(client).timeout(patience).emitWithAck('send', room, text)
  },
  stop({ client }) {
    clients.get(client).disconnect()
    clients.delete(client)
  },
}

async function join(socket, room, name) {
  await socket.timeout(patience).emitWithAck('join', room, name)
  return null
}

// Opens a connection and waits for its welcome, which names the pod.
async function open(url) {
  const socket = io(url, { transports: ['websocket'], forceNew: true, reconnectionDelay: 300, reconnectionDelayMax: 300 })
  socket.joined = new Set()
  await new Promise((resolve, reject) => {
    socket.once('welcome', ({ pod }) => {
      socket.pod = pod
      resolve()
    })
    socket.once('connect_error', (error) => {
      socket.disconnect()
      reject(error)
    })
  })
  return socket
}

// Reports the events of a connection. After a reconnection it rejoins its rooms.
function listen(client, socket) {
  socket.on('message', (message) => happened('message', { client, ...message }))
  socket.on('disconnect', () => happened('reconnecting', { client }))
  socket.on('welcome', async ({ pod }) => {
    socket.pod = pod
    try {
      for (const room of socket.joined) await join(socket, room, client)
      happened('reconnected', { client, pod })
    } catch {
      // The connection was lost again meanwhile: the next reconnection joins the rooms.
    }
  })
}

serve(commands, () => clients.forEach((socket) => socket.disconnect()))
