// The scenarios in a page of headless Chromium, and chats between tabs.
// usage: node browser.mjs phoenix|phoenix-1-7 websocket|longpoll
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { chromium } from "playwright-core"
import { drive } from "./driver.mjs"
import { assert, equal, patience } from "./lib.mjs"
import { plan } from "./scenarios.mjs"

const [packageName, transportName] = process.argv.slice(2)
const settings = JSON.parse(process.env.BENNU_ENV)
const profile = await mkdtemp(join(tmpdir(), "bennu-chromium-"))

// A browser of its own with an empty profile, which asks nothing of the network
// but what the page does.
const launch = {
  executablePath: process.env.BENNU_CHROMIUM || "/usr/bin/chromium",
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
}
const browser = await chromium.launchPersistentContext(profile, launch)
browser.setDefaultTimeout(patience)

// openPage loads the page and notes every exception that nobody caught there.
async function openPage(context = browser) {
  const page = await context.newPage()
  page.faults = []
  page.on("pageerror", error => page.faults.push(error.stack ?? String(error)))
  const query = new URLSearchParams({ client: packageName, transport: transportName, env: JSON.stringify(settings) })
  await page.goto(`${settings.pageURL}/page.html?${query}`)
  await page.waitForSelector("body[data-ready]")
  return page
}

async function closePage(page) {
  await page.close()
  equal(page.faults, [], "exceptions in the page")
}

// The scenarios share a page as those in Node share a process: to open one takes
// longer than most of them. After a failure comes a new one.
let shared

async function inPage(name) {
  const page = shared ?? await openPage()
  shared = undefined
  // The text of the error, since a page's stack would lose its lines here.
  const failure = await page.evaluate(n => window.runScenario(n).then(() => "", e => e.stack ?? String(e)), name)
  if (failure === "" && page.faults.length === 0) shared = page
  else await page.close()
  assert(failure === "", failure)
  equal(page.faults, [], "exceptions in the page")
}

// A tab is a page with the chat open.
async function openTab(topic, name, context = browser) {
  const page = await openPage(context)
  await page.evaluate(([t, n]) => window.chat(t, n), [topic, name])
  await joins(page, 1)
  return page
}

const joins = (page, n) => page.waitForFunction(want => Number(document.body.dataset.joins) === want, n)

async function say(page, text) {
  await page.fill("#text", text)
  await page.press("#text", "Enter")
}

// lines waits until the chat shows exactly these.
async function lines(page, ...want) {
  await page.waitForFunction(n => document.querySelectorAll("#lines li").length >= n, want.length)
  equal(await page.locator("#lines li").allTextContents(), want, "lines")
}

// here waits until the tab shows that exactly these are here.
async function here(page, ...want) {
  const list = () => page.locator("#here li").allTextContents()
  try {
    await page.waitForFunction(names =>
      JSON.stringify([...document.querySelectorAll("#here li")].map(li => li.textContent).sort()) === names, JSON.stringify(want.sort()))
  } catch (error) {
    throw new Error(`here are ${await list()}, want ${want}`, { cause: error })
  }
}

// killPage ends the process of a page: no code of the page runs any more.
async function killPage(page) {
  const dead = page.waitForEvent("crash")
  const devtools = await page.context().newCDPSession(page)
  devtools.send("Page.crash").catch(() => {}) // who should answer
  await dead
  await page.close()
}

const tabs = {
  async "two tabs chat"() {
    const [ann, bob] = [await openTab("room:tabs", "ann"), await openTab("room:tabs", "bob")]
    await say(ann, "hello")
    await lines(bob, "ann: hello")
    await say(bob, "<b>hi</b> ü 😀")
    for (const tab of [ann, bob]) await lines(tab, "ann: hello", "bob: <b>hi</b> ü 😀")
    await closePage(ann)
    await say(bob, "gone?")
    await lines(bob, "ann: hello", "bob: <b>hi</b> ü 😀", "bob: gone?")
    await closePage(bob)
  },

  async "a crash in one tab leaves the other alone"() {
    const [ann, bob] = [await openTab("room:crashing-tabs", "ann"), await openTab("room:crashing-tabs", "bob")]
    await ann.click("#crash")
    await joins(ann, 2)
    await say(ann, "back")
    for (const tab of [ann, bob]) await lines(tab, "ann: back")
    await joins(bob, 1)
    await closePage(ann)
    await closePage(bob)
  },

  async "two tabs come back after a restart of the server"() {
    const [ann, bob] = [await openTab("room:lasting-tabs", "ann"), await openTab("room:lasting-tabs", "bob")]
    const answer = await fetch(`${settings.controlURL}/restart`, { method: "POST" })
    assert(answer.ok, `restart: ${answer.status}`)
    for (const tab of [ann, bob]) await joins(tab, 2)
    await say(ann, "still here")
    for (const tab of [ann, bob]) await lines(tab, "ann: still here")
    await closePage(ann)
    await closePage(bob)
  },

  async "a reload joins again"() {
    const [ann, bob] = [await openTab("room:reloaded-tabs", "ann"), await openTab("room:reloaded-tabs", "bob")]
    await ann.reload()
    await ann.waitForSelector("body[data-ready]")
    await ann.evaluate(([t, n]) => window.chat(t, n), ["room:reloaded-tabs", "ann"])
    await joins(ann, 1)
    await say(bob, "welcome")
    for (const tab of [ann, bob]) await lines(tab, "bob: welcome")
    await closePage(ann)
    await closePage(bob)
  },

  async "presence: three tabs see each other, until one is closed, and one is killed"() {
    const topic = "room:presence-tabs"
    const [ann, bob, cy] = [await openTab(topic, "ann"), await openTab(topic, "bob"), await openTab(topic, "cy")]
    for (const tab of [ann, bob, cy]) await here(tab, "ann", "bob", "cy")
    const second = await openTab(topic, "ann")
    for (const tab of [ann, bob, cy, second]) await here(tab, "ann (2)", "bob", "cy")
    await killPage(cy)
    for (const tab of [ann, bob, second]) await here(tab, "ann (2)", "bob")
    await killPage(second)
    for (const tab of [ann, bob]) await here(tab, "ann", "bob")
    await closePage(ann)
    await here(bob, "bob")
    await closePage(bob)
  },

  async "presence: a browser is killed, and its tabs leave"() {
    const topic = "room:presence-killed-browser"
    const ann = await openTab(topic, "ann")
    const server = await chromium.launchServer(launch)
    try {
      const other = await (await chromium.connect(server.wsEndpoint())).newContext()
      other.setDefaultTimeout(patience)
      const [bob, cy] = [await openTab(topic, "bob", other), await openTab(topic, "cy", other)]
      for (const tab of [ann, bob, cy]) await here(tab, "ann", "bob", "cy")
    } finally {
      await server.kill()
    }
    await here(ann, "ann")
    await closePage(ann)
  },
}

try {
  const { run, left } = plan(packageName, transportName)
  await drive({ ...Object.fromEntries(run.map(name => [name, () => inPage(name)])), ...tabs }, left)
} finally {
  await browser.close()
  await rm(profile, { recursive: true, force: true })
}
