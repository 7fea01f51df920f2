// The page of "bennu demo", as somebody meets it who has just started it, on each of some
// screens.
import { launch } from "./chromium.mjs"
import { drive } from "./driver.mjs"
import { assert, equal, patience } from "./lib.mjs"

// The addresses of a demo for each screen, such as "390/dark".
const screens = JSON.parse(process.env.BENNU_ENV)

// meet opens the page of a demo, and gives the scenarios with it.
async function meet(browser, screen, settings) {
  const [width, colorScheme] = screen.split("/")
  const page = await browser.newPage({ viewport: { width: Number(width), height: 900 }, colorScheme })
  page.setDefaultTimeout(patience)
  const faults = []
  page.on("pageerror", error => faults.push(error.stack ?? String(error)))
  page.on("response", answer => { if (answer.status() >= 400) faults.push(`${answer.status()} ${answer.url()}`) })
  await page.goto(settings.url)

  const joined = () => page.waitForFunction(() => document.querySelectorAll(".nest[data-channel=joined]").length === 3 &&
    document.getElementById("ping").dataset.channel === "joined" && document.getElementById("room").dataset.channel === "joined")
  const text = selector => page.locator(selector).first().innerText()

  // shows waits until a section shows a line of Go, and a text among the frames beside it.
  async function shows(section, code, frame) {
    await page.waitForFunction(([id, code, frame]) =>
      document.querySelector(`#${id} .code`).textContent.includes(code) && document.querySelector(`#${id} .wire`).textContent.includes(frame),
    [section, code, frame])
  }

  return checked({
    async "it comes with something to look at"() {
      await joined()
      await shows("ping", "func (p *pingChannel) ping(", `"phx_reply",{"response":{"ping":"pong"},"status":"ok"}`)
      await shows("room", "func joinRoom(", `"presence_state"`)
      await shows("inventory", "func (inv inventory) join(", `"inventory:lapis","stock",`)
      await shows("fragile", "func fragiles(", `"fragile:dusk","phx_join"`)
    },

    async "a press shows the handler and its frames"() {
      await page.fill("#greet", "Ani")
      await page.click("[data-do=hello] button")
      await shows("ping", "func (p *pingChannel) hello(", `Hello, Ani. The heron has heard you.`)
      equal(/^examples\/hello\/ping\.go:\d+$/.test((await text("#ping .code p")).trim()), true, "the name of the file")
      await page.click("[data-do=ding]")
      await shows("ping", "func (p *pingChannel) dingMe(", `"ding",{"n":1}`)
      await page.fill("#body", "<b>hello</b>")
      await page.click("#say button")
      await shows("room", "func (r *roomChannel) shout(", `"body":"<b>hello</b>"`)
      await page.click("[aria-label='Take one papyrus']")
      await shows("inventory", "func (i *itemChannel) take(", `"take"`)
    },

    // A visitor speaks while the connection is cut.
    async "what is said during a cut comes back"() {
      await page.click("#cut")
      await page.waitForFunction(() => document.querySelector("#cut-picture .said"))
      equal(await page.locator("#talk .back").count(), 0, "lines that came back during the cut")
      await page.waitForFunction(() => /^Away for \d+ s\. \d messages have come back, in order and each once: nothing is lost\.$/.test(document.getElementById("cut-note").textContent))
      equal(await page.locator("#talk .back span").allTextContents(),
        ["Is anybody here?", "The river is high today.", "I saw a heron at the gate.", "It did not see me.", "I will come again."], "what came back")
      equal(await page.locator("#cut-picture .said").count(), 0, "what is still missing in the picture")
      equal(/; away: \d messages that came back; here: /.test(await page.getAttribute("#cut-picture", "aria-label")), true, "the words of the picture")
      await shows("room", "func joinRoom(", `"bennu:resume",{"status":"recovered"}`)
      await page.waitForFunction(() => !document.getElementById("cut").disabled)
    },

    async "a crash is seen whole"() {
      await page.click("[aria-label='Crash fragile:noon']")
      await shows("fragile", `panic("somebody pressed the button")`, `"phx_error"`)
      await shows("fragile", `panic("somebody pressed the button")`, `"fragile:noon","phx_reply",{"response":{},"status":"ok"}`)
      await joined()
    },

    // What is blank, or does not fit, is a mistake of the layout.
    async "the cards are full, and nothing sticks out"() {
      const found = await page.evaluate(() => [...document.querySelectorAll("main > section")].map(section => {
        const box = section.getBoundingClientRect()
        let blank = 0 // the highest gap between one part of the card and the next
        let bottom = box.top
        for (const part of section.children) {
          const { top, bottom: end, height } = part.getBoundingClientRect()
          if (height === 0) continue
          blank = Math.max(blank, top - bottom)
          bottom = Math.max(bottom, end)
        }
        return { id: section.id, blank: Math.round(Math.max(blank, box.bottom - bottom)), wide: section.scrollWidth > section.clientWidth }
      }))
      for (const { id, blank, wide } of found) assert(blank <= 40 && !wide, `${id}: ${blank} px are blank, too wide: ${wide}`)
      equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, "the page fits")
    },

    async "it counts down while the server is away, and comes back"() {
      await fetch(`${settings.controlURL}/stop`, { method: "POST" })
      await page.waitForFunction(() => /^connection lost, trying again in \d s$/.test(document.getElementById("status").parentElement.textContent.trim()))
      const answer = await fetch(`${settings.controlURL}/start`, { method: "POST" })
      assert(answer.ok, `start: ${answer.status}`)
      await page.waitForFunction(() => document.body.dataset.socket === "open" && document.getElementById("seconds").textContent === "")
      await joined()
      // Its history was in memory.
      await page.waitForFunction(() => document.getElementById("cut-note").textContent.startsWith("Something is lost. The server has begun a new history"))
      equal(await page.locator("#talk .missing").allTextContents(), ["something is missing here"], "the gap in the conversation")
      faults.length = 0 // those of a server that was away
    },
  })

  // checked has each scenario fail with what nobody caught in the page.
  function checked(scenarios) {
    return Object.fromEntries(Object.entries(scenarios).map(([name, run]) => [`${screen}/${name}`, async () => {
      await run()
      equal(faults, [], "exceptions in the page")
    }]))
  }
}

const browser = await launch()
try {
  const all = await Promise.all(Object.entries(screens).map(([screen, settings]) => meet(browser, screen, settings)))
  await drive(Object.assign({}, ...all), {})
} finally {
  await browser.close()
}
