// Stock clients that join a topic and tell, a line each, what happens to them.
// usage: node outage.mjs ws://host:port/socket NUMBER [longpoll]
import { createRequire } from "node:module"
import { connect, channel } from "../clients/lib.mjs"

const require = createRequire(new URL("../clients/", import.meta.url))
const [, , url, number, polls] = process.argv
const phoenix = require("phoenix")
const env = { url, phoenix, transport: polls ? phoenix.LongPoll : require("ws").WebSocket }

// phoenix.js prints what it cannot parse, such as the refusals of a proxy.
const print = console.log
console.log = console.error

process.stdin.on("end", () => process.exit()).resume()

function run(i) {
  const say = (...what) => print(i, ...what)
  const client = connect(env)
  let open = false
  client.socket.onOpen(() => (open = true))
  // An attempt to connect that fails is closed, too, and is no loss.
  client.socket.onClose(event => {
    if (open) say("lost", event.code)
    open = false
  })
  channel(client, "room:outage", { name: `guest ${i}` }).join().receive("ok", () => say("joined"))
}

for (let i = 0; i < Number(number); i++) run(i)
