// The page's socket with a clock and connections of its own: prints the waits before it
// connects again when each connection is cut, and before a channel joins again when each
// join crashes.
let now = 1
let timers = []
globalThis.performance = { now: () => now }
globalThis.setTimeout = (act, ms) => {
  const timer = { act, at: now + ms }
  timers.push(timer)
  return timer
}
globalThis.clearTimeout = (timer) => { timers = timers.filter((t) => t !== timer) }
globalThis.setInterval = () => 0
globalThis.clearInterval = () => {}

const settle = () => new Promise((done) => setImmediate(done))

async function pass(ms) {
  const end = now + ms
  for (;;) {
    const next = timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0]
    if (!next) break
    now = next.at
    clearTimeout(next)
    next.act()
    await settle()
  }
  now = end
}

class Connection {
  static OPEN = 1
  static all = []
  readyState = 1
  sent = []
  constructor() {
    this.made = now
    Connection.all.push(this)
  }
  send(text) { this.sent.push(JSON.parse(text)) }
  close() { this.readyState = 3 }
  cut() {
    this.readyState = 3
    this.onclose()
  }
}
globalThis.WebSocket = Connection

const { Socket } = await import(process.argv[2])
const latest = () => Connection.all.at(-1)

const reconnects = []
const socket = new Socket("ws://peer.test/socket")
socket.connect()
for (const lasts of [300, 300, 300, 300, 5000, 300, 300]) {
  latest().onopen()
  await pass(lasts)
  const cut = now
  latest().cut()
  await pass(5000)
  reconnects.push(latest().made - cut)
}

const rejoins = []
latest().onopen()
const channel = socket.channel("a")
channel.join()
for (const lasts of [0, 0, 0, 5000, 0, 0]) {
  const joins = latest().sent.filter(([, , , event]) => event === "phx_join")
  const [joinRef, ref] = joins.at(-1)
  latest().onmessage({ data: JSON.stringify([joinRef, ref, "a", "phx_reply", { status: "ok", response: {} }]) })
  await settle()
  await pass(lasts)
  const crashed = now
  latest().onmessage({ data: JSON.stringify([joinRef, joinRef, "a", "phx_error", {}]) })
  let waited = 0
  while (latest().sent.filter(([, , , event]) => event === "phx_join").length === joins.length && waited < 20000) {
    await pass(500)
    waited = now - crashed
  }
  rejoins.push(waited)
}
console.log(JSON.stringify({ reconnects, rejoins }))
