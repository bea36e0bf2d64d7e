// The protocol between the Rust tests and these programs: one JSON object per line.
//
// stdin   {"id": 1, "do": "connect", ...}: a command
// stdout  {"id": 1, "ok": value} or {"id": 1, "error": "..."}: the answer to a command, in any order
//         {"event": "message", ...}: an event that no command asked for
// The program ends when stdin does, so it never outlives the test.

import { createInterface } from 'node:readline'

const write = (line) => process.stdout.write(JSON.stringify(line) + '\n')

export const happened = (event, details) => write({ event, ...details })

export function serve(commands, atEnd = () => {}) {
  const lines = createInterface({ input: process.stdin })
  lines.on('line', async (line) => {
    const { id, do: command, ...args } = JSON.parse(line)
    try {
      write({ id, ok: (await commands[command](args)) ?? null })
    } catch (error) {
      write({ id, error: String(error?.message ?? error) })
    }
  })
  lines.on('close', async () => {
    await atEnd()
    process.exit(0)
  })
}

export async function until(seconds, what, attempt) {
  const end = Date.now() + seconds * 1000
  let last
  for (;;) {
    try {
      const value = await attempt()
      if (value !== undefined) return value
    } catch (error) {
      last = error
    }
    if (Date.now() > end) throw new Error(`gave up after ${seconds} s: ${what}${last ? ` (${last.message})` : ''}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
