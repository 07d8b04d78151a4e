// The menu of faults of the fake Slack, with the active ones.

import { element } from "./text.js";

const FAULTS = {
  "429 for the next edit": { kind: "ratelimited", method: "chat.update", seconds: 3 },
  "503 for three calls": { kind: "server_error", times: 3 },
  "lose the reply to the next post": { kind: "drop_reply", method: "chat.postMessage" },
  "deliver the next command three times": { kind: "repeat", method: "socket" },
  "deliver the next command 5 s late": { kind: "late", method: "socket", seconds: 5 },
  "2 s slower, ten calls": { kind: "latency", times: 10, seconds: 2 },
  "answer no pings": { kind: "deaf", method: "socket", times: -1 },
  "Slack is down": { kind: "away", times: -1 },
  "refresh the connections": { kind: "disconnect" },
  "clear all faults": { clear: true },
};
const rows = new Map();
let turn = 0;

export function build(menu, post) {
  for (const [label, fault] of Object.entries(FAULTS)) {
    const button = element("button", { type: "button", textContent: label, onclick: () => post("/lab/fault", fault) });
    rows.set(button, { label, fault });
    menu.append(element("li", {}, button));
  }
}

const same = (set, fault) => set.kind === fault.kind && set.method === (fault.method || "*");
const left = (set) => set.times < 0 ? "until cleared" : `${set.times} left`;

export async function show(summary) {
  const mine = ++turn, { set } = await (await fetch("/lab/faults")).json();
  if (mine !== turn) return; // a newer call is in progress
  for (const [button, { label, fault }] of rows) {
    const on = set.find((one) => same(one, fault));
    button.textContent = on ? `${label} (on, ${left(on)})` : label;
    button.classList.toggle("on", Boolean(on));
  }
  summary.textContent = set.length ? `Faults (${set.length} on)` : "Faults";
}
