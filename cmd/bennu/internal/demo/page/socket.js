// The client's half of Phoenix Channels, protocol version 2.0.0, in one small file.
// A message is an array: [join_ref, ref, topic, event, payload].
// Real programs use the npm package "phoenix"; this shows how simple the protocol is.

const ANSWER_MS = 10_000;
const HEARTBEAT_MS = 30_000;
const RECONNECT_MS = [10, 50, 100, 150, 200, 250, 500, 1000, 2000, 5000];
const REJOIN_MS = [1000, 2000, 5000, 10_000];
// Connections and joins that end sooner than this count as failures if several do so in a
// row, so that they are tried less often.
const SETTLED_MS = 5000;

const delay = (table, tries) => table[Math.min(tries, table.length - 1)];

// Tries counts failures in a row.
class Tries {
  count = 0;
  #soon = 0;
  #since = 0;

  began() {
    this.#since = performance.now();
  }

  ended() {
    if (!this.#since) return; // it never began
    const lasted = performance.now() - this.#since >= SETTLED_MS;
    this.count = lasted ? 0 : this.#soon;
    this.#soon = lasted ? 0 : this.#soon + 1;
    this.#since = 0;
  }
}

export class Socket {
  #ws = null;
  #ref = 0;
  #tries = new Tries();
  #retry = 0;
  #beat = 0;
  #unanswered = null;
  #wanted = false;
  #channels = new Map();

  // onFrame(direction, text) sees every frame, "out" or "in"; onState(state, wait) gets
  // "connecting", "open", "waiting" or "closed", and how many ms it waits.
  constructor(url, { onFrame = () => {}, onState = () => {} } = {}) {
    this.url = url;
    this.onFrame = onFrame;
    this.onState = onState;
  }

  get open() {
    return this.#ws?.readyState === WebSocket.OPEN;
  }

