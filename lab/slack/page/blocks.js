// Render a block as an element. A block that cannot be rendered is named and hides no other.

import { element, mrkdwn, rich, text } from "./text.js";

function task(card, act, name = "li") {
  const item = element(name, { className: "task " + card.status }, element("div", { textContent: card.title }));
  item.setAttribute("aria-label", `${card.status}: ${card.title}`);
  for (const part of ["details", "output"]) {
    if (card[part]) item.append(element("div", { className: "soft" }, rich(card[part])));
  }
  return item;
}

// An overflow menu: "…" opens its items. Choosing one closes it.
function menu(shown, act) {
  const items = shown.options.map((option) => element("button", { type: "button", onclick: () => {
    details.open = false;
    act(shown, option);
  } }, text(option.text)));
  const details = element("details", { className: "more" }, element("summary", { textContent: "…", ariaLabel: "More actions" }),
    element("div", { className: "items" }, ...items));
  details.firstChild.dataset.key = "menu " + shown.action_id;
  return details;
}

function control(shown, act) {
  if (shown.type === "image") return picture(shown);
  if (shown.type === "overflow") return menu(shown, act);
  if (shown.type !== "button") return element("span", { className: "soft", textContent: `(${shown.type})` });
  const button = element("button", { type: "button", className: shown.style || "", onclick: () => act(shown) }, text(shown.text));
  if (shown.accessibility_label) button.ariaLabel = shown.accessibility_label;
  button.dataset.key = "button " + (shown.action_id || shown.text.text);
  return button;
}

const picture = (shown) => element("img", { src: shown.image_url || "", alt: shown.alt_text, loading: "lazy" });
const row = (shown, act) => element("div", { className: "actions" }, ...shown.map((one) => control(one, act)));
const cell = (given) => given.type === "rich_text" ? rich(given) : String(given.text ?? given.value);

function table(shown) {
  const rows = shown.rows.map((cells, number) => element("tr", {}, ...cells.map((given) =>
    element(number ? "td" : "th", number ? {} : { scope: "col" }, cell(given)))));
  const made = element("table", {}, shown.caption ? element("caption", { textContent: String(shown.caption.text || shown.caption) }) : null, ...rows);
  const scroll = element("div", { className: "scroll", tabIndex: 0 }, made);
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", "table");
  scroll.dataset.key = "table";
  return scroll;
}

// Collapsed containers that the user expanded stay expanded when the message is edited.
const expanded = new Map();
let place = ""; // ts of the message that is being rendered

function container(shown, act) {
  const title = shown.title ? element("b", {}, text(shown.title)) : rich(shown.rich_text_title);
  const inner = shown.child_blocks.map((child) => drawn(child, act));
  if (!shown.is_collapsible) return element("div", { className: "plan" }, title, ...inner);
  const key = `container ${place} ${shown.block_id || title.textContent}`;
  const details = element("details", { className: "plan", open: expanded.get(key) ?? !shown.default_collapsed }, element("summary", {}, title), ...inner);
  details.addEventListener("toggle", () => expanded.set(key, details.open));
  details.firstChild.dataset.key = key;
  return details;
}

// Show a table page by page. A click on a column's header sorts by it.
function paged(shown, act) {
  const size = shown.page_size || 5, [header, ...rows] = shown.rows;
  const words = (given) => { const inner = cell(given); return inner.textContent ?? inner; };
  const made = element("div"), pages = Math.ceil(rows.length / size);
  let page = 0, sorted = -1;
  const button = (label, step) => element("button", { type: "button", textContent: label, disabled: !(page + step in [...Array(pages)]),
    onclick: () => { page += step; draw(); } });
  function sort(column) {
    const sign = sorted === column ? -1 : 1;
    rows.sort((one, other) => sign * words(one[column]).localeCompare(words(other[column]), undefined, { numeric: true }));
    [page, sorted] = [0, sign > 0 ? column : -1];
    draw();
  }
  function draw() {
    const part = table({ ...shown, rows: [header, ...rows.slice(page * size, (page + 1) * size)] });
    part.querySelectorAll("th").forEach((one, column) => { one.onclick = () => sort(column); one.className = "sorts"; });
    part.querySelectorAll("tr").forEach((one) => one.cells[shown.row_header_column_index || 0]?.classList.add("key"));
    const turn = element("div", { className: "soft actions" }, button("‹", -1), element("span", { textContent: `page ${page + 1} of ${pages}` }), button("›", 1));
    made.replaceChildren(part, ...(pages > 1 ? [turn] : []));
  }
  draw();
  return made;
}

const DRAW = {
  section: (shown, act) => element("div", { className: "section" },
    element("div", { className: "lines" },
      shown.text ? text(shown.text) : null,
      shown.fields ? element("div", { className: "fields" }, ...shown.fields.map((field) => element("div", {}, text(field)))) : null),
    shown.accessory ? control(shown.accessory, act) : null),
  header: (shown) => element("h2", {}, text(shown.text)),
  divider: () => element("hr"),
  image: (shown) => element("figure", {}, shown.title ? element("figcaption", {}, text(shown.title)) : null, picture(shown)),
  context: (shown) => element("div", { className: "soft lines" }, ...shown.elements.map((one) => one.type === "image" ? picture(one) : text(one))),
  actions: (shown, act) => row(shown.elements, act),
  rich_text: rich,
  markdown: (shown) => element("div", { className: "lines", textContent: shown.text }),
  plan: (shown, act) => element("div", { className: "plan" }, element("b", { textContent: shown.title }),
    element("ol", {}, ...(shown.tasks || []).map((card) => task(card, act)))),
  task_card: (shown, act) => element("div", { className: "plan" }, task(shown, act, "div")),
  table,
  data_table: paged,
  container,
  card: (shown, act) => element("div", { className: "plan" }, shown.hero_image ? picture(shown.hero_image) : null,
    shown.title ? element("b", {}, text(shown.title)) : null, shown.subtitle ? element("div", { className: "soft" }, text(shown.subtitle)) : null,
    shown.body ? element("div", {}, text(shown.body)) : null, shown.actions ? row(shown.actions, act) : null),
  alert: (shown) => element("div", { className: "plan alert", role: "note" }, text(shown.text)),
  input: (shown) => element("div", {}, element("b", {}, text(shown.label)), element("div", { className: "soft", textContent: `(${shown.element.type})` })),
  data_visualization: () => element("div", { className: "plan soft", textContent: "(a chart)" }),
};

// `act` is called when one of its buttons is pressed, or an item of its menus: with the element, and the item.
export function drawn(shown, act) {
  try {
    return DRAW[shown.type](shown, act);
  } catch {
    return element("div", { className: "soft unknown", textContent: `(${shown.type}: not drawn here)` });
  }
}

export function content(message, act) {
  place = message.ts;
  if (message.blocks.length) return message.blocks.map((shown) => drawn(shown, act));
  return message.text ? [element("div", { className: "lines" }, mrkdwn(message.text))] : [];
}
