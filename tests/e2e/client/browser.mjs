// A person at the chat page, in a headless Chromium, driven by lines on stdin (see lines.mjs).
//
// open {url, seconds}           load the page
// join {name, room, seconds}    fill the form, press the button, wait for the connection; answers with its pod
// say {text}                    type a message and press the button
// sees {text, seconds}          wait until the messages hold the text
// status {is, seconds}          wait until the page shows this status: connected, reconnecting or offline
// leaves {pod, seconds}         wait until another pod than this one serves the page
// screenshot {path}

import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { serve, until } from './lines.mjs'

const executablePath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/google-chrome'].find(existsSync)
const quiet = ['gpu', 'background-networking', 'component-update', 'sync', 'extensions'].map((what) => `--disable-${what}`)
let browser
let page
const problems = []

const text = (selector) => page.locator(selector).innerText()

async function reaches(selector, expected, seconds) {
  let last
  try {
    return await until(seconds, `${selector} to have “${expected}”`, async () => {
      last = await text(selector)
      return last.includes(expected) ? last : undefined
    })
  } catch (error) {
    throw new Error(`${error.message}; it had “${last}”; the browser's console: ${JSON.stringify(problems)}`)
  }
}

serve(
  {
    async open({ url, seconds = 60 }) {
      browser ??= await chromium.launch({ executablePath, args: ['--no-sandbox', '--no-first-run', ...quiet] })
      page = await browser.newPage()
      page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
      page.on('pageerror', (error) => problems.push(error.message))
      page.on('requestfailed', (request) => problems.push(`${request.url()}: ${request.failure()?.errorText}`))
      await page.goto(url, { timeout: seconds * 1000 })
      return { title: await page.title() }
    },
    async join({ name, room, seconds = 30 }) {
      await page.locator('#name').fill(name)
      await page.locator('#room').fill(room)
      await page.locator('#join').click()
      await reaches('#status', 'connected', seconds)
      return { pod: await until(seconds, 'the page to name its pod', async () => (await text('#pod')) || undefined) }
    },
    async say({ text }) {
      await page.locator('#text').fill(text)
      await page.locator('#send').click()
    },
    sees: ({ text, seconds = 30 }) => reaches('#messages', text, seconds),
    status: ({ is, seconds = 30 }) => reaches('#status', is, seconds),
    leaves: ({ pod, seconds }) =>
      until(seconds, `another pod than ${pod} to serve the page`, async () => {
        const now = await text('#pod')
        return now && !now.includes(pod) ? now : undefined
      }),
    screenshot: ({ path }) => page.screenshot({ path }),
  },
  () => browser?.close(),
)
