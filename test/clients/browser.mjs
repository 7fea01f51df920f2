// The scenarios in pages of headless Chromium, and chats between tabs, with each client
// over each transport at one time.
import { launch, launchToKill } from "./chromium.mjs"
import { drive } from "./driver.mjs"
import { assert, equal, patience } from "./lib.mjs"
import { plan } from "./scenarios.mjs"

// The addresses of scenarios.mjs for each client and transport, such as "phoenix/websocket".
const sites = JSON.parse(process.env.BENNU_ENV)
const browser = await launch()

// To open a tab takes longer than most scenarios. So those that are done with one leave it
// here to the next, which loads its own page there.
const spare = []

async function newTab(of = browser) {
  const tab = await of.newPage()
  tab.setDefaultTimeout(patience)
  tab.faults = []
  tab.on("pageerror", error => tab.faults.push(error.stack ?? String(error)))
  return tab
}

// openPage loads the page of a site. Every exception that nobody caught there is noted.
async function openPage(name, page) {
  page ??= spare.pop() ?? await newTab()
  page.faults.length = 0
  const [client, transport] = name.split("/")
  const query = new URLSearchParams({ client, transport, env: JSON.stringify(sites[name]) })
  await page.goto(`${sites[name].pageURL}/page.html?${query}`)
  await page.waitForSelector("body[data-ready]")
  return page
}

// leave is for a page that is not needed any more.
function leave(page) {
  equal(page.faults, [], "exceptions in the page")
  spare.push(page)
}

async function closePage(page) {
  await page.close()
  equal(page.faults, [], "exceptions in the page")
}

// inPage runs the scenarios of a site as Node does, all in one page. After a failure comes
// a new one.
function inPage(site) {
  let shared
  return async name => {
    const page = shared ?? await openPage(site)
    shared = undefined
    // The text of the error, since a page's stack would lose its lines here.
    const failure = await page.evaluate(n => window.runScenario(n).then(() => "", e => e.stack ?? String(e)), name)
    if (failure === "" && page.faults.length === 0) shared = page
    else await page.close()
    assert(failure === "", failure)
    equal(page.faults, [], "exceptions in the page")
  }
}

// openTab opens a page with the chat in it.
async function openTab(site, topic, name, page) {
  page = await openPage(site, page)
  await page.evaluate(([t, n]) => window.chat(t, n), [topic, name])
  await joins(page, 1)
  return page
}

const joins = (page, n) => page.waitForFunction(want => Number(document.body.dataset.joins) >= want, n)

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

// tabs are the scenarios with several tabs of one site.
const tabs = site => ({
  async "two tabs chat"() {
    const [ann, bob] = await Promise.all([openTab(site, "room:tabs", "ann"), openTab(site, "room:tabs", "bob")])
    await say(ann, "hello")
    await lines(bob, "ann: hello")
    await say(bob, "<b>hi</b> ü 😀")
    for (const tab of [ann, bob]) await lines(tab, "ann: hello", "bob: <b>hi</b> ü 😀")
    await closePage(ann)
    await say(bob, "gone?")
    await lines(bob, "ann: hello", "bob: <b>hi</b> ü 😀", "bob: gone?")
    leave(bob)
  },

  async "a crash in one tab leaves the other alone"() {
    const [ann, bob] = await Promise.all([openTab(site, "room:crashing-tabs", "ann"), openTab(site, "room:crashing-tabs", "bob")])
    await ann.click("#crash")
    await joins(ann, 2)
    await say(ann, "back")
    for (const tab of [ann, bob]) await lines(tab, "ann: back")
    equal(await bob.evaluate(() => document.body.dataset.joins), "1", "joins of the other")
    leave(ann)
    leave(bob)
  },

  async "two tabs come back after a restart of the server"() {
    const [ann, bob] = await Promise.all([openTab(site, "room:lasting-tabs", "ann"), openTab(site, "room:lasting-tabs", "bob")])
    const answer = await fetch(`${sites[site].controlURL}/restart`, { method: "POST" })
    assert(answer.ok, `restart: ${answer.status}`)
    for (const tab of [ann, bob]) await joins(tab, 2)
    await say(ann, "still here")
    for (const tab of [ann, bob]) await lines(tab, "ann: still here")
    leave(ann)
    leave(bob)
  },

  async "a reload joins again"() {
    const [ann, bob] = await Promise.all([openTab(site, "room:reloaded-tabs", "ann"), openTab(site, "room:reloaded-tabs", "bob")])
    await ann.reload()
    await ann.waitForSelector("body[data-ready]")
    await ann.evaluate(([t, n]) => window.chat(t, n), ["room:reloaded-tabs", "ann"])
    await joins(ann, 1)
    await say(bob, "welcome")
    for (const tab of [ann, bob]) await lines(tab, "bob: welcome")
    leave(ann)
    leave(bob)
  },

  async "presence: three tabs see each other, until one is closed, and one is killed"() {
    const topic = "room:presence-tabs"
    const [ann, bob, cy] = await Promise.all(["ann", "bob", "cy"].map(name => openTab(site, topic, name)))
    for (const tab of [ann, bob, cy]) await here(tab, "ann", "bob", "cy")
    const second = await openTab(site, topic, "ann")
    for (const tab of [ann, bob, cy, second]) await here(tab, "ann (2)", "bob", "cy")
    await killPage(cy)
    for (const tab of [ann, bob, second]) await here(tab, "ann (2)", "bob")
    await closePage(second)
    for (const tab of [ann, bob]) await here(tab, "ann", "bob")
    await closePage(ann)
    await here(bob, "bob")
    leave(bob)
  },
})

// With all sites at one time.
const all = {
  async "presence: a browser is killed, and its tabs leave"() {
    const topic = "room:presence-killed-browser"
    const names = Object.keys(sites)
    const anns = await Promise.all(names.map(site => openTab(site, topic, "ann")))
    const doomed = await launchToKill()
    try {
      const bobs = await Promise.all(names.map(async site => openTab(site, topic, "bob", await newTab(doomed.browser))))
      for (const tab of [...anns, ...bobs]) await here(tab, "ann", "bob")
    } finally {
      await doomed.kill()
    }
    for (const ann of anns) await here(ann, "ann")
    anns.forEach(leave)
  },
}

try {
  const scenarios = {}
  const without = {}
  for (const site of Object.keys(sites)) {
    const { run, left } = plan(...site.split("/"))
    const one = inPage(site)
    for (const name of run) scenarios[`${site}/${name}`] = () => one(name)
    for (const [name, scenario] of Object.entries(tabs(site))) scenarios[`${site}/${name}`] = scenario
    for (const [name, why] of Object.entries(left)) without[`${site}/${name}`] = why
  }
  for (const [name, scenario] of Object.entries(all)) scenarios[`all/${name}`] = scenario
  await drive(scenarios, without)
} finally {
  await browser.close()
}
