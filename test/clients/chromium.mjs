// The browser of the scenarios in pages.
import { chromium } from "playwright-core"
import { patience } from "./lib.mjs"

// Everything is new in its profile, and it asks nothing of the network but what the pages do.
export const options = {
  executablePath: process.env.BENNU_CHROMIUM,
  headless: true,
  timeout: patience,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
}

export const launch = () => chromium.launch(options)

// launchToKill starts one more browser, which kill ends as a crash would.
export async function launchToKill() {
  const server = await chromium.launchServer(options)
  return { browser: await chromium.connect(server.wsEndpoint()), kill: () => server.kill() }
}
