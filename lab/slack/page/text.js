// Render Slack's texts as elements: mrkdwn, plain_text, and rich_text. Texts are never parsed as HTML.

const EMOJI = {
  "+1": "👍", "-1": "👎", bee: "🐝", construction: "🚧", eyes: "👀", fire: "🔥", heavy_check_mark: "✔️",
  hourglass: "⌛", hourglass_flowing_sand: "⏳", information_source: "ℹ️", lock: "🔒", no_entry: "⛔",
  pause_button: "⏸️", question: "❓", raised_hand: "✋", rocket: "🚀", rotating_light: "🚨", tada: "🎉",
  thumbsup: "👍", warning: "⚠️", wave: "👋", white_check_mark: "✅", x: "❌",
};
export const names = { users: {}, groups: {}, channels: {} };

export function element(name, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const emoji = (name) => EMOJI[name] || `:${name}:`;

const unescaped = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
const plain = (text) => unescaped(text.replace(/:([a-z0-9_+-]+):/g, (_, name) => emoji(name)));
const mention = (text) => element("b", { className: "mention", textContent: text });
const clock = (seconds, format = "{time_secs}") => new Date(seconds * 1000).toLocaleTimeString([], format.includes("secs") ? {}
  : { hour: "numeric", minute: "2-digit" });

function link(address, label) {
  const safe = /^(https?|mailto):/.test(address);
  return safe ? element("a", { href: address, target: "_blank", rel: "noreferrer" }, label) : document.createTextNode(label);
}

// Render what is between < and >.
function reference(inside) {
  const [target, label] = inside.split("|");
  const sign = target[0], rest = target.slice(1);
  if (sign === "@") return mention("@" + (names.users[rest] || label || rest));
  if (sign === "#") return mention("#" + (names.channels[rest] || label || rest));
  if (rest.startsWith("date^")) return document.createTextNode(clock(...rest.split("^").slice(1)));
  if (rest.startsWith("subteam^")) return mention("@" + (names.groups[rest.slice(8)] || label || rest.slice(8)));
  if (sign === "!") return mention("@" + (label || rest));
  return link(unescaped(target), plain(label || target));
}

const EDGE = "(?<![\\w`*_~])", END = "(?![\\w`*_~])";
const MARKS = new RegExp([
  "```([\\s\\S]*?)```", "`([^`\\n]+)`", "<([^<>\\n]+)>", `${EDGE}\\*(\\S|\\S[^*\\n]*\\S)\\*${END}`,
  `${EDGE}_(\\S|\\S[^_\\n]*\\S)_${END}`, `${EDGE}~(\\S|\\S[^~\\n]*\\S)~${END}`,
].join("|"), "g");

export function mrkdwn(text) {
  const span = element("span");
  let last = 0;
  for (const found of text.matchAll(MARKS)) {
    span.append(plain(text.slice(last, found.index)));
    last = found.index + found[0].length;
    const [, block, code, inside, bold, italic, struck] = found;
    if (block !== undefined) span.append(element("pre", { textContent: unescaped(block).replace(/^\n/, "") }));
    else if (code) span.append(element("code", { textContent: unescaped(code) }));
    else if (inside) span.append(reference(inside));
    else span.append(element(bold ? "b" : italic ? "i" : "s", {}, ...mrkdwn(bold || italic || struck).childNodes));
  }
  span.append(plain(text.slice(last)));
  return span;
}

export const text = (given) =>
  given.type === "mrkdwn" ? mrkdwn(given.text) : element("span", { textContent: plain(given.text) });

function piece(given) {
  switch (given.type) {
    case "link": return link(given.url, given.text || given.url);
    case "emoji": return document.createTextNode(emoji(given.name));
    case "user": return mention("@" + (names.users[given.user_id] || given.user_id));
    case "usergroup": return mention("@" + (names.groups[given.usergroup_id] || given.usergroup_id));
    case "channel": return mention("#" + (names.channels[given.channel_id] || given.channel_id));
    case "broadcast": return mention("@" + given.range);
    case "date": return document.createTextNode(clock(given.timestamp));
  }
  const { code, bold, italic, strike } = given.style || {};
  const kinds = [code && "code", bold && "b", italic && "i", strike && "s"].filter(Boolean);
  return kinds.reduce((inner, kind) => element(kind, {}, inner), document.createTextNode(given.text));
}

const PARTS = {
  rich_text_section: (part) => element("div", {}, ...part.elements.map(piece)),
  rich_text_preformatted: (part) => element("pre", {}, ...part.elements.map(piece)),
  rich_text_quote: (part) => element("blockquote", {}, ...part.elements.map(piece)),
  rich_text_list: (part) => element(part.style === "ordered" ? "ol" : "ul", {}, ...part.elements.map((line) =>
    element("li", {}, ...line.elements.map(piece)))),
};

export const rich = (given) => element("div", { className: "rich" }, ...given.elements.map((part) => PARTS[part.type](part)));
