// What the scenarios are written with. It runs in Node and in a page alike, and
// waits for things to happen, never for time to pass.

// How long anything may take, in ms: it ends a hang. A busy machine is slow; a broken
// server is silent.
export const patience = 180_000

export function assert(condition, message) {
  if (!condition) throw new Error(message)
}

// equal compares what JSON can express; the order of keys does not count.
export function equal(got, want, what) {
  const [g, w] = [canonical(got), canonical(want)]
  assert(g === w, `${what}: got ${g}, want ${w}`)
}

function canonical(value) {
  return JSON.stringify(value, (_, v) =>
    v && typeof v === "object" && !Array.isArray(v) ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1))) : v)
}

// within fails when the promise is not settled in time. What waits for long when a session
// was gone may wait for what was lost with it: if the scenario can be played again, it is.
export function within(promise, what, ms = patience) {
  let timer, look
  const late = new Promise((_, reject) => {
    const began = Date.now()
    const fail = () => reject(new Error(`${what}: nothing after ${Date.now() - began} ms`))
    timer = setTimeout(fail, ms)
    look = setInterval(() => { if (again && gone > 0 && Date.now() - began > 30_000) fail() }, 1000)
  })
  return Promise.race([promise, late]).finally(() => {
    clearTimeout(timer)
    clearInterval(look)
  })
}

// A Queue keeps what happened until the scenario asks for it.
export class Queue {
  items = []
  takers = []

  put(item) {
    const taker = this.takers.shift()
    if (taker) taker(item)
    else this.items.push(item)
  }

  // next is the oldest item, or the next one to come.
  next(what, ms) {
    if (this.items.length > 0) return Promise.resolve(this.items.shift())
    let taker
    const item = new Promise(resolve => this.takers.push((taker = resolve)))
    return within(item, what, ms).catch(err => {
      this.takers = this.takers.filter(t => t !== taker)
      throw err
    })
  }

  // empty fails when something happened that nobody asked for.
  empty(what) {
    assert(this.items.length === 0, `${what}: ${canonical(this.items)}`)
  }
}

// The clients that a scenario has opened.
const open = new Set()

// How many sessions of long polling were gone when their client polled again. The fixture's
// wait 800 ms for a poll, and a busy machine may be late; what is lost then is lost.
let gone = 0

// Whether the scenario is played again if that is why it fails.
let again = false

// excuse says that something was lost that a busy machine may lose, as with a session.
export function excuse() {
  gone++
}

// play runs a scenario. One that fails is played again when a session of long polling was
// gone, since that may be why.
export async function play(scenario, env) {
  for (let tries = 1; ; tries++) {
    gone = 0
    again = tries < 5
    try {
      return await scenario(env)
    } catch (error) {
      if (gone === 0 || !again) throw error
    } finally {
      again = false
      await disconnectAll()
    }
  }
}

// connect makes a stock socket and opens it. Reconnecting and rejoining are as
// automatic as ever, only sooner than a person would need them.
export function connect(env, { url = env.url, params = {}, ...options } = {}) {
  const socket = new env.phoenix.Socket(url, {
    transport: env.transport,
    params,
    timeout: patience,
    reconnectAfterMs: () => client.cutting ? 3_600_000 : 20,
    rejoinAfterMs: () => 20,
    ...options,
  })
  const client = { socket, opens: new Queue(), closes: new Queue(), errors: new Queue(), cutting: false }
  let opened
  socket.onOpen(() => {
    const conn = socket.conn
    // A connection that opens again has a new session: the machine was too busy for the client
    // to poll in time. Phoenix 1.7 goes on without its channels; here it connects again.
    if (conn === opened) {
      gone++
      setTimeout(() => conn.closeAndRetry(1011, "session gone", false), 0)
    } else {
      client.opens.put(true)
    }
    opened = conn
  })
  socket.onClose(event => {
    if (event?.code === 3410) gone++
    client.closes.put(event?.code)
  })
  socket.onError(error => client.errors.put(error))
  open.add(client)
  socket.connect()
  return client
}

// disconnectAll closes every socket for good.
export function disconnectAll() {
  const all = [...open]
  open.clear()
  return within(Promise.all(all.map(c => new Promise(done => c.socket.disconnect(done)))), "disconnecting")
}

// channel makes a channel without joining it. Its queues tell of every join
// that was answered, of errors, of the close, and of the events asked for.
export function channel(client, topic, params = {}, events = []) {
  const ch = client.socket.channel(topic, params)
  ch.joins = new Queue()
  ch.crashes = new Queue()
  ch.closes = new Queue()
  ch.got = Object.fromEntries(events.map(event => [event, new Queue()]))
  ch.onError(reason => ch.crashes.put(reason))
  ch.onClose(payload => ch.closes.put(payload))
  for (const event of events) ch.on(event, payload => ch.got[event].put(payload))
  return ch
}

