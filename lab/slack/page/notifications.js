// The panel with what notified the acting user: mentions of them or of their groups, and direct messages.

import { element, mrkdwn, names } from "./text.js";

const REASON = { mention: "mentioned you", group: "mentioned your group", channel: "mentioned the channel", direct: "direct message" };
const seen = new Map(); // user -> how many of their notifications were looked at
let turn = 0;

function item(given, go) {
  const where = given.reason === "direct" ? "" : ` in #${names.channels[given.channel] || given.channel}`;
  const lead = element("small", { className: "soft", textContent: `${REASON[given.reason]}${where}, ${new Date(given.ts * 1000).toLocaleTimeString()}` });
  const text = element("span", { className: "lines" }, mrkdwn(given.text));
  for (const link of text.querySelectorAll("a")) link.replaceWith(link.textContent); // a button holds no links
  const button = element("button", { type: "button", onclick: () => go(given) }, lead, text);
  return element("li", {}, button);
}

export async function show(user, panel, go) {
  const mine = ++turn;
  const list = await (await fetch("/lab/notifications?" + new URLSearchParams({ user }))).json();
  if (mine !== turn) return; // a newer call is in progress
  if (panel.open || !seen.has(user)) seen.set(user, panel.open ? list.length : 0);
  const fresh = list.length - seen.get(user);
  panel.querySelector("summary").textContent = fresh ? `Notifications (${fresh} new)` : "Notifications";
  panel.classList.toggle("fresh", fresh > 0);
  const items = list.slice(-30).reverse().map((given) => item(given, go));
  panel.querySelector("menu").replaceChildren(...(items.length ? items : [element("li", { className: "soft", textContent: "Nothing has notified you." })]));
}
