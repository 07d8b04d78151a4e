// Draw the inputs of a modal as controls, and keep what was chosen when the app changes the modal.

import { element, text } from "./text.js";

const pick = (option) => ({ text: option.text, value: option.value });
const all = (shown) => shown.options || (shown.option_groups || []).flatMap((group) => group.options);

// `context`: `values` by block ID; `changed(block)`: called after each choice; `search(block, query)`: returns options.
const CONTROL = {
  plain_text_input(block, shown, context) {
    const control = element(shown.multiline ? "textarea" : "input", { value: context.values[block.block_id]?.value ?? shown.initial_value ?? "" });
    if (shown.max_length) control.maxLength = shown.max_length;
    control.oninput = () => context.set(block, { value: control.value });
    return control;
  },
  static_select(block, shown, context) {
    const chosen = context.values[block.block_id]?.selected_option?.value;
    const option = (given) => element("option", { value: given.value, textContent: given.text.text, selected: given.value === chosen });
    const groups = (shown.option_groups || []).map((group) => element("optgroup", { label: group.label.text }, ...group.options.map(option)));
    const empty = element("option", { value: "", textContent: shown.placeholder?.text || "Choose", selected: !chosen });
    const control = element("select", {}, empty, ...(groups.length ? groups : (shown.options || []).map(option)));
    control.onchange = () => {
      const found = all(shown).find((given) => given.value === control.value);
      context.set(block, { selected_option: found ? pick(found) : null });
      context.changed(block);
    };
    return control;
  },
  radio_buttons: (block, shown, context) => choices(block, shown, context, "radio"),
  checkboxes: (block, shown, context) => choices(block, shown, context, "checkbox"),
  external_select: (block, shown, context) => searched(block, shown, context, false),
  multi_external_select: (block, shown, context) => searched(block, shown, context, true),
};

function choices(block, shown, context, type) {
  const state = context.values[block.block_id] || {};
  const chosen = new Set([state.selected_option, ...(state.selected_options || [])].filter(Boolean).map((option) => option.value));
  const boxes = shown.options.map((option) => {
    const box = element("input", { type, name: block.block_id, value: option.value, checked: chosen.has(option.value) });
    box.onchange = () => {
      const picked = shown.options.filter((each, number) => boxes[number].firstChild.checked).map(pick);
      context.set(block, type === "radio" ? { selected_option: picked[0] } : { selected_options: picked });
    };
    return element("label", { className: "choice" }, box, text(option.text));
  });
  return element("div", { className: "choices" }, ...boxes);
}

// A select whose options the app suggests: type to search, then choose from the list.
function searched(block, shown, context, several) {
  const state = context.values[block.block_id] || {};
  let chosen = several ? state.selected_options || [] : state.selected_option ? [state.selected_option] : [];
  const input = element("input", { type: "search", autocomplete: "off", placeholder: shown.placeholder?.text || "Search" });
  const list = element("div", { className: "options", role: "listbox" }), chips = element("div", { className: "actions" });
  const draw = () => chips.replaceChildren(...chosen.map((option) => element("button", { type: "button", className: "chip",
    textContent: option.text.text + " ✕", ariaLabel: `Remove ${option.text.text}`, onclick: () => choose(chosen.filter((one) => one !== option)) })));
  const choose = (options) => {
    chosen = options;
    context.set(block, several ? { selected_options: chosen } : { selected_option: chosen[0] || null });
    list.replaceChildren();
    input.value = "";
    draw();
  };
  let turn = 0;
  const search = async () => {
    const mine = ++turn;
    if (input.value.length < (shown.min_query_length ?? 3)) return list.replaceChildren();
    const options = await context.search(block, input.value);
    if (mine !== turn) return;
    const item = (option) => element("button", { type: "button", role: "option", textContent: option.text.text,
      onclick: () => choose(several ? [...chosen.filter((one) => one.value !== option.value), pick(option)] : [pick(option)]) });
    list.replaceChildren(...(options.length ? options.map(item) : [element("div", { className: "soft", textContent: "No results" })]));
  };
  input.oninput = search;
  input.onfocus = search;
  draw();
  return element("div", { className: "search" }, chips, input, list);
}

function initial(shown) {
  if (shown.initial_option) return { selected_option: pick(shown.initial_option) };
  if (shown.initial_options) return { selected_options: shown.initial_options.map(pick) };
  return shown.initial_value ? { value: shown.initial_value } : null;
}

// Return the element of an input block, with its label, hint, and error.
export function field(block, context, error) {
  const shown = block.element, known = context.values[block.block_id] || initial(shown);
  if (known) context.values[block.block_id] = known;
  const control = CONTROL[shown.type]?.(block, shown, context) || element("div", { className: "soft", textContent: `(${shown.type})` });
  const label = element("b", { textContent: block.label.text + (block.optional ? " (optional)" : "") });
  const isPlain = ["INPUT", "SELECT", "TEXTAREA"].includes(control.tagName);
  const made = element(isPlain ? "label" : "fieldset", { className: "field" }, isPlain ? label : element("legend", {}, label), control,
    block.hint ? element("small", {}, text(block.hint)) : null,
    error ? element("small", { className: "error", role: "alert", textContent: error }) : null);
  made.dataset.block = block.block_id;
  return made;
}

// Return the values of a submission.
export function values(blocks, chosen) {
  const found = {};
  for (const block of blocks) {
    if (block.type !== "input") continue;
    const { type, action_id } = block.element;
    found[block.block_id] = { [action_id]: { type, ...(chosen[block.block_id] || {}) } };
  }
  return found;
}
