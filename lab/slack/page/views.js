// Show what is not a message: the Home tab, modals, and shortcuts.

import { drawn } from "./blocks.js";
import { field, values } from "./inputs.js";
import { element } from "./text.js";

const $ = (id) => document.getElementById(id);
const chosen = {}; // view ID -> block ID -> state of an input
let shownHome = "", shownModal = "", errors = {}, turn = 0;

// `act`: sends what a user does, and says what went wrong; `user`: returns who acts; `confirmed`: asks for confirmation.
export function start({ act, user, confirmed }) {
  const press = (view) => async (button) => {
    if (button.confirm && !(await confirmed(button.confirm))) return;
    await act("/lab/press", { view_id: view.id, action_id: button.action_id, dialog: button.confirm ? "confirm" : "" }, `“${button.text.text}”`);
  };

  $("home-tab").onclick = async () => {
    toggleHome($("home").hidden);
    if (!$("home").hidden) await act("/lab/home", {}, "Home");
  };
  $("modal").oncancel = (event) => { event.preventDefault(); $("modal").querySelector(".close")?.click(); };

  function drawHome(view) {
    const key = JSON.stringify(view || null);
    if (key === shownHome) return;
    shownHome = key;
    $("home").replaceChildren(...(view ? view.blocks.map((block) => drawn(block, press(view)))
      : [element("p", { className: "soft", textContent: "The app has not published a Home tab for you." })]));
  }

  function drawModal(view) {
    const key = view ? JSON.stringify([view.hash, errors]) : "";
    if (key === shownModal) return;
    shownModal = key;
    if (!view) {
      $("modal").replaceChildren();
      return $("modal").close();
    }
    const context = {
      values: chosen[view.id] ||= {},
      set: (block, state) => { context.values[block.block_id] = state; },
      changed: (block) => block.dispatch_action && act("/lab/choose", { view_id: view.id, block_id: block.block_id, chosen: context.values[block.block_id] }, "The form"),
      search: async (block, query) => (await act("/lab/suggest", { view_id: view.id, block_id: block.block_id, query }, "The search")).options || [],
    };
    const blocks = view.blocks.map((block) => block.type === "input" ? field(block, context, errors[block.block_id]) : drawn(block, press(view)));
    const close = element("button", { type: "button", className: "close", textContent: view.close?.text || "Cancel",
      onclick: () => act("/lab/close", { view_id: view.id }, "Close") });
    const submit = view.submit ? element("button", { className: "primary", textContent: view.submit.text }) : null;
    const form = element("form", {}, element("h2", { textContent: view.title.text }), ...blocks, element("div", { className: "actions" }, close, submit));
    form.onsubmit = async (event) => {
      event.preventDefault();
      const answer = await act("/lab/submit", { view_id: view.id, values: values(view.blocks, context.values) }, "The form", true);
      errors = answer.error === "missing_inputs" ? Object.fromEntries(answer.blocks.map((block) => [block, "Complete this required field."])) : (answer.payload || {}).errors || {};
      await draw();
    };
    $("modal").replaceChildren(form);
    if (!$("modal").open) $("modal").showModal();
  }

  async function draw() {
    const mine = ++turn;
    const views = await (await fetch("/lab/views?" + new URLSearchParams({ user: user() }))).json();
    if (mine !== turn) return; // a newer call is in progress
    const modal = views.filter((view) => view.type === "modal").at(-1);
    if (!modal) errors = {};
    drawHome(views.find((view) => view.type === "home"));
    drawModal(modal);
  }
  return draw;
}

export function toggleHome(open) {
  $("home").hidden = !open;
  $("messages").hidden = $("say").hidden = open;
  $("home-tab").ariaPressed = String(open);
}

export function shortcuts(list, act) {
  $("shortcuts").replaceChildren(...list.map(({ callback_id, name }) => element("button", { type: "button", textContent: "⚡ " + name,
    onclick: () => act("/lab/shortcut", { callback_id }, name) })));
}
