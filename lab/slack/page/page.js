// The channel as one user sees it. Everything is drawn anew from what the stand-in tells; texts are never HTML.
"use strict";

const FAULTS = {
  "429 for the next edit": { kind: "ratelimited", method: "chat.update", seconds: 3 },
  "503 for three calls": { kind: "server_error", times: 3 },
  "lose the reply to the next post": { kind: "drop_reply", method: "chat.postMessage" },
  "deliver the next command three times": { kind: "repeat", method: "socket" },
  "deliver the next command 5 s late": { kind: "late", method: "socket", seconds: 5 },
  "2 s slower, ten calls": { kind: "latency", times: 10, seconds: 2 },
  "answer no pings": { kind: "deaf", method: "socket", times: -1 },
  "Slack is away": { kind: "away", times: -1 },
  "refresh the connections": { kind: "disconnect" },
  "all is well again": { clear: true },
};
const $ = (id) => document.getElementById(id);
const state = { users: {}, shown: "", open: new Set() };

function element(name, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children.filter((child) => child !== null));
  return made;
}

const post = (path, body) =>
  fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

// Slack's mrkdwn, as far as it is used: mentions, channels, dates, bold, code.
function mrkdwn(text) {
  const span = element("span");
  const pattern = /```([\s\S]*?)```|`([^`\n]+)`|<@(\w+)>|<#(\w+)>|<!date\^(\d+)\^[^|]*\|[^>]*>|<!subteam\^(\w+)>|\*([^*\n]+)\*/g;
  let last = 0;
  for (const found of text.matchAll(pattern)) {
    span.append(plain(text.slice(last, found.index)));
    last = found.index + found[0].length;
    const [, block, code, user, channel, date, group, bold] = found;
    if (block !== undefined) span.append(element("pre", { textContent: plain(block) }));
    else if (code) span.append(element("code", { textContent: plain(code) }));
    else if (date) span.append(new Date(date * 1000).toLocaleTimeString());
    else if (bold) span.append(element("b", {}, mrkdwn(bold)));
    else span.append(element("b", { textContent: user ? "@" + (state.users[user] || user) : channel ? "#" + channel : "@" + group }));
  }
  span.append(plain(text.slice(last)));
  return span;
}

const plain = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

const words = (rich) => rich.elements.flatMap((part) => part.elements.map((inner) => inner.text)).join("");

function task(card) {
  const item = element("li", { className: "task " + card.status }, card.title);
  item.setAttribute("aria-label", `${card.status}: ${card.title}`);
  for (const part of ["details", "output"]) {
    if (card[part]) item.append(element("div", { className: "soft", textContent: words(card[part]) }));
  }
  return item;
}

function block(shown, message) {
  switch (shown.type) {
    case "section":
      return element("div", { style: "white-space: pre-line" }, mrkdwn(shown.text.text));
    case "context":
      return element("div", { className: "soft" }, ...shown.elements.map((inner) => mrkdwn(inner.text)));
    case "plan":
      return element("div", { className: "plan" }, element("b", { textContent: shown.title }), element("ol", {}, ...shown.tasks.map(task)));
    case "table":
      return element("div", { className: "scroll" }, element("table", {}, ...shown.rows.map((row) =>
        element("tr", {}, ...row.map((cell) => element("td", { textContent: cell.text }))))));
    case "actions":
      return element("div", { className: "actions" }, ...shown.elements.map((inner) =>
        element("button", { className: inner.style || "", textContent: inner.text.text, onclick: () => press(message, inner.action_id) })));
    default:
      return element("div", { textContent: "(" + shown.type + ")" });
  }
}

function article(message, thread) {
  const name = state.users[message.user] || message.user;
  const made = element("article", { className: message.ephemeral ? "private" : "" },
    element("div", { className: "face", ariaHidden: "true", textContent: "🐝" }),
    element("div", {}, element("b", { textContent: name }), " ",
      element("small", { textContent: new Date(message.ts * 1000).toLocaleTimeString() + (message.edited ? " (edited)" : "") +
        (message.ephemeral ? "  only visible to you" : "") })),
    ...(message.blocks.length ? message.blocks.map((shown) => block(shown, message)) : [mrkdwn(message.text)]));
  if (thread.length) {
    const details = element("details", { className: "thread", open: state.open.has(message.ts) },
      element("summary", { textContent: thread.length + (thread.length === 1 ? " reply" : " replies") }),
      ...thread.map((reply) => element("div", {}, ...reply.blocks.map((shown) => block(shown, reply)))));
    details.ontoggle = () => details.open ? state.open.add(message.ts) : state.open.delete(message.ts);
    made.append(details);
  }
  return made;
}

async function draw() {
  const query = new URLSearchParams({ user: $("user").value, channel: $("channel").value });
  const messages = await (await fetch("/lab/sees?" + query)).json();
  const digest = JSON.stringify(messages);
  if (digest === state.shown) return;
  state.shown = digest;
  const list = $("messages"), atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  const roots = messages.filter((message) => !message.thread_ts || message.subtype === "thread_broadcast");
  list.replaceChildren(...roots.map((message) => article(message, messages.filter((reply) => reply.thread_ts === message.ts))));
  if (atEnd) list.scrollTop = list.scrollHeight;
}

const press = (message, action) => post("/lab/press", { user: $("user").value, ts: message.ts, action_id: action });

async function start() {
  const people = await (await fetch("/lab/people")).json();
  for (const user of people.users) state.users[user.id] = user.name;
  const acting = people.users.filter((user) => !user.is_bot && !user.deleted);
  $("user").append(...acting.map((user) => element("option", { value: user.id, textContent: user.name })));
  $("channel").append(...people.channels.map((channel) => element("option", { value: channel.id, textContent: "#" + channel.name })));
  for (const [label, fault] of Object.entries(FAULTS)) {
    $("fault-menu").append(element("button", { type: "button", textContent: label, onclick: () => post("/lab/fault", fault) }));
  }
  $("user").onchange = draw;
  $("channel").onchange = () => { $("channel-name").textContent = $("channel").selectedOptions[0].textContent; draw(); };
  $("say").onsubmit = (event) => {
    event.preventDefault();
    const text = $("text").value.trim();
    if (text) post("/lab/say", { user: $("user").value, channel: $("channel").value, text });
    $("text").value = "";
  };
  new EventSource("/lab/stream").onmessage = draw;
  draw();
}

start();
