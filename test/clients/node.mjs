// Scenarios in Node. usage: node node.mjs PACKAGE websocket|longpoll [FILE]
// where PACKAGE is phoenix or one of an older version, such as phoenix-1-7, and FILE has the
// scenarios, scenarios.mjs if there is none.
import { WebSocket } from "ws"
import { drive } from "./driver.mjs"
import { makeEnv } from "./env.mjs"
import * as lib from "./lib.mjs"
import { XMLHttpRequest } from "./xhr.mjs"

const [packageName, transportName, file = "scenarios.mjs"] = process.argv.slice(2)
if (packageName !== "phoenix") {
  // They look for what they need in self, which is there in pages only.
  globalThis.self = globalThis
  globalThis.XMLHttpRequest = XMLHttpRequest
}
const module = await import(packageName)
const phoenix = module.Socket ? module : module.default // before 1.6
const env = makeEnv(JSON.parse(process.env.BENNU_ENV), transportName, phoenix, WebSocket)

const { plan, play = lib.play, scenarios } = await import(`./${file}`)
const { run, left } = plan(packageName, transportName)
await drive(Object.fromEntries(run.map(name => [name, () => play(scenarios[name], env)])), left)

// Pushes that nobody answered still have their timers.
process.exit()
