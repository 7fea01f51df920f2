// Scenarios in Node. usage: node node.mjs phoenix|phoenix-1-7 websocket|longpoll [FILE]
// where FILE has the scenarios, scenarios.mjs if there is none.
import { WebSocket } from "ws"
import { drive } from "./driver.mjs"
import { makeEnv } from "./env.mjs"
import { play } from "./lib.mjs"
import { XMLHttpRequest } from "./xhr.mjs"

const [packageName, transportName, file = "scenarios.mjs"] = process.argv.slice(2)
if (packageName === "phoenix-1-7") {
  // It looks for what it needs in self, which is there in pages only.
  globalThis.self = globalThis
  globalThis.XMLHttpRequest = XMLHttpRequest
}
const phoenix = await import(packageName)
const env = makeEnv(JSON.parse(process.env.BENNU_ENV), transportName, phoenix, WebSocket)

const { plan, scenarios } = await import(`./${file}`)
const { run, left } = plan(packageName, transportName)
await drive(Object.fromEntries(run.map(name => [name, () => play(scenarios[name], env)])), left)

// Pushes that nobody answered still have their timers.
process.exit()
