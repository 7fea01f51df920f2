import { assert, within } from "./lib.mjs"

// makeEnv gives the scenarios what they run against; scenarios.mjs lists it. The
// addresses come from the Go test. WebSocket is the class for it.
export function makeEnv({ controlURL, ...urls }, transportName, phoenix, WebSocket) {
  const polling = transportName === "longpoll"
  return {
    ...urls, phoenix, polling,
    transport: polling ? phoenix.LongPoll : WebSocket,
    otherTransport: polling ? WebSocket : phoenix.LongPoll,
    async control(action) {
      const answer = await within(fetch(`${controlURL}/${action}`, { method: "POST" }), `control ${action}`)
      assert(answer.ok, `control ${action}: ${answer.status} ${await answer.text()}`)
    },
  }
}
