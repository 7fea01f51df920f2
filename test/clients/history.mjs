// What a stock client gets of topics with a history, when its connections are cut. One body serves
// Node and the browser. env has, beside what is in env.mjs:
//
//   url       the socket of the server
//   cutURL    the same by way of a proxy that cuts each connection at a random moment
//   slowURL   the same by way of a proxy that delays everything
//   cutTime   how long connections are cut at least, in ms; 0 for a small number of cuts
//   control   "restart" ends the server and starts one that has forgotten everything
import { Queue, assert, connect, disconnectAll, equal, joined, topicOf, within } from "./lib.mjs"

// The three lines of an application, and two more where broadcasts are binary.
function resumable(channel, params) {
  let next = null
  channel.onMessage = (event, payload, ref) => {
    if (/:/.test(ref)) params.since = ref
    else if (event === "bennu:offset") next = payload.next
    else if (next && payload instanceof ArrayBuffer) { params.since = next; next = null }
    return payload
  }
}

// A Reader follows the numbers of a topic, whatever becomes of its connections and channels.
class Reader {
  last = 0
  faults = [] // numbers that were lost, doubled or out of order
  told = [] // payloads of bennu:resume
  joins = 0
  cuts = 0
  params = { since: null }
  joined = new Queue()
  placed = new Queue()
  tells = new Queue() // the same, for those who wait

  constructor(env, topic, { url = env.cutURL, first = 1 } = {}) {
    this.topic = topic
    this.first = first
    this.client = connect(env, { url })
    this.client.socket.onClose(() => this.cuts++)
    // Posts of clients before 1.7 may overtake each other. A join that has waited for the first
    // connection would end the one that comes after a cut, and the client would take that as the end
    // of its channel.
    if (env.polling && !env.phoenix.LongPoll.prototype.batchSend) this.client.opens.next("the first connection").then(() => this.mount(), () => {})
    else this.mount()
  }

  // start makes a reader that has joined, and has a position: the reply alone may come before a cut.
  static async start(...args) {
    const r = new Reader(...args)
    await r.joined.next("the first join")
    await r.placed.next("the first position")
    return r
  }

  mount() {
    const channel = this.client.socket.channel(this.topic, this.params)
    resumable(channel, this.params)
    channel.on("n", ({ n }) => this.take(n))
    channel.on("b", payload => this.take(new DataView(payload).getUint32(0)))
    channel.on("bennu:resume", payload => {
      this.told.push(payload)
      this.tells.put(payload)
      this.placed.put(true)
    })
    channel.join().receive("ok", () => {
      this.joins++
      this.joined.put(true)
    })
    this.channel = channel
  }

  // remount is what a page does that leaves a view and comes back to it.
  remount() {
    this.channel.leave()
    this.mount()
  }

  take(n) {
    const want = this.last === 0 ? this.first : this.last + 1
    if (want !== 0 && n !== want) this.faults.push(`${n} after ${this.last}, with ${this.joins} joins, ${this.cuts} cuts`)
    this.last = Math.max(this.last, n)
    this.waits?.()
  }

  // reaches waits for a number.
  reaches(n) {
    return within(new Promise(done => {
      this.waits = () => { if (this.last >= n) done() }
      this.waits()
    }), `${n} messages of ${this.topic}`).catch(error => { throw new Error(`${error.message}; ${this}`) })
  }

  // checked fails unless all came once and in order, and nothing was lost.
  check(n) {
    equal(this.faults.slice(0, 5), [], `${this.faults.length} wrong numbers of ${n}; ${this}`)
    equal(this.last, n, "the last number")
    equal(this.told.filter(({ status }) => status === "lost"), [], "told lost")
  }

  toString() {
    const count = status => this.told.filter(told => told.status === status).length
    return `${this.last} received, ${this.cuts} cuts, ${this.joins} joins, ${count("recovered")} recovered, ${count("live")} replays, ` +
      `${count("lost")} lost; since ${this.params.since}, the channel is ${this.channel?.state}`
  }
}

// A Publisher counts. Its connection is a sound WebSocket: posts of long polling may overtake each
// other.
class Publisher {
  last = 0

  static async start(env, topic) {
    const p = new Publisher()
    p.channel = await joined(connect(env, { transport: env.polling ? env.otherTransport : env.transport }), topic)
    p.topic = topic
    return p
  }

  // push publishes the next number, and returns when it is stored.
  push(event = "pub") {
    const n = ++this.last
    return within(new Promise((stored, failed) => this.channel.push(event, { n, key: `${this.topic}/${n}` })
      .receive("ok", stored).receive("error", reason => failed(new Error(`${event} ${n}: ${JSON.stringify(reason)}`)))), `storing ${n}`)
  }
}

// logTopic names a topic with a history that no other scenario uses.
const logTopic = kind => topicOf("history").replace("room", kind)

// pause sets the pace of a publisher.
const pause = ms => new Promise(later => setTimeout(later, ms))

// publishUntil publishes at a pace until enough has happened, and all of it is stored.
async function publishUntil(publisher, enough, { every = 4, event = () => "pub" } = {}) {
  const pending = new Set()
  let failure
  while (!enough()) {
    const stored = publisher.push(event(publisher.last)).catch(error => { failure ??= error }).finally(() => pending.delete(stored))
    pending.add(stored)
    if (pending.size > 50) await stored
    if (failure) throw failure
    await pause(every)
  }
  await Promise.all(pending)
  if (failure) throw failure
}

