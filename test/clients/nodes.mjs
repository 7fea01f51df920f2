// What a client must not notice: that the others are on another node. Two nodes of
// "bennu demo" share a chat room, and one client is on each. env has, beside what
// scenarios.mjs lists:
//
//   url           the socket of one node
//   otherURL      that of the other
//   control(x)    "restart" the other node
import { connect, equal, excuse, expectReply, joined, rejoined, topicOf } from "./lib.mjs"

export const scenarios = {
  async "speak and be heard"(env) {
    const guests = await room(env, topicOf("nodes"))
    await converse(guests)
  },

  async "many messages come in order"(env) {
    const [ani, tui] = await room(env, topicOf("nodes"))
    const bodies = Array.from({ length: 50 }, (_, i) => `number ${i}`)
    for (const { ch } of [ani, tui]) for (const body of bodies) ch.push("shout", { body })
    for (const { ch } of [ani, tui]) {
      const heard = { Ani: [], Tui: [] }
      for (let left = 2 * bodies.length; left > 0; left--) {
        const { name, body } = await ch.got.shout.next("a message")
        heard[name].push(body)
      }
      equal(heard, { Ani: bodies, Tui: bodies }, "what was heard")
    }
  },

  async "rooms are apart"(env) {
    const here = await room(env, topicOf("nodes"))
    const there = await room(env, topicOf("nodes"))
    await converse(here)
    await converse(there)
    for (const { ch } of [...here, ...there]) ch.got.shout.empty("heard from another room")
  },

  async "leave, and join again"(env) {
    const topic = topicOf("nodes")
    const [ani, tui] = await room(env, topic)
    tui.ch.leave()
    equal(await ani.ch.got.left.next("the leave"), { name: "Tui" }, "left")
    // What is said now may still be on its way between the nodes when Tui is back, and
    // is heard then; so nobody says anything.
    const again = { ...tui, ch: await enter(tui.client, topic, "Tui") }
    equal(await ani.ch.got.arrived.next("the arrival"), { name: "Tui" }, "arrived")
    await converse([ani, again])
    tui.ch.got.shout.empty("heard after the leave")
  },

  async "disconnect, and rejoin"(env) {
    const guests = await room(env, topicOf("nodes"))
    for (const guest of guests) {
      const others = guests.filter(one => one !== guest)
      guest.client.socket.disconnect()
      // Over long polling a server learns of it when no poll comes, after 15 s at least.
      if (!env.polling) for (const one of others) equal(await one.ch.got.left.next("the end"), { name: guest.name }, "left")
      guest.client.socket.connect()
      await rejoined(guest.ch)
      for (const one of guests) equal(await one.ch.got.arrived.next("the arrival"), { name: guest.name }, "arrived")
      await converse(guests)
    }
  },

  async "a node restarts"(env) {
    const guests = await room(env, topicOf("nodes"))
    const [ani, tui] = guests
    await env.control("restart")
    await rejoined(tui.ch)
    equal(await ani.ch.got.left.next("the end"), { name: "Tui" }, "left")
    for (const { ch } of guests) equal(await ch.got.arrived.next("the arrival"), { name: "Tui" }, "arrived")
    await converse(guests)
    ani.client.closes.empty("closed by the restart of another node")
    ani.ch.crashes.empty("ended by the restart of another node")
  },
}

const events = ["arrived", "left", "shout"]

// enter joins as a guest. A node that stands still for more than a second, while the other one
// takes interest in a topic, is told of as a gap: the channel ends, and the guest comes again.
async function enter(client, topic, name) {
  const ch = await joined(client, topic, { name }, events)
  ch.onError(() => { if (client.socket.isConnected()) excuse() })
  return ch
}

// room has one guest on each node. All have heard of both.
async function room(env, topic) {
  const guests = []
  for (const [name, url] of [["Ani", env.url], ["Tui", env.otherURL]]) {
    const client = connect(env, { url })
    const ch = await enter(client, topic, name)
    guests.push({ name, client, ch })
    // A node tells of an arrival after the join: the next guest comes when that is over.
    equal(await guests[0].ch.got.arrived.next("the arrival"), { name }, "arrived")
  }
  const [ani, tui] = guests
  await settled(ani, tui)
  return guests
}

// settled returns when the newcomer has heard of itself, once, and of nothing that was said
// before it came: what the first one's join said may still have been on its way between the
// nodes. It comes before what the first one says now.
async function settled(first, newcomer) {
  const { arrived, shout } = newcomer.ch.got
  const heard = []
  while (heard.at(-1) !== newcomer.name) heard.push((await arrived.next("the arrival")).name)
  await expectReply(first.ch, "shout", { body: "is anybody there?" }, "ok", {})
  for (const queue of [first.ch.got.shout, shout]) await queue.next("the question")
  heard.push(...arrived.items.splice(0).map(({ name }) => name))
  equal(heard.filter(name => name !== first.name), [newcomer.name], "arrived")
}

let said = 0

// converse has each say something that both hear, once.
async function converse(guests) {
  for (const from of guests) {
    const body = `message ${++said}`
    await expectReply(from.ch, "shout", { body }, "ok", {})
    for (const to of guests) {
      const { name, body: heard } = await to.ch.got.shout.next(`${to.name} to hear ${from.name}`)
      equal({ name, body: heard }, { name: from.name, body }, "what was heard")
    }
  }
  const nodes = new Set()
  for (const from of guests) {
    await expectReply(from.ch, "shout", { body: "who carries this?" }, "ok", {})
    for (const to of guests) nodes.add((await to.ch.got.shout.next("the question")).node)
  }
  equal(nodes.size, guests.length, "nodes that the messages came from")
}

// plan says what to run: all, with every client over every transport.
export const plan = () => ({ run: Object.keys(scenarios), left: {} })
