// Show the channel as one user sees it, live. Only changed messages are rendered again, so that focus and scroll position stay.

import { content } from "./blocks.js";
import * as faults from "./faults.js";
import * as notifications from "./notifications.js";
import { element, emoji, mrkdwn, names, text } from "./text.js";
import * as views from "./views.js";

const WHY = {
  account_inactive: "This account is deactivated.", channel_not_found: "There is no such channel.",
  is_archived: "This channel is archived.", message_not_found: "This message was deleted.",
  no_such_button: "This button was removed.", no_such_option: "This menu has changed.", dialog_open: "Confirm it first.", no_such_command: "That is not a valid command.",
  not_in_channel: "You are not in this channel.", user_not_found: "There is no such user.",
};
const $ = (id) => document.getElementById(id);
const shown = new Map(); // ts -> digest and article of a rendered message
const open = new Set(); // keys of expanded details
let people = { users: [], channels: [] }, notes = [], turn = 0;

const here = () => ({ user: $("user").value, channel: $("channel").value });

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return { ok: answer.ok, ...(await answer.json()) };
}

// Show a note that only this user sees, worded as in Slack.
function note(text) {
  notes.push({ ...here(), ts: String(Date.now() / 1000), user: "", to: $("user").value, text, blocks: [], ephemeral: true });
  draw();
}

async function did(path, body, what, quiet = false) {
  const place = here();
  const answer = await post(path, { user: place.user, ...body });
  if (quiet && answer.acked !== false) return answer;
  const text = !answer.ok ? WHY[answer.error] || answer.error : answer.acked === false ? `${what}: the app did not respond.` : (answer.payload || {}).text;
  if (text && place.channel === $("channel").value && place.user === $("user").value) note(text);
  return answer;
}

// Ask for confirmation as Slack does, and return whether the user confirmed.
function confirmed(confirm) {
  const dialog = element("dialog", {}, element("h2", {}, text(confirm.title)), element("p", { className: "lines" }, text(confirm.text)));
  const close = (answer) => () => dialog.close(answer);
  const choice = (label, answer, style) => element("button", { type: "button", className: style, textContent: label, onclick: close(answer) });
  dialog.append(element("div", { className: "actions" }, choice(confirm.deny?.text || "Cancel", "deny", ""),
    choice(confirm.confirm?.text || "Yes", "confirm", confirm.style || "primary")));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => {
    dialog.remove();
    resolve(dialog.returnValue === "confirm");
  }));
}

// Press a button, or choose an option of a menu. Slack hears nothing of a press that the user does not confirm.
async function press(message, shown, option) {
  if (shown.confirm && !(await confirmed(shown.confirm))) return;
  const label = (option || shown).text.text;
  await did("/lab/press", { ts: message.ts, action_id: shown.action_id, option: option?.value,
    dialog: shown.confirm ? "confirm" : "" }, `“${label}”`);
}

function unfolding(key, name, summary, ...inner) {
  const details = element("details", { className: name, open: open.has(key) }, element("summary", { textContent: summary }), ...inner);
  details.firstChild.dataset.key = key;
  details.addEventListener("toggle", () => details.open ? open.add(key) : open.delete(key));
  return details;
}

function file(given) {
  const pre = element("pre", { tabIndex: 0 });
  const path = new URL(given.url_private).pathname;
  const details = unfolding("file " + given.id, "file", `📄 ${given.name}, ${given.size} bytes`, pre,
    element("a", { href: path, target: "_blank", textContent: "open alone" }));
  const load = async () => { if (details.open && !pre.textContent) pre.textContent = await (await fetch(path)).text(); };
  details.addEventListener("toggle", load);
  return details;
}

function head(message) {
  const bot = (people.users.find((user) => user.id === message.user) || {}).is_bot;
  const broadcast = message.subtype === "thread_broadcast" && "replied to a thread";
  const marks = [broadcast, message.edited && "(edited)", message.ephemeral && "only visible to you"].filter(Boolean).join("  ");
  return element("div", { className: "head" }, element("b", { textContent: names.users[message.user] || message.user || "Slack" }),
    bot ? element("span", { className: "app", textContent: "APP" }) : null,
    element("time", { className: "soft", textContent: new Date(message.ts * 1000).toLocaleTimeString() }),
    marks ? element("small", { textContent: marks }) : null);
}

function face(message) {
  const user = people.users.findIndex((one) => one.id === message.user);
  const sign = message.user && !people.users[user]?.is_bot ? (names.users[message.user] || "?")[0].toUpperCase() : message.user ? "🐝" : "ℹ️";
  const made = element("div", { className: "face", textContent: sign });
  made.style.setProperty("--hue", user < 1 ? 42 : user * 67);
  made.ariaHidden = "true";
  return made;
}

function article(message, thread) {
  const body = element("div", { className: "body" }, head(message), ...content(message, (shown, option) => press(message, shown, option)),
    ...(message.files || []).map(file),
    message.reactions ? element("div", { className: "reactions" }, ...message.reactions.map(({ name, count }) =>
      element("span", { textContent: `${emoji(name)} ${count}`, title: name }))) : null);
  if (thread.length) {
    const replies = thread.map((reply) => article(reply, []));
    body.append(unfolding("thread " + message.ts, "thread", thread.length + (thread.length === 1 ? " reply" : " replies"), ...replies));
  }
  const made = element("article", { className: message.ephemeral ? "private" : "" }, face(message), body);
  made.dataset.ts = message.ts;
  return made;
}