// followed has readers whose connections are cut, while a publisher counts.
async function followed(env, { topic = logTopic("log"), event, first } = {}) {
  const publisher = await Publisher.start(env, topic)
  const readers = await Promise.all([1, 2, 3].map(() => Reader.start(env, topic, { first })))
  const end = Date.now() + Number(env.cutTime)
  await publishUntil(publisher, () => Date.now() >= end && publisher.last >= 300 && readers.every(r => r.cuts >= 5), { event })
  const n = publisher.last
  for (const r of readers) await r.reaches(n)
  for (const r of readers) r.check(n)
  if (env.cutTime > 0) console.error(`${topic}: ${n} messages, ${readers.join("; ")}`)
}

export const scenarios = {
  async "every message once, whatever is cut"(env) {
    await followed(env)
  },

  async "binary broadcasts too"(env) {
    await followed(env, { event: n => n % 2 ? "pub" : "pubbin" })
  },

  async "a page that mounts its view again and again"(env) {
    const topic = logTopic("log")
    const publisher = await Publisher.start(env, topic)
    const reader = await Reader.start(env, topic, { url: env.slowURL })
    let remounts = 0, next = 1
    const most = env.cutTime > 0 ? 100 : 15
    await publishUntil(publisher, () => {
      if (reader.last >= next && remounts < most) {
        next = reader.last + 1 + Math.floor(Math.random() * 60)
        remounts++
        reader.remount()
      }
      return remounts >= most && reader.last >= next
    }, { every: 2 })
    await reader.reaches(publisher.last)
    reader.check(publisher.last)
    equal(reader.cuts, 0, "cuts")
  },

  async "a view that comes back later gets what it has missed"(env) {
    const topic = logTopic("log")
    const publisher = await Publisher.start(env, topic)
    const reader = await Reader.start(env, topic, { url: env.url })
    await publisher.push()
    await reader.reaches(1)
    reader.channel.leave()
    for (let i = 0; i < 1000; i++) await publisher.push()
    reader.mount()
    await reader.reaches(publisher.last)
    reader.check(publisher.last)
    for (const want of ["new", "recovered", "live"]) equal((await reader.tells.next(want)).status, want, "told")
  },

  async "who comes new gets the newest"(env) {
    const topic = logTopic("last")
    const publisher = await Publisher.start(env, topic)
    for (let i = 0; i < 5; i++) await publisher.push()
    const readers = await Promise.all([1, 2].map(() => Reader.start(env, topic, { url: env.url, first: 5 })))
    for (const r of readers) await r.reaches(5)
    await publisher.push()
    for (const r of readers) {
      await r.reaches(6)
      r.check(6)
    }
    equal(readers[0].told[0].status, "new", "told")
  },

  async "who came new misses nothing from then on, whatever is cut"(env) {
    await followed(env, { topic: logTopic("last"), first: 0 })
  },

  async "a server that has forgotten everything says so"(env) {
    const topic = logTopic("log")
    let publisher = await Publisher.start(env, topic)
    const reader = await Reader.start(env, topic, { url: env.url })
    await publisher.push()
    await reader.reaches(1)
    publisher.channel.leave()
    await env.control("restart")
    equal(await reader.tells.next("the first answer"), { status: "new" }, "told")
    equal(await reader.tells.next("the second one"), { status: "lost", reason: "epoch" }, "told")
    publisher = await Publisher.start(env, topic)
    publisher.last = 1
    await publisher.push()
    await reader.reaches(2)
    equal(reader.faults, [], "faults")
  },
}

// left are the scenarios that a client cannot run.
const left = [
  { over: "longpoll", scenario: "binary broadcasts too", why: "binary broadcasts do not reach clients of long polling" },
  ...["phoenix-1-5", "phoenix-1-4"].flatMap(client => [
    { client, scenario: "binary broadcasts too", why: "this client knows no binary messages" },
    // After a cut these may go on to poll the old session beside the new one.
    ...["every message once, whatever is cut", "who came new misses nothing from then on, whatever is cut"].map(scenario =>
      ({ client, over: "longpoll", scenario, why: "this client sometimes polls with two sessions at once" })),
  ]),
  // A leave that is overtaken by the next join ends that.
  ...["phoenix-1-6", "phoenix-1-5", "phoenix-1-4"].map(client => ({
    client, over: "longpoll", scenario: "a page that mounts its view again and again", why: "posts of this client may overtake each other",
  })),
]

// plan is that of scenarios.mjs.
export function plan(packageName, transportName) {
  const out = {}
  for (const { client = packageName, over = transportName, scenario, why } of left) {
    assert(scenarios[scenario], `there is no scenario ${scenario}`)
    if (client === packageName && over === transportName) out[scenario] ??= why
  }
  return { run: Object.keys(scenarios).filter(name => !(name in out)), left: out }
}

// play runs a scenario once: what is lost when a session of long polling was gone must come all the
// same.
export async function play(scenario, env) {
  try {
    return await scenario(env)
  } finally {
    await disconnectAll()
  }
}
