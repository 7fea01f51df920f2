// What a stock Phoenix client can expect of a server that runs the fixture
// application. One body serves Node and the browser. env has:
//
//   phoenix          the module of the client
//   transport        the class of the transport
//   polling          whether that is long polling; else it is WebSocket
//   otherTransport   the class of the other one
//   url              the socket of the server
//   cutURL           the same by way of a proxy that can cut connections
//   hangingURL       the same by way of a proxy that never answers a WebSocket handshake
//   authURL          the mount that takes an auth token
//   paramURL         the mount that takes it from the parameter "token"
//   blockedURL       the socket of a server without WebSocket
//   control(x)       asks the test to do x: "restart" the server, "cut" the proxy
//
// The table at the end says what cannot run everywhere. Polls have no close frame: the
// codes of long polling are those that the client makes up from a session that is gone,
// 3410, or from an answer that is none, 1011.
import { Queue, alive, ask, assert, bytes, channel, connect, cutOff, equal, equalBytes, expectReply, joined, patience, rejoined, topicOf, tryJoin } from "./lib.mjs"
import { presenceScenarios } from "./presence.mjs"

export const scenarios = {
  async "join"(env) {
    const client = connect(env)
    await client.opens.next("opening")
    const lobby = channel(client, topicOf("lobby"))
    equal(await tryJoin(lobby), { status: "ok", response: {} }, "join")
    const echoing = channel(client, "room:reply", { from: "ü", n: [1, 2.5, null] })
    equal(await tryJoin(echoing), { status: "ok", response: { got: { from: "ü", n: [1, 2.5, null] } } }, "join with a reply")
    await alive(lobby)
  },

  async "join before the connection is open"(env) {
    const client = connect(env)
    const ch = await joined(client, topicOf("early"))
    await alive(ch)
  },

  async "join refused"(env) {
    const client = connect(env)
    const refused = channel(client, "room:err")
    equal(await tryJoin(refused), { status: "error", response: { reason: "unauthorized" } }, "join")
    // The client tries again until it is told to stop.
    equal(await refused.joins.next("the second try"), { status: "error", response: { reason: "unauthorized" } }, "second try")
    refused.leave()
    await alive(await joined(client, topicOf("other")))
    client.closes.empty("closed by a refusal")
  },

  async "join crashes"(env) {
    const client = connect(env)
    const ch = channel(client, "room:crash")
    equal(await tryJoin(ch), { status: "error", response: { reason: "join crashed" } }, "join")
    ch.leave()
    await alive(await joined(client, topicOf("other")))
    client.closes.empty("closed by a crash")
  },

  async "join of an unknown topic"(env) {
    const client = connect(env)
    const ch = channel(client, "nowhere:1")
    equal(await tryJoin(ch), { status: "error", response: { reason: "unmatched topic" } }, "join")
    ch.leave()
    await alive(await joined(client, topicOf("other")))
  },

  async "the limit of topics on one connection"(env) {
    const client = connect(env)
    const name = topicOf("many")
    const all = await Promise.all(Array.from({ length: 100 }, (_, i) => joined(client, `${name}:${i}`)))
    const last = channel(client, `${name}:100`)
    equal(await tryJoin(last), { status: "error", response: { reason: "too many channels joined" } }, "join")
    last.leave()
    // Alone, since a client before 1.8 polls with one post for all that it has to
    // send, of which the server takes 100 messages.
    await alive(all[0])
    await Promise.all(all.map(alive))
  },

  async "replies"(env) {
    const ch = await joined(connect(env), topicOf("replies"))
    await expectReply(ch, "ok", {}, "ok", {})
    await expectReply(ch, "error", {}, "error", {})
    await expectReply(ch, "custom", {}, "my_status", { x: 1 })
    await expectReply(ch, "phx_custom", { a: 1 }, "ok", { a: 1 })
    const odd = { text: "<a href='/'>ü €  😀 \" \\ \n</a>", list: [[], {}, null, true, -0.5, 1e21], "": { "key with spaces": 0 } }
    await expectReply(ch, "echo", odd, "ok", odd)
    const long = { text: "x".repeat(1_000_000) }
    await expectReply(ch, "echo", long, "ok", long)
    await expectReply(ch, "later", {}, "ok", { late: true })
  },

  async "an event without a reply times out at the client"(env) {
    const ch = await joined(connect(env), topicOf("noreply"))
    equal((await ask(ch, "noreply", {}, 50)).status, "timeout", "reply")
    await alive(ch)
    ch.crashes.empty("crashed")
  },

  async "pushes of the server arrive in order"(env) {
    const ch = await joined(connect(env), topicOf("push"))
    const order = []
    ch.on("pushed", payload => order.push(payload))
    ch.push("push", {}).receive("ok", response => order.push(response))
    await alive(ch)
    equal(order, [{ n: 1 }, { n: 2 }], "the push, then the reply")
    const after = await joined(connect(env), "room:after-join", {}, ["hello", "bc"])
    equal(await after.got.hello.next("the push after the join"), { a: 1 }, "push after the join")
    equal(await after.got.bc.next("the broadcast after the join"), { b: 1 }, "broadcast after the join")
  },

  async "broadcast"(env) {
    const topic = topicOf("bc")
    const [a, b] = await Promise.all([1, 2].map(() => joined(connect(env), topic, {}, ["bc"])))
    const count = 100
    const replies = []
    for (let i = 0; i < count; i++) replies.push(ask(a, "bc", { i }))
    for (const r of await Promise.all(replies)) equal(r, { status: "ok", response: {} }, "reply")
    for (const ch of [a, b]) {
      for (let i = 0; i < count; i++) equal(await ch.got.bc.next(`broadcast ${i}`), { i }, "broadcast")
    }
    await Promise.all([alive(a), alive(b)])
    for (const ch of [a, b]) ch.got.bc.empty("broadcasts too many")
  },

  async "clients of both transports meet on a topic"(env) {
    const topic = topicOf("mixed")
    const both = await Promise.all([env.transport, env.otherTransport].map(transport => joined(connect(env, { transport }), topic, {}, ["bc"])))
    for (const from of both) {
      for (let i = 0; i < 10; i++) await expectReply(from, "bc", { i }, "ok", {})
      for (const to of both) {
        for (let i = 0; i < 10; i++) equal(await to.got.bc.next(`broadcast ${i}`), { i }, "broadcast")
      }
    }
  },

  async "broadcast_from"(env) {
    const topic = topicOf("bcf")
    const [a, b] = await Promise.all([1, 2].map(() => joined(connect(env), topic, {}, ["bcf"])))
    await expectReply(a, "bcf", { from: "a" }, "ok", {})
    equal(await b.got.bcf.next("the broadcast"), { from: "a" }, "broadcast")
    await alive(a)
    a.got.bcf.empty("sent to the one it is from")
  },

  async "intercepted broadcast"(env) {
    const topic = topicOf("ic")
    const [a, b] = await Promise.all([1, 2].map(() => joined(connect(env), topic, {}, ["ic"])))
    await expectReply(a, "ic", { x: 1 }, "ok", {})
    for (const ch of [a, b]) equal(await ch.got.ic.next("the broadcast"), { x: 1, intercepted: true }, "broadcast")
  },

  async "binary both ways"(env) {
    const topic = topicOf("bin")
    const [a, b] = await Promise.all([1, 2].map(() => joined(connect(env), topic, {}, ["binpush", "binbc"])))
    const { status, response } = await ask(a, "bin", bytes(0xff, 0))
    equal(status, "ok", "reply")
    equalBytes(response, [0xff, 0, 3, 4], "reply")
    equalBytes(await a.got.binpush.next("the push"), [0, 1], "push")
    for (const ch of [a, b]) equalBytes(await ch.got.binbc.next("the broadcast"), [5, 6], "broadcast")
    equalBytes((await ask(a, "binreply")).response, [1, 2], "a binary reply to text")
    equalBytes((await ask(a, "bin", bytes())).response, [3, 4], "reply to nothing")
    const big = new Uint8Array(300_000).map((_, i) => i)
    equalBytes((await ask(a, "bin", big.buffer)).response, [...big, 3, 4], "a long reply")

    const ch = channel(connect(env), "room:binreply")
    equalBytes((await tryJoin(ch)).response, [9, 8, 7], "reply to the join")
  },

  async "binary on a topic beyond ASCII"(env) {
    const ch = await joined(connect(env), topicOf("ü€😀"), {}, ["binpush"])
    equalBytes((await ask(ch, "bin", bytes(7))).response, [7, 3, 4], "reply")
    equalBytes(await ch.got.binpush.next("the push"), [0, 1], "push")
  },

  async "binary goes to the server alone"(env) {
    const topic = topicOf("bin")
    const client = connect(env)
    const ch = await joined(client, topic, {}, ["binpush", "binbc"])
    const reader = await joined(connect(env, { transport: env.otherTransport }), topic, {}, ["binbc"])
    const reply = ask(ch, "bin", bytes(1))
    equalBytes(await reader.got.binbc.next("the broadcast"), [5, 6], "broadcast")
    equal(await reply, { status: "error", response: { reason: "no binary" } }, "reply")
    // What cannot be delivered takes nothing else with it.
    await alive(ch)
    ch.got.binpush.empty("a binary push")
    ch.got.binbc.empty("a binary broadcast")
    client.closes.empty("closed")
  },

  async "a topic beyond ASCII"(env) {
    const ch = await joined(connect(env), topicOf("ü€😀"), {}, ["bc"])
    await expectReply(ch, "bc", { a: "ü" }, "ok", {})
    equal(await ch.got.bc.next("the broadcast"), { a: "ü" }, "broadcast")
  },

  async "a crash ends one channel, and the client rejoins"(env) {
    const client = connect(env)
    const ch = await joined(client, topicOf("boom"), {}, ["bc"])
    const sibling = await joined(client, topicOf("sibling"))
    for (const event of ["boom", "nobody_handles_this", "stop_other"]) {
      ch.push(event, {})
      equal(await ch.crashes.next(`the crash by ${event}`), { reason: "channel_crash" }, "reason")
      await rejoined(ch)
      await alive(ch)
      await expectReply(ch, "bc", { after: event }, "ok", {})
      equal(await ch.got.bc.next("the broadcast"), { after: event }, "broadcast")
    }
    await alive(sibling)
    sibling.crashes.empty("the sibling crashed")
    ch.got.bc.empty("broadcasts too many")
    client.closes.empty("the connection closed")
  },

  async "pushes made while a channel is down arrive after its rejoin"(env) {
    const client = connect(env)
    const ch = await joined(client, topicOf("buffer"))
    ch.push("boom", {})
    await ch.crashes.next("the crash")
    await alive(ch)
    equal(ch.joins.items.length, 1, "rejoins before the reply")
  },

  async "a channel that stops is closed for good"(env) {
    const client = connect(env)
    for (const event of ["stop_normal", "stop_shutdown", "stop_reply"]) {
      const ch = await joined(client, topicOf("stop"))
      if (event === "stop_reply") await expectReply(ch, event, {}, "ok", { bye: 1 })
      else ch.push(event, {})
      await ch.closes.next(`the close by ${event}`)
      ch.crashes.empty("crashed")
      equal(ch.state, "closed", "state")
    }
    const ch = await joined(client, topicOf("stop"))
    await expectReply(ch, "stop_other_reply", {}, "error", { e: 1 })
    await ch.crashes.next("the crash")
    await rejoined(ch)
  },

  async "leave"(env) {
    const topic = topicOf("leave")
    const [stays, leaves] = await Promise.all([1, 2].map(() => joined(connect(env), topic, {}, ["bc"])))
    const witness = await joined({ socket: leaves.socket }, topicOf("witness"))
    // The channel itself stops listening at once, so the socket has to tell.
    const [closed, late] = [new Queue(), new Queue()]
    leaves.socket.onMessage(message => {
      if (message.topic === topic) (message.event === "bc" ? late : closed).put(message.event)
    })
    leaves.leave()
    equal(await closed.next("the reply"), "phx_reply", "first")
    equal(await closed.next("the close"), "phx_close", "then")
    await expectReply(stays, "bc", { x: 1 }, "ok", {})
    await stays.got.bc.next("the broadcast")
    await alive(witness)
    late.empty("sent after the leave")
  },

  async "leave and immediate rejoin"(env) {
    const client = connect(env)
    const topic = topicOf("again")
    const other = await joined(connect(env), topic, {}, ["bc"])
    let ch = await joined(client, topic, {}, ["bc"])
    for (let i = 0; i < 50; i++) {
      ch.leave()
      ch = channel(client, topic, {}, ["bc"])
      const answer = tryJoin(ch)
      equal(await answer, { status: "ok", response: {} }, `join ${i}`)
      await expectReply(other, "bc", { i }, "ok", {})
      equal(await ch.got.bc.next(`broadcast ${i}`), { i }, "broadcast")
      await alive(ch)
      ch.got.bc.empty("delivered twice")
      ch.closes.empty("closed by the leave before it")
    }
    await alive(ch)
    ch.crashes.empty("crashed")
  },

  async "a second channel object on the same topic takes over"(env) {
    const client = connect(env)
    const topic = topicOf("dup")
    const first = await joined(client, topic, {}, ["bc"])
    const second = await joined(client, topic, {}, ["bc"])
    await first.closes.next("the close of the first")
    await expectReply(second, "bc", { x: 1 }, "ok", {})
    equal(await second.got.bc.next("the broadcast"), { x: 1 }, "broadcast")
    await alive(second)
    second.got.bc.empty("delivered twice")
    first.got.bc.empty("delivered to the first")
    second.closes.empty("the second closed")
  },

  async "a join sent twice closes the first instance alone"(env) {
    // What a client does that lost count: the same topic joined with a new ref,
    // no leave before it. The stock client tells the two apart by join_ref.
    const client = connect(env)
    const topic = topicOf("dup")
    const ch = await joined(client, topic, {}, ["bc"])
    ch.state = "joining"
    ch.joinPush.resend(patience)
    await rejoined(ch)
    await expectReply(ch, "bc", { x: 1 }, "ok", {})
    equal(await ch.got.bc.next("the broadcast"), { x: 1 }, "broadcast")
    await alive(ch)
    ch.got.bc.empty("delivered twice")
    ch.closes.empty("closed by the close of its predecessor")
    ch.crashes.empty("crashed")
  },

  async "heartbeat"(env) {
    // The client closes a connection whose heartbeat is not answered before the next one
    // is due. So they are not due here: each is sent when the one before is answered.
    const client = connect(env, { heartbeatIntervalMs: patience })
    const beats = new Queue()
    client.socket.onMessage(message => { if (message.topic === "phoenix") beats.put(message) })
    await client.opens.next("opening")
    for (let i = 0; i < 10; i++) {
      client.socket.sendHeartbeat()
      equal((await beats.next(`heartbeat ${i}`)).payload, { status: "ok", response: {} }, "heartbeat")
    }
    await alive(await joined(client, topicOf("heart")))
    client.closes.empty("closed")
  },

  async "disconnect by id, and reconnect"(env) {
    const uid = `id-${Math.random()}`
    const watched = connect(env, { params: { uid } })
    const other = connect(env, { params: { uid: `${uid}-other` } })
    const topic = topicOf("watched")
    const [ch, admin] = await Promise.all([joined(watched, topic, {}, ["bc"]), joined(other, topicOf("admin"))])
    for (let i = 0; i < 3; i++) {
      await watched.opens.next("opening")
      admin.push("cast", { topic: `u:${uid}`, event: "disconnect", payload: {} })
      equal(await watched.closes.next("the close"), env.polling ? 3410 : 1001, "close code")
      await rejoined(ch)
      await alive(ch)
    }
    await expectReply(ch, "bc", { x: 1 }, "ok", {})
    equal(await ch.got.bc.next("the broadcast"), { x: 1 }, "broadcast")
    await alive(admin)
    other.closes.empty("the other connection closed")
    ch.got.bc.empty("delivered twice")
  },

  async "the server restarts, and the client reconnects and rejoins"(env) {
    const client = connect(env)
    const idle = connect(env)
    const [a, b] = await Promise.all([joined(client, topicOf("a"), {}, ["bc"]), joined(client, topicOf("b"))])
    await Promise.all([client.opens.next("opening"), idle.opens.next("opening")])
    const restarted = env.control("restart")
    for (const c of [client, idle]) {
      const code = await c.closes.next("the close")
      // The next poll may come before the new server is there, or after.
      assert((env.polling ? [1011, 3410] : [1012]).includes(code), `close code ${code}`)
    }
    // Sent while there is no server.
    const meanwhile = ask(a, "echo", { waited: true })
    await restarted
    await Promise.all([client.opens.next("opening again"), idle.opens.next("opening again")])
    await Promise.all([rejoined(a), rejoined(b)])
    equal(await meanwhile, { status: "ok", response: { waited: true } }, "the push that waited")
    await Promise.all([alive(a), alive(b)])
    await expectReply(a, "bc", { x: 1 }, "ok", {})
    equal(await a.got.bc.next("the broadcast"), { x: 1 }, "broadcast")
  },

  async "the connection is cut, and the client reconnects and rejoins"(env) {
    const client = connect(env, { url: env.cutURL })
    const topic = topicOf("cut")
    const ch = await joined(client, topic, {}, ["bc"])
    const other = await joined(connect(env), topic)
    for (let i = 0; i < 3; i++) {
      await client.opens.next("opening")
      await cutOff(env, client)
      await rejoined(ch)
      await expectReply(other, "bc", { i }, "ok", {})
      equal(await ch.got.bc.next("the broadcast"), { i }, "broadcast")
    }
    await alive(ch)
    ch.got.bc.empty("delivered twice")
  },

  async "a message that does not parse costs the connection alone"(env) {
    const [client, other] = [connect(env), connect(env)]
    const [ch, sibling] = await Promise.all([joined(client, topicOf("bad")), joined(other, topicOf("good"))])
    client.socket.conn.send("[oops")
    const code = await client.closes.next("the close")
    // The poll that waits may be answered before the post is, or after.
    assert((env.polling ? [1011, 3410] : [1011]).includes(code), `close code ${code}`)
    await rejoined(ch)
    await Promise.all([alive(ch), alive(sibling)])
    other.closes.empty("the other connection closed")
  },

  async "the client disconnects, and connects again"(env) {
    const client = connect(env)
    const ch = await joined(client, topicOf("offline"))
    await new Promise(done => client.socket.disconnect(done))
    assert(!client.socket.isConnected(), "still connected")
    client.socket.connect()
    await rejoined(ch)
    await alive(ch)
  },

  async "a connection that is refused"(env) {
    const client = connect(env, { params: { reject: "error" } })
    await client.errors.next("the error")
    await client.closes.next("the close")
    // It keeps trying, as it does for any server that is away.
    await client.errors.next("the second error")
    client.opens.empty("opened")
  },

  async "connection parameters"(env) {
    const client = connect(env, { params: { name: "ü &=", nested: { a: "1" } } })
    const { response } = await tryJoin(channel(client, "room:info"))
    equal(response.params, { name: "ü &=", nested: { a: "1" }, vsn: "2.0.0" }, "params")
    equal(response.transport, env.polling ? "longpoll" : "websocket", "transport")
  },

  async "falls back where WebSocket is refused"(env) {
    await fallsBack(env, env.blockedURL, patience)
  },

  async "falls back where the WebSocket handshake hangs"(env) {
    await fallsBack(env, env.hangingURL, 200)
  },

  async "does not fall back where WebSocket works"(env) {
    const [store, healthy] = [new Store(), new Queue()]
    const client = connect(env, {
      longPollFallbackMs: patience,
      sessionStorage: store,
      logger: (_, message) => message === "connected to primary after" && healthy.put(message),
    })
    await client.opens.next("opening")
    // From here on the client does not think of falling back any more.
    await healthy.next("the answer to the ping")
    equal(await transportOf(client), "websocket", "transport")
    equal(store.items, {}, "remembered")
    client.opens.empty("opened twice")
    client.errors.empty("errors")
  },

  async "auth token"(env) {
    const authToken = "abc~~>x" // YWJjfn4+eA==, sent without the padding
    const client = connect(env, { url: env.authURL, authToken })
    const { response } = await tryJoin(channel(client, "room:info"))
    equal(response.auth_token, authToken, "token")
  },

  async "auth token in a parameter"(env) {
    const token = "tök/en?&=+ ~"
    const client = connect(env, { url: env.paramURL, params: { token, other: "1" } })
    const ch = channel(client, "room:info")
    const { response } = await tryJoin(ch)
    equal([response.auth_token, response.params], [token, { other: "1", vsn: "2.0.0" }], "token and params")
    await alive(await joined(client, topicOf("param")))
  },

  ...presenceScenarios,
}

