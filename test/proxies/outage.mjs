// Stock clients that join a topic and tell, a line each, what happens to them.
// usage: node outage.mjs ws://host:port/socket NUMBER
import { createRequire } from "node:module"
import { connect, channel } from "../clients/lib.mjs"

const require = createRequire(new URL("../clients/", import.meta.url))
const env = { url: process.argv[2], phoenix: require("phoenix"), transport: require("ws").WebSocket }

process.stdin.on("end", () => process.exit()).resume()

function run(i) {
  const say = (...what) => console.log(i, ...what)
  const client = connect(env)
  let open = false
  client.socket.onOpen(() => (open = true))
  // An attempt to connect that fails is closed, too, and is no loss.
  client.socket.onClose(event => {
    if (open) say("lost", event.code)
    open = false
  })
  channel(client, "room:outage").join().receive("ok", () => say("joined"))
}

for (let i = 0; i < Number(process.argv[3]); i++) run(i)
