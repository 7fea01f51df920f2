// The scenarios in Node, over ws. usage: node node.mjs phoenix|phoenix-1-7
import { WebSocket } from "ws"
import { drive } from "./driver.mjs"
import { makeEnv } from "./env.mjs"
import { disconnectAll } from "./lib.mjs"
import { namesFor, scenarios } from "./scenarios.mjs"

const packageName = process.argv[2]
const phoenix = await import(packageName)
const env = makeEnv(JSON.parse(process.env.BENNU_ENV), packageName, phoenix, WebSocket)

await drive(Object.fromEntries(namesFor(packageName).map(name => [name, async () => {
  try {
    await scenarios[name](env)
  } finally {
    await disconnectAll()
  }
}])))

// Pushes that nobody answered still have their timers.
process.exit()
