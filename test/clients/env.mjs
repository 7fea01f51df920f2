import { assert, within } from "./lib.mjs"

// makeEnv gives the scenarios what they run against; scenarios.mjs lists it. The
// addresses come from the Go test.
export function makeEnv({ url, cutURL, authURL, controlURL }, packageName, phoenix, transport) {
  return {
    url, cutURL, authURL, phoenix, transport,
    legacy: packageName !== "phoenix",
    async control(action) {
      const answer = await within(fetch(`${controlURL}/${action}`, { method: "POST" }), `control ${action}`, 60_000)
      assert(answer.ok, `control ${action}: ${answer.status} ${await answer.text()}`)
    },
  }
}