// A Store is a session's storage, in which the client remembers that it fell back.
class Store {
  items = {}
  getItem(key) { return this.items[key] ?? null }
  setItem(key, value) { this.items[key] = value }
  removeItem(key) { delete this.items[key] }
}

// transportOf asks the server over which transport a client came.
const transportOf = async client => (await tryJoin(channel(client, "room:info"))).response.transport

// fallsBack shows that a client gets from WebSocket to long polling after what the
// url has for it, or after ms at the latest, and that all is well there.
async function fallsBack(env, url, ms) {
  const options = { url, longPollFallbackMs: ms, sessionStorage: new Store() }
  const client = connect(env, options)
  const topic = topicOf("fallen-back")
  const first = await joined(client, topic, {}, ["bc"])
  equal(await transportOf(client), "longpoll", "transport")
  equal(options.sessionStorage.items, { "phx:fallback:LongPoll": "true" }, "remembered")

  // The next one of the session does not try WebSocket at all.
  const next = connect(env, { ...options, longPollFallbackMs: patience })
  const second = await joined(next, topic, {}, ["bc"])
  equal(await transportOf(next), "longpoll", "transport of the next")
  next.errors.empty("errors of the next")
  for (const from of [first, second]) {
    await expectReply(from, "bc", { x: 1 }, "ok", {})
    for (const to of [first, second]) equal(await to.got.bc.next("the broadcast"), { x: 1 }, "broadcast")
  }

  client.socket.disconnect()
  client.socket.connect()
  await rejoined(first)
  await alive(first)
  equal(await transportOf(next), "longpoll", "transport after a reconnect")
}

