// A short chat over one WebSocket that shows the name of its node. Real programs use the
// npm package "phoenix", which also joins again after a crash, and polls where WebSocket
// does not work.

const $ = (id) => document.getElementById(id);
const topic = "room:cluster";
const name = `guest ${Math.floor(Math.random() * 1000)}`;
const scheme = location.protocol === "https:" ? "wss" : "ws";
let ws;
let ref = 0;

const push = (event, payload) => ws.send(JSON.stringify(["1", String(++ref), topic, event, payload]));

const on = {
  arrived: (who) => add(`${who.name} came in`),
  left: (who) => add(`${who.name} went out`),
  shout(said) {
    add(`${said.name}, on node ${said.node}: ${said.body}`);
    if (said.name === name) $("state").textContent = `${name} is connected to node ${said.node}`;
  },
};

// Text of other people is shown as text, never as HTML.
function add(text) {
  const row = document.createElement("li");
  row.textContent = text;
  $("talk").prepend(row);
}

function connect() {
  ws = new WebSocket(`${scheme}://${location.host}/socket/websocket?vsn=2.0.0`);
  ws.onopen = () => {
    push("phx_join", { name });
    push("shout", { body: "hello" });
  };
  ws.onmessage = ({ data }) => {
    const [, , , event, payload] = JSON.parse(data);
    on[event]?.(payload);
  };
  ws.onclose = () => {
    $("state").textContent = "the connection is lost; trying again";
    setTimeout(connect, 500);
  };
}

setInterval(() => {
  if (ws.readyState === WebSocket.OPEN) ws.send(JSON.stringify([null, String(++ref), "phoenix", "heartbeat", {}]));
}, 30_000);

$("say").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  if (ws.readyState !== WebSocket.OPEN) return;
  push("shout", { body: $("body").value });
  $("body").value = "";
});

connect();