// Replace an article and keep the focus on the same element.
function successor(old, fresh) {
  const key = old.contains(document.activeElement) && document.activeElement.dataset.key;
  old.replaceWith(fresh);
  if (key) [...fresh.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key)?.focus({ preventScroll: true });
}

function place(list, roots, replies) {
  const wanted = new Set(roots.map((message) => message.ts));
  for (const [ts, { node }] of shown) if (!wanted.has(ts)) { node.remove(); shown.delete(ts); }
  let before = null;
  for (const message of roots) {
    const thread = replies(message), digest = JSON.stringify([message, thread]), known = shown.get(message.ts);
    if (known?.digest !== digest) {
      const node = article(message, thread);
      known ? successor(known.node, node) : before ? before.after(node) : list.prepend(node);
      shown.set(message.ts, { digest, node });
    }
    before = shown.get(message.ts).node;
  }
}

async function draw() {
  const mine = ++turn, { user, channel } = here();
  const seen = await (await fetch("/lab/sees?" + new URLSearchParams({ user, channel }))).json();
  if (mine !== turn) return; // a newer call is in progress
  const own = notes.filter((one) => one.to === user && one.channel === channel);
  const messages = [...seen, ...own].sort((one, other) => one.ts - other.ts);
  const list = $("messages"), atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  const there = new Set(messages.map((message) => message.ts));
  const roots = messages.filter((message) => !there.has(message.thread_ts) || message.subtype === "thread_broadcast");
  place(list, roots, (message) => messages.filter((reply) => reply.thread_ts === message.ts));
  list.classList.toggle("empty", !roots.length);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

const drawViews = views.start({ act: did, user: () => $("user").value, confirmed });
const refresh = () => Promise.all([
  draw(), drawViews(), faults.show($("fault-summary")), notifications.show($("user").value, $("notifications"), go),
]).catch(() => {});

// Show a message, as a click on its notification or on a link to it does.
async function go({ channel, ts }) {
  views.toggleHome(false);
  $("notifications").open = false;
  if ($("channel").value !== channel) {
    $("channel").value = channel;
    await turned();
  }
  const found = [...document.querySelectorAll("article")].filter((one) => one.dataset.ts === ts).at(-1);
  if (!found) return;
  for (let part = found.parentElement; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  found.scrollIntoView({ block: "center" });
  found.classList.add("target");
  setTimeout(() => found.classList.remove("target"), 2500);
}

// Return the message that a permalink of this workspace names.
function linked(address) {
  const { origin, pathname } = new URL(address, location.href);
  const [, channel, digits] = pathname.match(/^\/archives\/(\w+)\/p(\d+)$/) || [];
  return origin === location.origin && channel ? { channel, ts: `${digits.slice(0, -6)}.${digits.slice(-6)}` } : null;
}

function follow(event) {
  const target = linked(event.target.closest?.("a")?.href || "about:blank");
  if (!target) return;
  event.preventDefault();
  go(target);
}

function options(select, made) {
  const chosen = select.value;
  select.replaceChildren(...made);
  if ([...select.options].some((option) => option.value === chosen)) select.value = chosen;
}

// Switch to another user or channel.
async function turned() {
  people = await (await fetch("/lab/people")).json();
  for (const user of people.users) names.users[user.id] = user.name;
  for (const group of people.groups) names.groups[group.id] = group.name;
  for (const channel of people.channels) names.channels[channel.id] = channel.name;
  const kind = (user) => user.is_restricted ? " (guest)" : user.is_stranger ? " (stranger)" : "";
  options($("user"), people.users.filter((user) => !user.is_bot && !user.deleted)
    .map((user) => element("option", { value: user.id, textContent: user.name + kind(user) })));
  options($("channel"), people.channels.filter((channel) => channel.members.includes($("user").value))
    .map((channel) => element("option", { value: channel.id, textContent: channel.is_im ? "imker (direct)" : "#" + channel.name })));
  views.shortcuts(people.shortcuts, did);
  const title = $("channel").selectedOptions[0]?.textContent || "nowhere";
  $("channel-name").textContent = title;
  $("text").placeholder = `Message ${title}, or /swarm help`;
  shown.clear();
  $("messages").replaceChildren();
  await refresh();
  $("messages").scrollTop = $("messages").scrollHeight;
}

function say(event) {
  event.preventDefault();
  const text = $("text").value.trim();
  if (text) did("/lab/say", { channel: $("channel").value, text }, text.split(" ")[0]);
  $("text").value = "";
}

async function start() {
  faults.build($("fault-menu"), async (path, fault) => { await post(path, fault); await refresh(); });
  $("user").onchange = turned;
  $("channel").onchange = () => { views.toggleHome(false); return turned(); };
  $("say").onsubmit = say;
  $("messages").onclick = $("home").onclick = follow;
  $("notifications").ontoggle = refresh;
  document.onkeydown = (event) => { if (event.key === "Escape") $("faults").open = $("notifications").open = false; };
  await turned();
  const target = linked(location.href);
  if (target) await go(target);
  const stream = new EventSource("/lab/stream");
  stream.onmessage = refresh;
  stream.onopen = () => document.body.classList.remove("offline");
  stream.onerror = () => document.body.classList.add("offline");
}

start();
