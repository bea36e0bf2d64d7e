// A Socket.IO chat on any number of pods: a message sent to one of them reaches the clients of all, through Redis.
// The variables are those of chatcluster's hub contract: docs/bring-your-own-hub.md.

import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createShardedAdapter } from '@socket.io/redis-adapter'
import { createClient } from 'redis'
import { Server } from 'socket.io'

const { REDIS_SERVER, REDIS_PORT, REDIS_PASSWORD_FILE, BACKPLANE_EVENT_KEY, POD_NAME, HUB_PORT } = process.env

// Each connection to Redis reads the password again, so a changed password needs no restart. Lost connections are retried for
// as long as it takes; a connection without any data for 15 s, pings included, counts as lost.
const publisher = createClient({
  name: POD_NAME,
  credentialsProvider: {
    type: 'async-credentials-provider',
    credentials: async () => ({ password: await readFile(REDIS_PASSWORD_FILE, 'utf8') }),
  },
  pingInterval: 5_000,
  socket: {
    host: REDIS_SERVER,
    port: Number(REDIS_PORT),
    socketTimeout: 15_000,
    reconnectStrategy: (retries) => Math.min(100 * (retries + 1), 2_000),
  },
})
const subscriber = publisher.duplicate()
for (const redis of [publisher, subscriber]) redis.on('error', (error) => console.error(`Redis: ${error}`))

const page = await readFile(new URL('index.html', import.meta.url))
const http = createServer((request, response) => {
  if (request.url === '/readyz') {
    const ready = publisher.isReady && subscriber.isReady
    response.writeHead(ready ? 200 : 503).end(ready ? 'ready\n' : 'no connection to Redis\n')
  } else if (request.url === '/') {
    response.setHeader('Content-Type', 'text/html; charset=utf-8').end(page)
  } else {
    response.writeHead(404).end()
  }
})

// Channels begin with the event key, which is unique to the ChatCluster. "static": all subscriptions exist from the start.
const adapter = createShardedAdapter(publisher, subscriber, {
  channelPrefix: BACKPLANE_EVENT_KEY,
  subscriptionMode: 'static',
})
const io = new Server(http, { adapter })

const answer = (done) => typeof done === 'function' && done() // a client may send anything, and nothing of it may throw

io.on('connection', (socket) => {
  socket.emit('welcome', { pod: POD_NAME })
  socket.on('join', (room, name, done) => {
    socket.data.name = name
    socket.join(room)
    answer(done)
  })
  socket.on('leave', (room, done) => {
    socket.leave(room)
    answer(done)
  })
  socket.on('send', (room, text, done) => {
    io.to(room).emit('message', { room, from: socket.data.name, text, pod: POD_NAME })
    answer(done)
  })
})

// Kubernetes asks us to end: io.close() makes the clients reconnect, to another pod.
process.once('SIGTERM', async () => {
  setTimeout(() => process.exit(), 20_000) // for clients that do not disconnect
  await io.close()
  process.exit()
})

http.listen(Number(HUB_PORT)) // from now on /readyz answers, with 200 once Redis is connected
await Promise.all([publisher.connect(), subscriber.connect()])
