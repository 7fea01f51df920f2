// A stock client that joins a topic and tells, a line each, what happens to it.
// usage: node restart.mjs ws://host:port/socket
import { createRequire } from "node:module"
import { connect, joined, rejoined } from "../clients/lib.mjs"

const require = createRequire(new URL("../clients/", import.meta.url))
const env = { url: process.argv[2], phoenix: require("phoenix"), transport: require("ws").WebSocket }
const say = line => console.log(line)

process.stdin.on("end", () => process.exit()).resume()

const client = connect(env)
const room = await joined(client, "room:restart", {}, ["bc"])
say("joined")
await client.closes.next("the end of the connection")
say("closed")
await rejoined(room)
say("rejoined")
say("heard " + JSON.stringify(await room.got.bc.next("a broadcast")))
