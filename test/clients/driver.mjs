// The side that the Go test talks to: it writes the name of a scenario on a
// line, and reads one line of JSON when that scenario is over. The first line it
// reads lists the scenarios, and those left out with the reason.
import { createInterface } from "node:readline"

// drive takes {name: async function} and {name: reason}, and returns when the Go
// test has no more.
export async function drive(scenarios, left) {
  const say = message => process.stdout.write(JSON.stringify(message) + "\n")
  say({ scenarios: Object.keys(scenarios), left })
  for await (const name of createInterface({ input: process.stdin })) {
    try {
      if (!scenarios[name]) throw new Error(`there is no scenario ${name}`)
      await scenarios[name]()
      say({ error: "" })
    } catch (error) {
      say({ error: error?.stack ?? String(error) })
    }
  }
}
