// The side that the Go test talks to: it writes the name of a scenario on a
// line, and reads one line of JSON when that scenario is over. Others may run meanwhile.
// The first line it reads lists the scenarios, and those left out with the reason.
import { createInterface } from "node:readline"

// drive takes {name: async function} and {name: reason}, and returns when the Go
// test has no more.
export async function drive(scenarios, left) {
  const say = message => process.stdout.write(JSON.stringify(message) + "\n")
  say({ scenarios: Object.keys(scenarios), left })
  for await (const name of createInterface({ input: process.stdin })) run(name)

  async function run(scenario) {
    try {
      if (!scenarios[scenario]) throw new Error(`there is no scenario ${scenario}`)
      await scenarios[scenario]()
      say({ scenario, error: "" })
    } catch (error) {
      say({ scenario, error: error?.stack ?? String(error) })
    }
  }
}