// tryJoin sends the first join. Whatever comes back lands in ch.joins, and so
// does the answer to every automatic rejoin.
export function tryJoin(ch) {
  ch.join()
    .receive("ok", response => ch.joins.put({ status: "ok", response }))
    .receive("error", response => ch.joins.put({ status: "error", response }))
    .receive("timeout", () => ch.joins.put({ status: "timeout" }))
  return ch.joins.next(`the answer to joining ${ch.topic}`)
}

// joined gives a channel that is joined.
export async function joined(client, topic, params, events) {
  const ch = channel(client, topic, params, events)
  const { status, response } = await tryJoin(ch)
  equal(status, "ok", `joining ${topic}, ${canonical(response)}`)
  return ch
}

// rejoined waits until the client has, by itself, joined again.
export async function rejoined(ch) {
  const { status } = await ch.joins.next(`rejoining ${ch.topic}`)
  equal(status, "ok", `rejoining ${ch.topic}`)
}

// ask pushes an event and gives the first reply to it.
export function ask(ch, event, payload = {}, ms = patience) {
  return within(new Promise(resolve => {
    const push = ch.push(event, payload, ms)
    for (const status of ["ok", "error", "my_status", "timeout"]) {
      push.receive(status, response => resolve({ status, response }))
    }
  }), `the reply to ${event} on ${ch.topic}`, ms + 1000)
}

// expectReply pushes an event and checks the reply.
export async function expectReply(ch, event, payload, status, response) {
  equal(await ask(ch, event, payload), { status, response }, `the reply to ${event} on ${ch.topic}`)
}

// alive checks that a channel answers, and so that all it had sent before has arrived.
export function alive(ch) {
  const payload = { alive: Math.random() }
  return expectReply(ch, "echo", payload, "ok", payload)
}

// cutOff cuts the connections at the proxy until the client notices. A browser hides a
// cut of a poll that waits: it repeats the request by itself, once, on a new connection.
// It repeats a post as well, and a join that comes twice closes the channel for good. So
// posts are answered before a cut, and the client reconnects when all cuts are over.
export async function cutOff(env, client) {
  client.closes.items = []
  client.cutting = true
  try {
    for (const end = Date.now() + patience; ;) {
      while (client.socket.conn?.awaitingBatchAck && Date.now() < end) await new Promise(later => setTimeout(later, 5))
      await env.control("cut")
      try {
        await client.closes.next("the close", 250)
        break
      } catch (error) {
        if (Date.now() > end) throw error
      }
    }
  } finally {
    client.cutting = false
  }
  client.socket.reconnectTimer.scheduleTimeout()
}

export const bytes = (...list) => new Uint8Array(list).buffer

export function equalBytes(got, want, what) {
  assert(got instanceof ArrayBuffer, `${what}: got ${canonical(got)}, want bytes`)
  equal([...new Uint8Array(got)], want, what)
}

// present joins a room as somebody who is there, under a key and with a name. What the
// stock Presence object tells of is in ch.seen, in its order: who joined or left, with
// the numbers of the metas that the key had before, or has left, and of those that
// joined or left.
export async function present(env, client, topic, key, name = String(key)) {
  const ch = channel(client, topic, { key, name }, ["presence_diff"])
  ch.presence = new env.phoenix.Presence(ch)
  ch.seen = []
  ch.syncs = new Queue()
  const count = presence => presence?.metas.length ?? 0
  ch.presence.onJoin((k, before, joined) => ch.seen.push({ join: k, before: count(before), metas: count(joined) }))
  ch.presence.onLeave((k, left, gone) => ch.seen.push({ leave: k, left: count(left), metas: count(gone) }))
  ch.presence.onSync(() => ch.syncs.put(true))
  const { status, response } = await tryJoin(ch)
  equal(status, "ok", `joining ${topic}, ${canonical(response)}`)
  return ch
}

// until waits for a state of a client's list.
export async function until(ch, ok, what) {
  while (!ok()) await ch.syncs.next(`${what}, for ${canonical(ch.params())} who has ${canonical(ch.presence.state)}`)
}

// sees waits until the list of a client is this one: the number of metas of each key.
export function sees(ch, want) {
  const list = () => Object.fromEntries(ch.presence.list((key, { metas }) => [key, metas.length]))
  return until(ch, () => canonical(list()) === canonical(want), `the list ${canonical(want)}`)
}

// metasOf is the metas of a key in the list of a client, of which there may be none,
// without their refs.
export const metasOf = (ch, key) =>
  (ch.presence.state[key]?.metas ?? []).map(({ phx_ref: _, phx_ref_prev: __, ...meta }) => meta)

// refsOf is their refs.
export const refsOf = (ch, key) => (ch.presence.state[key]?.metas ?? []).map(meta => meta.phx_ref)

let topics = 0

// topicOf names a topic that no other scenario uses.
export const topicOf = name => `room:${name}-${++topics}-${Math.random().toString(36).slice(2)}`