// What does not run with a client or over a transport, and why. All else runs with
// every client over every transport.
const exceptions = [
  { over: "longpoll", scenario: "binary both ways", why: "no client can read binary from a poll" },
  { over: "longpoll", scenario: "binary on a topic beyond ASCII", why: "no client can read binary from a poll" },
  { over: "websocket", scenario: "binary goes to the server alone", why: "it goes both ways" },
  { over: "longpoll", scenario: "heartbeat", why: "the client sends none, polls do the same" },
  { over: "longpoll", scenario: "falls back where WebSocket is refused", why: "it begins with WebSocket" },
  { over: "longpoll", scenario: "falls back where the WebSocket handshake hangs", why: "it begins with WebSocket" },
  { over: "longpoll", scenario: "does not fall back where WebSocket works", why: "it begins with WebSocket" },
  { client: "phoenix-1-7", scenario: "auth token", why: "it came with 1.8" },
  { client: "phoenix-1-7", scenario: "binary on a topic beyond ASCII", why: "before 1.8.7 the client counts a header's fields in UTF-16 units" },
  { client: "phoenix-1-7", scenario: "presence: keys that every object has", why: "before 1.8.9 the client takes them for what every object has" },
  {
    client: "phoenix-1-7", over: "longpoll", scenario: "disconnect by id, and reconnect",
    why: "the client takes the session that it is given for the one that is gone, and does not join again",
  },
  {
    // The leaves of the others answer its polls just when the server ends, so that its next
    // one often reaches the new server.
    client: "phoenix-1-7", over: "longpoll", scenario: "presence: after a restart of the server everybody is back once",
    why: "the client takes the session that it is given for the one that is gone, and does not join again",
  },
  {
    // Its next poll may reach the new server first here, too, though seldom.
    client: "phoenix-1-7", over: "longpoll", scenario: "the server restarts, and the client reconnects and rejoins",
    why: "the client takes the session that it is given for the one that is gone, and does not join again",
  },
]

// plan says what to run, and what is left out with the reason.
export function plan(packageName, transportName) {
  const left = {}
  for (const { client = packageName, over = transportName, scenario, why } of exceptions) {
    assert(scenarios[scenario], `there is no scenario ${scenario}`)
    if (client === packageName && over === transportName) left[scenario] ??= why
  }
  return { run: Object.keys(scenarios).filter(name => !(name in left)), left }
}