  connect() {
    this.#wanted = true;
    clearTimeout(this.#retry);
    if (this.#ws) return;
    this.onState("connecting", 0);
    const ws = new WebSocket(`${this.url}?vsn=2.0.0`);
    this.#ws = ws;
    // An abandoned connection may still send messages.
    const current = (act) => (event) => {
      if (ws === this.#ws) act(event);
    };
    ws.onopen = current(() => this.#opened());
    ws.onmessage = current(({ data }) => this.#received(data));
    ws.onclose = current(() => this.#closed());
  }

  close() {
    this.#wanted = false;
    clearTimeout(this.#retry);
    if (this.#ws) {
      this.#ws.close(1000);
      this.#closed();
    } else {
      this.onState("closed", 0);
    }
  }

  // cut ends the connection as a lost network does, and connects again after some ms.
  cut(ms) {
    if (!this.#ws) return;
    this.#ws.close();
    this.#closed(ms);
  }

  channel(topic, params = {}) {
    const ch = new Channel(this, topic, params);
    this.#channels.get(topic)?.leave();
    this.#channels.set(topic, ch);
    return ch;
  }

  forget(ch) {
    if (this.#channels.get(ch.topic) === ch) this.#channels.delete(ch.topic);
  }

  nextRef() {
    return String(++this.#ref);
  }

  send(joinRef, ref, topic, event, payload) {
    if (!this.open) return;
    const text = JSON.stringify([joinRef, ref, topic, event, payload]);
    this.#ws.send(text);
    this.onFrame("out", text);
  }

  #opened() {
    this.#tries.began();
    this.#unanswered = null;
    this.#beat = setInterval(() => this.#heartbeat(), HEARTBEAT_MS);
    this.onState("open", 0);
    for (const ch of this.#channels.values()) ch.rejoinNow();
  }

  // A dead connection may send no close: a heartbeat without an answer shows it.
  #heartbeat() {
    if (this.#unanswered) {
      this.#ws.close(1000, "heartbeat timeout");
      this.#closed();
      return;
    }
    this.#unanswered = this.nextRef();
    this.send(null, this.#unanswered, "phoenix", "heartbeat", {});
  }

  #received(text) {
    if (typeof text !== "string") return; // nothing here uses binary payloads
    this.onFrame("in", text);
    const [joinRef, ref, topic, event, payload] = JSON.parse(text);
    if (topic === "phoenix" && ref === this.#unanswered) {
      this.#unanswered = null;
      return;
    }
    const ch = this.#channels.get(topic);
    // Ignore messages to an earlier join of the same topic.
    if (ch && (joinRef === null || joinRef === ch.joinRef)) ch.received(ref, event, payload);
  }

  #closed(wait) {
    this.#ws = null;
    this.#tries.ended();
    clearInterval(this.#beat);
    for (const ch of this.#channels.values()) ch.connectionLost();
    if (!this.#wanted) {
      this.onState("closed", 0);
      return;
    }
    wait ??= delay(RECONNECT_MS, this.#tries.count);
    this.#tries.count++;
    this.#retry = setTimeout(() => this.connect(), wait);
    this.onState("waiting", wait);
  }
}

class Channel {
  // onMessage sees each message of the topic before its handlers, and returns the payload for them. The
  // ref of a broadcast is its position in the history of the topic, if there is one.
  onMessage = (event, payload, ref) => payload;
  joinRef = null;
  state = "closed"; // or joining, joined, errored
  #socket;
  #params;
  #handlers = new Map();
  #waiting = new Map(); // ref -> how to settle the push
  #tries = new Tries();
  #rejoin = 0;

  constructor(socket, topic, params) {
    this.#socket = socket;
    this.topic = topic;
    this.#params = params;
  }

  // on registers a function for one event of the server. "state" is an event of this file;
  // its payload is the new state and the reason.
  on(event, handler) {
    this.#handlers.set(event, handler);
    return this;
  }

  join() {
    if (!this.#socket.open) {
      this.#become("errored", "not connected"); // the socket joins it when it opens
      return this;
    }
    clearTimeout(this.#rejoin);
    this.joinRef = this.#socket.nextRef();
    this.#become("joining");
    this.#ask(this.joinRef, "phx_join", this.#params).then(
      ({ status, response }) => {
        if (status === "ok") {
          this.#tries.began();
          this.#become("joined", response);
        } else {
          this.#failed(response.reason ?? "refused");
        }
      },
      (lost) => {
        if (lost.message !== "timeout") return;
        this.#socket.send(this.joinRef, this.#socket.nextRef(), this.topic, "phx_leave", {});
        this.#failed("timeout");
      },
    );
    return this;
  }

  // push resolves to {status, response, ms} and rejects when no answer can come.
  push(event, payload = {}) {
    if (this.state !== "joined") return Promise.reject(new Error("not joined"));
    return this.#ask(this.#socket.nextRef(), event, payload);
  }

  leave() {
    clearTimeout(this.#rejoin);
    if (this.state === "joined" || this.state === "joining") {
      this.#socket.send(this.joinRef, this.#socket.nextRef(), this.topic, "phx_leave", {});
    }
    this.#socket.forget(this);
    this.#settleAll("left");
    this.#become("closed", "left");
  }

  rejoinNow() {
    if (this.state === "errored") this.join();
  }

  connectionLost() {
    clearTimeout(this.#rejoin);
    this.#tries = new Tries();
    this.#settleAll("connection lost");
    this.#become("errored", "connection lost");
  }

  received(ref, event, payload) {
    payload = this.onMessage(event, payload, ref);
    switch (event) {
      case "phx_reply":
        this.#waiting.get(ref)?.answer(payload);
        return;
      case "phx_error":
        this.#settleAll("channel crashed");
        this.#failed(payload.reason ?? "channel crashed");
        return;
      case "phx_close": // the server's last word: not joined again
        this.#socket.forget(this);
        this.#settleAll("channel closed");
        this.#become("closed", "closed by the server");
        return;
      default:
        this.#handlers.get(event)?.(payload);
    }
  }

  #ask(ref, event, payload) {
    return new Promise((resolve, reject) => {
      const asked = performance.now();
      const done = (settle) => {
        clearTimeout(timer);
        this.#waiting.delete(ref);
        settle();
      };
      const timer = setTimeout(() => done(() => reject(new Error("timeout"))), ANSWER_MS);
      this.#waiting.set(ref, {
        answer: ({ status, response }) =>
          done(() => resolve({ status, response, ms: performance.now() - asked })),
        fail: (why) => done(() => reject(new Error(why))),
      });
      this.#socket.send(this.joinRef, ref, this.topic, event, payload);
    });
  }

  #settleAll(why) {
    for (const { fail } of [...this.#waiting.values()]) fail(why);
  }

  #failed(reason) {
    this.#tries.ended();
    const wait = delay(REJOIN_MS, this.#tries.count++);
    this.#rejoin = setTimeout(() => this.join(), wait);
    this.#become("errored", reason, wait);
  }

  #become(state, detail, wait) {
    this.state = state;
    this.#handlers.get("state")?.({ state, detail, wait });
  }
}
