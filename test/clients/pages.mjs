// Scenarios in pages of headless Chromium, each client over each transport in a page of its own.
// usage: node pages.mjs FILE, where FILE has the scenarios.
import { launch } from "./chromium.mjs"
import { drive } from "./driver.mjs"
import { assert, equal, patience } from "./lib.mjs"

const [file] = process.argv.slice(2)
const { plan } = await import(`./${file}`)

// The addresses for each client and transport, such as "phoenix/websocket".
const sites = JSON.parse(process.env.BENNU_ENV)
const browser = await launch()

// run runs one scenario in a new page. An exception that nobody caught there fails it.
async function run(site, scenario) {
  const page = await browser.newPage()
  try {
    page.setDefaultTimeout(patience)
    const faults = []
    page.on("pageerror", error => faults.push(error.stack ?? String(error)))
    const [client, transport] = site.split("/")
    const query = new URLSearchParams({ client, transport, file, env: JSON.stringify(sites[site]) })
    await page.goto(`${sites[site].pageURL}/page.html?${query}`)
    await page.waitForSelector("body[data-ready]")
    // The text of the error, since a page's stack would lose its lines here.
    const failure = await page.evaluate(name => window.runScenario(name).then(() => "", e => e.stack ?? String(e)), scenario)
    assert(failure === "", failure)
    equal(faults, [], "exceptions in the page")
  } finally {
    await page.close()
  }
}

try {
  const scenarios = {}
  const without = {}
  for (const site of Object.keys(sites)) {
    const { run: names, left } = plan(...site.split("/"))
    for (const name of names) scenarios[`${site}/${name}`] = () => run(site, name)
    for (const [name, why] of Object.entries(left)) without[`${site}/${name}`] = why
  }
  await drive(scenarios, without)
} finally {
  await browser.close()
}
