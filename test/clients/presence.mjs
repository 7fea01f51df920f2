// Who is here, as the stock Presence object of the client keeps it. The scenarios are
// among those of scenarios.mjs.
import { alive, assert, connect, cutOff, equal, metasOf, patience, present, refsOf, rejoined, sees, topicOf, until, within } from "./lib.mjs"

// The fixture tracks who joins such a topic, under the key of the join.
const roomOf = name => topicOf(`presence-${name}`)

export const presenceScenarios = {
  async "presence: everybody sees who is here"(env) {
    const topic = roomOf("list")
    const ann = await present(env, connect(env), topic, "ann", "Ann")
    await sees(ann, { ann: 1 })
    const bob = await present(env, connect(env, { transport: env.otherTransport }), topic, "bob", "Böb 😀")
    for (const ch of [ann, bob]) await sees(ch, { ann: 1, bob: 1 })
    const elsewhere = await present(env, connect(env), roomOf("elsewhere"), "zoe")
    const cy = await present(env, connect(env), topic, "cy", "<Cy>")
    for (const ch of [ann, bob, cy]) {
      await sees(ch, { ann: 1, bob: 1, cy: 1 })
      const names = ch.presence.list((key, { metas: [first] }) => `${key}: ${first.name}`)
      equal(names.sort(), ["ann: Ann", "bob: Böb 😀", "cy: <Cy>"], "names")
      // Who came before the client did may come twice, in the state and in a diff. It
      // is new once.
      equal(ch.seen.filter(e => e.before === 0).map(e => e.join).sort(), ["ann", "bob", "cy"], "who is new")
    }
    await sees(elsewhere, { zoe: 1 })
    for (const ch of [ann, bob, cy, elsewhere]) equal(ch.seen.filter(e => e.leave), [], "who left")
  },

  async "presence: one user with two connections has two metas"(env) {
    const topic = roomOf("twice")
    const watcher = await present(env, connect(env), topic, "watcher")
    await sees(watcher, { watcher: 1 })
    watcher.seen = []
    const [one, two] = [connect(env), connect(env)]
    const first = await present(env, one, topic, "ann", "phone")
    await sees(watcher, { watcher: 1, ann: 1 })
    const second = await present(env, two, topic, "ann", "laptop")
    for (const ch of [watcher, first, second]) {
      await sees(ch, { watcher: 1, ann: 2 })
      equal(metasOf(ch, "ann").map(meta => meta.name).sort(), ["laptop", "phone"], "the metas")
    }
    one.socket.disconnect()
    await sees(watcher, { watcher: 1, ann: 1 })
    equal(metasOf(watcher, "ann"), [{ online_at: 1, name: "laptop" }], "what is left")
    two.socket.disconnect()
    await sees(watcher, { watcher: 1 })
    equal(watcher.seen, [
      { join: "ann", before: 0, metas: 1 }, { join: "ann", before: 1, metas: 1 },
      { leave: "ann", left: 1, metas: 1 }, { leave: "ann", left: 0, metas: 1 },
    ], "what was told")
  },

  async "presence: an update is one diff"(env) {
    const topic = roomOf("update")
    const ann = await present(env, connect(env), topic, "ann")
    await sees(ann, { ann: 1 })
    const bob = await present(env, connect(env), topic, "bob")
    for (const ch of [ann, bob]) await sees(ch, { ann: 1, bob: 1 })
    const before = refsOf(bob, "ann")
    for (const ch of [ann, bob]) [ch.seen, ch.got.presence_diff.items] = [[], []]
    ann.push("upd", {})
    for (const ch of [ann, bob]) {
      const { joins, leaves } = await ch.got.presence_diff.next("the diff")
      equal([Object.keys(joins), Object.keys(leaves)], [["ann"], ["ann"]], "keys of the diff")
      equal([joins.ann.metas[0].phx_ref_prev, leaves.ann.metas[0].phx_ref], [before[0], before[0]], "what was replaced")
      await alive(ch)
      equal(metasOf(ch, "ann"), [{ online_at: 2, name: "ann" }], "the metas")
      equal(ch.seen, [{ join: "ann", before: 1, metas: 1 }, { leave: "ann", left: 1, metas: 1 }], "what was told")
      ch.got.presence_diff.empty("further diffs")
    }
  },

  async "presence: nobody flickers through many updates"(env) {
    const topic = roomOf("updates")
    const ann = await present(env, connect(env), topic, "ann")
    const bob = await present(env, connect(env), topic, "bob")
    await sees(bob, { ann: 1, bob: 1 })
    bob.seen = []
    for (let i = 0; i < 50; i++) ann.push("upd", {})
    ann.push("untrack", {})
    await sees(bob, { bob: 1 })
    const left = bob.seen.filter(e => e.leave === "ann").map(e => e.left)
    equal(left.pop(), 0, "metas left by the last leave")
    assert(left.every(n => n === 1), `metas left by the updates: ${left}`)
  },

  async "presence: untrack and leave"(env) {
    const topic = roomOf("leave")
    const [ann, bob, cy] = await Promise.all(["ann", "bob", "cy"].map(key => present(env, connect(env), topic, key)))
    for (const ch of [ann, bob, cy]) await sees(ch, { ann: 1, bob: 1, cy: 1 })
    cy.seen = []
    // Who is not tracked any more is still in the room.
    ann.push("untrack", {})
    for (const ch of [ann, bob, cy]) await sees(ch, { bob: 1, cy: 1 })
    bob.leave()
    for (const ch of [ann, cy]) await sees(ch, { cy: 1 })
    equal(cy.seen, [{ leave: "ann", left: 0, metas: 1 }, { leave: "bob", left: 0, metas: 1 }], "what was told")
    ann.push("untrack", {}) // of nothing
    await Promise.all([alive(ann), alive(cy)])
    equal(cy.seen.length, 2, "what was told in the end")
  },

  async "presence: leaving and joining again many times leaves no ghost"(env) {
    const topic = roomOf("again")
    const watcher = await present(env, connect(env), topic, "watcher")
    const client = connect(env)
    for (let i = 0; i < 20; i++) {
      const ann = await present(env, client, topic, "ann", `${i}`)
      // Diffs have no join_ref. One that is on its way while the client leaves would
      // get to the next channel object on the topic, which takes it for its own.
      await until(ann, () => metasOf(ann, "ann").some(meta => meta.name === `${i}`), "itself")
      ann.leave()
    }
    const ann = await present(env, client, topic, "ann", "last")
    for (const ch of [watcher, ann]) {
      await until(ch, () => metasOf(ch, "ann").some(meta => meta.name === "last"), "the last one")
      await sees(ch, { watcher: 1, ann: 1 })
    }
    // A join without a leave before it, as of a client that lost count.
    const before = refsOf(watcher, "ann")
    ann.state = "joining"
    ann.joinPush.resend(patience)
    await rejoined(ann)
    for (const ch of [watcher, ann]) {
      await until(ch, () => !refsOf(ch, "ann").includes(before[0]), "the end of the first instance")
      await sees(ch, { watcher: 1, ann: 1 })
    }
  },

  async "presence: a crash of the channel leaves no ghost"(env) {
    const topic = roomOf("crash")
    const ann = await present(env, connect(env), topic, "ann")
    const bob = await present(env, connect(env), topic, "bob")
    for (const ch of [ann, bob]) await sees(ch, { ann: 1, bob: 1 })
    const before = refsOf(bob, "ann")
    ann.push("boom", {})
    await rejoined(ann)
    for (const ch of [ann, bob]) {
      await until(ch, () => !refsOf(ch, "ann").includes(before[0]), "the end of the one that crashed")
      await sees(ch, { ann: 1, bob: 1 })
    }
  },

  async "presence: after a cut the list is fresh"(env) {
    const topic = roomOf("cut")
    // It comes back when the scenario says so, not by itself.
    const away = connect(env, { url: env.cutURL, reconnectAfterMs: () => 3_600_000 })
    const ann = await present(env, away, topic, "ann")
    await sees(ann, { ann: 1 })
    const [bob, cy] = await Promise.all(["bob", "cy"].map(key => present(env, connect(env), topic, key)))
    for (const ch of [ann, bob, cy]) await sees(ch, { ann: 1, bob: 1, cy: 1 })
    const before = refsOf(ann, "ann")

    await cutOff(env, away)
    cy.leave()
    const dan = await present(env, connect(env), topic, "dan")
    for (const ch of [bob, dan]) await sees(ch, { bob: 1, dan: 1 })
    ann.seen = []
    await within(new Promise(done => away.socket.disconnect(done)), "disconnecting")
    away.socket.connect()
    await rejoined(ann)

    for (const ch of [bob, dan]) await sees(ch, { ann: 1, bob: 1, dan: 1 })
    await until(ann, () => !refsOf(ann, "ann").includes(before[0]), "the new entry")
    await sees(ann, { ann: 1, bob: 1, dan: 1 })
    equal(ann.seen, [
      // Of the state: what has changed against the list from before the cut.
      { join: "dan", before: 0, metas: 1 }, { leave: "ann", left: 0, metas: 1 }, { leave: "cy", left: 0, metas: 1 },
      { join: "ann", before: 0, metas: 1 },
    ], "what was told")
  },

  async "presence: after cuts that mend themselves there is no ghost"(env) {
    const topic = roomOf("cuts")
    const client = connect(env, { url: env.cutURL })
    const ann = await present(env, client, topic, "ann")
    const bob = await present(env, connect(env), topic, "bob")
    for (const ch of [ann, bob]) await sees(ch, { ann: 1, bob: 1 })
    for (let i = 0; i < 3; i++) {
      const before = refsOf(bob, "ann")
      await cutOff(env, client)
      await rejoined(ann)
      // The session of a client that polls may be there for a while beside the new one.
      for (const ch of [ann, bob]) {
        await until(ch, () => !refsOf(ch, "ann").includes(before[0]), "the end of the old connection")
        await sees(ch, { ann: 1, bob: 1 })
      }
    }
  },

  async "presence: after a restart of the server everybody is back once"(env) {
    const topic = roomOf("restart")
    const all = await Promise.all(["ann", "ann", "bob"].map(key => present(env, connect(env), topic, key)))
    for (const ch of all) await sees(ch, { ann: 2, bob: 1 })
    const refs = ch => ["ann", "bob"].flatMap(key => refsOf(ch, key))
    const before = refs(all[0])
    await env.control("restart")
    await Promise.all(all.map(rejoined))
    for (const ch of all) {
      await until(ch, () => !refs(ch).some(ref => before.includes(ref)), "the end of the old entries")
      await sees(ch, { ann: 2, bob: 1 })
    }
  },

  async "presence: keys that are numbers arrive as text"(env) {
    const topic = roomOf("numbers")
    const keys = [42, 12345678901, 1.5]
    const all = await Promise.all(keys.map(key => present(env, connect(env), topic, key)))
    for (const ch of all) {
      await sees(ch, { 42: 1, 12345678901: 1, "1.5": 1 })
      ch.presence.list((key, { metas: [meta] }) => equal(key, meta.name, "a key"))
    }
  },

  async "presence: keys that every object has"(env) {
    const topic = roomOf("proto")
    const keys = ["__proto__", "constructor", "toString"]
    const clients = keys.map(() => connect(env))
    const all = await Promise.all(keys.map((key, i) => present(env, clients[i], topic, key)))
    // With brackets it is a key like others.
    for (const ch of all) await sees(ch, { ["__proto__"]: 1, constructor: 1, toString: 1 })
    const [proto, ...others] = all
    others[0].seen = []
    proto.push("upd", {})
    await until(others[0], () => metasOf(others[0], "__proto__")[0].online_at === 2, "the update")
    clients[0].socket.disconnect()
    for (const ch of others) await sees(ch, { constructor: 1, toString: 1 })
    equal(others[0].seen, [
      { join: "__proto__", before: 1, metas: 1 }, { leave: "__proto__", left: 1, metas: 1 }, { leave: "__proto__", left: 0, metas: 1 },
    ], "what was told")
    equal(Object.keys(Object.prototype), [], "what got into every object")
  },
}
