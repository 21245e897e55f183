// A searched list of people, a page at a time: however many there are, only what was asked for is drawn.
import { get } from "./api.js";
import { h, icon, problem, show, skeleton, syncList } from "./dom.js";
import { count } from "./format.js";
import { t } from "./words.js";

const PAGE = 30, TYPING_MS = 220;
let lists = 0;

/** Answers {search, list, note, reload}. `make` draws an item; `query` gives further parameters. */
export function pagedList({ path, label, make, nothing, query = () => ({}), keyOf = (item) => item.id, onTotal = () => {} }) {
  const id = `list-${(lists += 1)}`;
  const own = { items: null, next: null, word: "", turn: 0, timer: 0 };
  const rows = h("div", { id });
  const tail = h("div");
  const list = h("div", {}, rows, tail);
  const input = h("input", { class: "input", type: "search", placeholder: label, "aria-controls": id, autocomplete: "off" });
  input.addEventListener("input", () => {
    clearTimeout(own.timer);
    own.timer = setTimeout(() => { own.word = input.value; load(); }, TYPING_MS);
  });

  async function load(more = false) {
    const turn = (own.turn += 1);
    if (!own.items) show(tail, skeleton(3));
    try {
      const size = more ? PAGE : Math.max(PAGE, Math.min(own.items?.length ?? 0, 100));
      const page = await get(path, { q: own.word, limit: size, cursor: more ? own.next : "", ...query() });
      if (turn !== own.turn) return;
      const known = more ? own.items : [];
      own.items = [...known, ...page.items.filter((item) => !known.some((other) => keyOf(other) === keyOf(item)))];
      own.next = page.next_cursor;
      onTotal(page.total);
      draw(page.total);
    } catch (error) {
      if (turn === own.turn) show(tail, problem(error, () => load(more)));
    }
  }

  function draw(total) {
    syncList(rows, own.items, keyOf, make);
    const rest = total - own.items.length;
    show(tail, !own.items.length && h("p", { class: "empty" }, own.word ? t("nothing", { word: own.word }) : nothing),
      own.next && h("button", { class: "button load-more", type: "button", on: { click: () => load(true) } }, t("more", { n: count(rest) })));
  }

  load();
  const search = h("label", { class: "searchbox" }, icon("search"), h("span", { class: "sr" }, label), input);
  return { search, list, reload: () => load() };
}
