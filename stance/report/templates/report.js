/* The page's own script: unpacks the sentences, filters them, shows articles, and tells why.
   Whatever comes from the data is set as text, never as markup. Nothing is fetched. */
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const words = JSON.parse($("words").textContent);
  const why = $("why");
  const PAGE = { articles: 20, sentences: 40 };
  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) node.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  };
  const bdi = (text) => make("bdi", {}, text);
  const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

  /* -- data ------------------------------------------------------------------------------------------- */
  const unpack = async (text) => {
    const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return JSON.parse(await new Response(stream).text());
  };
  const packedChunks = [...document.querySelectorAll("script.chunk")];
  const chunks = new Map();
  const chunk = (number) => {
    if (!chunks.has(number)) chunks.set(number, unpack(packedChunks[number].textContent));
    return chunks.get(number);
  };
  let data;
  const total = () => data.label.length;
  const below = (list, value) => { /* position of the last entry that is not above value */
    let low = 0, high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (list[middle] <= value) low = middle + 1; else high = middle;
    }
    return low - 1;
  };
  const articleOf = (n) => Math.min(below(data.bounds, n), data.articles.length - 1);
  const content = async (n) => {
    const number = below(data.starts, n);
    const [texts, pieces] = await chunk(number);
    const at = n - data.starts[number];
    return { text: texts[at], pieces: pieces[at] };
  };
  const label = (n) => +data.label[n];
  const voice = (n) => +data.voice[n];
  const framed = (n) => label(n) === 1 || label(n) === 2;
  const speaker = (index) => {
    if (index < 0) return "";
    const [name, side] = data.speakers[index];
    const shown = words.speakers[words.speakerids.indexOf(side)] || side;
    return name ? `${name} (${shown})` : shown;
  };
  const chip = (n) => framed(n) ? `${words.sides[label(n) - 1]} · ${words.voices[voice(n)]}` : label(n) === 3 ? "opinion" : "";
  const css = (n) => `s ${words.css[label(n)]}${framed(n) && voice(n) ? " others" : ""}${data.doubt[n] !== "0" ? " doubt" : ""}`;

  /* -- sentences -------------------------------------------------------------------------------------- */
  const merged = (spans) => {
    const result = [];
    for (const [start, end] of spans.filter((span) => span[1] > span[0]).sort((a, b) => a[0] - b[0])) {
      const last = result[result.length - 1];
      if (last && start <= last[1]) last[1] = Math.max(last[1], end); else result.push([start, end]);
    }
    return result;
  };
  const sure = (n) => (data.sure[n] > 99 ? ">99% sure" : `${data.sure[n]}% sure`);
  const sentence = (n, { text, pieces }, tag = "span") => {
    const node = make(tag, { class: css(n), tabindex: 0, "data-n": n });
    if (chip(n)) node.append(make("b", { class: "chip" }, chip(n)), " ");
    const body = make("bdi");
    let at = 0;
    for (const [start, end] of merged(pieces.filter((p) => p[7]).map((p) => [p[1], p[2]]))) {
      body.append(text.slice(at, start), make("mark", {}, text.slice(start, end)));
      at = end;
    }
    body.append(text.slice(at));
    node.append(body);
    return node;
  };

  /* -- why -------------------------------------------------------------------------------------------- */
  let told = null, hiding = 0;
  const pieceLine = (text, [rule, start, end, , who, state, weight], whyNot) => {
    const [id, , effect, test, side, because] = data.ruletable[rule];
    const name = side ? `${words.sides[words.sideids.indexOf(side)] || side}’s frame` : effect;
    const line = make("li", {}, "“", bdi(text.slice(start, end)), "” ", because);
    line.append(" – ", name, test ? `, ${words.tests[test] || test}` : "", ", rule ", make("code", {}, id));
    if (who >= 0) line.append(", said by ", bdi(speaker(who)));
    if (whyNot) line.append(make("b", {}, `; did not count: ${words.whynot[state - 1] || "it lost"}`));
    else if (weight) line.append(` (${weight > 0 ? "+" : ""}${weight})`);
    return line;
  };
  const learntLine = (text, list) => {
    const weights = new Map();
    for (const [, start, end, , , , weight] of list) {
      const shown = text.slice(start, end);
      weights.set(shown, (weights.get(shown) || 0) + weight);
    }
    const line = make("li", {}, "words that the model has learnt to go with this answer: ");
    [...weights].forEach(([shown, weight], at) => line.append(at ? ", “" : "“", bdi(shown), `” (+${weight.toFixed(2)})`));
    return line;
  };
  const tell = async (node) => {
    const n = +node.dataset.n;
    told = node;
    const { text, pieces } = await content(n);
    if (told !== node) return;
    const box = document.createDocumentFragment();
    const head = make("p", { class: words.css[label(n)] });
    head.append(make("b", { class: "chip" }, chip(n) || words.labels[label(n)]), ` ${sure(n)}`);
    if (data.doubt[n] === "2") head.append(", left open");
    else if (data.doubt[n] === "1") head.append(", doubtful");
    box.append(head);
    const whose = make("p", {}, make("b", {}, "Voice: "), words.voices[voice(n)]);
    if (data.who[n] >= 0) whose.append(", ", make("b", {}, "speaker: "), bdi(speaker(data.who[n])));
    box.append(whose);
    const person = data.people[n];
    if (person) {
      const [name, frame, opinion, spoken, day] = person;
      const side = words.sideids.indexOf(frame);
      const answer = side >= 0 ? `${words.sides[side]}’s frame` : opinion ? "opinion" : "plain report";
      box.append(make("p", {}, make("b", {}, "Decided by a person: "), `${answer}, ${words.voices[words.voiceids.indexOf(spoken)] || spoken} (`, bdi(name), `, ${day})`));
    }
    const part = (title, list, whyNot) => {
      if (!list.length) return;
      const lines = make("ul", { class: whyNot ? "unheard" : null });
      for (const piece of list) if (data.ruletable[piece[0]][0]) lines.append(pieceLine(text, piece, whyNot));
      const learnt = list.filter((piece) => !data.ruletable[piece[0]][0]);
      if (learnt.length) lines.append(learntLine(text, learnt));
      box.append(make("h4", {}, title), lines);
    };
    part("What decided", pieces.filter((p) => p[7]));
    part("Also seen", pieces.filter((p) => !p[7] && !p[5]));
    part("Seen, but did not count", pieces.filter((p) => p[5]), true);
    if (!pieces.length) box.append(make("p", {}, "No rule found a frame of either side or an opinion."));
    why.replaceChildren(box);
    document.querySelectorAll(".s.on").forEach((other) => other.classList.remove("on"));
    node.classList.add("on");
    node.setAttribute("aria-describedby", "why");
    why.hidden = false;
    place(node);
  };
  const place = (node) => {
    const around = node.getClientRects();
    const first = around[0] || node.getBoundingClientRect(), last = around[around.length - 1] || first;
    const wide = why.offsetWidth, high = why.offsetHeight;
    const column = node.closest(".text");
    const beside = column ? column.getBoundingClientRect().right + 20 : Infinity;
    if (beside + wide <= document.documentElement.clientWidth - 8) {
      const level = Math.max(8, Math.min(first.top, window.innerHeight - high - 8));
      why.style.left = `${beside + window.scrollX}px`;
      why.style.top = `${level + window.scrollY}px`;
      return;
    }
    const left = Math.max(8, Math.min(first.left, document.documentElement.clientWidth - wide - 8));
    const under = last.bottom + 8;
    const top = under + high > window.innerHeight && first.top - high - 8 > 0 ? first.top - high - 8 : under;
    why.style.left = `${left + window.scrollX}px`;
    why.style.top = `${top + window.scrollY}px`;
  };
  const hide = () => {
    if (told) {
      told.classList.remove("on");
      told.removeAttribute("aria-describedby");
    }
    told = null;
    why.hidden = true;
  };
  const later = () => {
    clearTimeout(hiding);
    hiding = setTimeout(() => { if (!why.matches(":hover") && document.activeElement !== told) hide(); }, 250);
  };
  const sentenceAt = (event) => (event.target instanceof Element ? event.target.closest(".s[data-n]") : null);
  document.addEventListener("mouseover", (event) => {
    const node = sentenceAt(event);
    if (node) { clearTimeout(hiding); if (node !== told) tell(node); }
    else if (!why.contains(event.target)) later();
  });
  document.addEventListener("focusin", (event) => {
    const node = sentenceAt(event);
    if (node) tell(node); else if (!why.contains(event.target)) hide();
  });
  document.addEventListener("click", (event) => {
    const node = sentenceAt(event);
    if (node) tell(node); else if (!why.contains(event.target)) hide();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return hide();
    const node = sentenceAt(event);
    if (!node || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter") { event.preventDefault(); tell(node); return; }
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const all = [...(node.closest(".text, #results, ul, main") || document).querySelectorAll(".s[data-n]")];
    const next = all[all.indexOf(node) + step];
    if (next) { event.preventDefault(); next.focus(); }
  });

  /* -- theme ------------------------------------------------------------------------------------------ */
  const theme = $("theme");
  const dark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const nameTheme = () => { theme.textContent = dark() ? "Light colours" : "Dark colours"; };
  theme.hidden = false;
  theme.addEventListener("click", () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; nameTheme(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", nameTheme);
  nameTheme();

  /* -- filters ---------------------------------------------------------------------------------------- */
  const form = $("filters");
  const FIELDS = ["text", "outlet", "from", "to", "label", "voice", "side", "doubt", "view", "order", "opinion", "rule", "article"];
  let state = {}, page = 0, run = 0, found = [], open = -1;

  const read = () => {
    const hash = location.hash.slice(1);
    return hash.includes("=") ? Object.fromEntries(new URLSearchParams(hash)) : null;
  };
  const store = () => {
    const kept = FIELDS.filter((name) => state[name]).map((name) => [name, state[name]]);
    try { history.replaceState(null, "", kept.length ? "#" + new URLSearchParams(kept) : "#explore"); } catch { /* some viewers forbid it */ }
  };
  const fill = () => {
    for (const name of ["text", "outlet", "from", "to", "label", "voice", "side", "order"]) {
      const field = form.elements[name];
      const value = name === "outlet" && state.outlet && field.tagName === "INPUT" ? data.outlets[state.outlet] : state[name];
      field.value = value || "";
    }
    form.elements.doubt.checked = state.doubt === "1";
    for (const radio of form.elements.view) radio.checked = radio.value === (state.view || "");
  };
  const matcher = () => {
    const tests = [];
    const is = (column, value) => tests.push((n) => data[column][n] === value);
    if (state.label) is("label", state.label);
    if (state.voice) is("voice", state.voice);
    if (state.side) is("side", state.side);
    if (state.opinion) is("opinion", "1");
    if (state.doubt) tests.push((n) => data.doubt[n] !== "0");
    if (state.rule) {
      const wanted = new Set(data.ruletable.flatMap((rule, at) => (rule[0] === state.rule ? [at] : [])));
      tests.push((n) => data.rules[n].some((rule) => wanted.has(rule)));
    }
    return (n) => tests.every((test) => test(n));
  };
  const articleFits = (number) => {
    const [, outlet, day] = data.articles[number];
    if (state.article && +state.article !== number) return false;
    if (state.outlet && +state.outlet !== outlet) return false;
    if (state.from && !(day && day >= state.from)) return false;
    return !(state.to && !(day && day <= state.to));
  };
  const narrowed = () => ["text", "label", "voice", "side", "opinion", "doubt", "rule"].some((name) => state[name]);
  const newest = (list) => list.sort((a, b) => {
    const x = data.articles[a][2], y = data.articles[b][2];
    return x < y ? 1 : x > y ? -1 : a - b;
  });

  const search = async () => {
    const mine = ++run;
    const fits = matcher();
    const order = newest(data.articles.map((_, at) => at).filter(articleFits));
    let list = [];
    for (const number of order) for (let n = data.bounds[number]; n < data.bounds[number + 1]; n++) if (fits(n)) list.push(n);
    const terms = (state.text || "").toLowerCase().split(/\s+/).filter(Boolean);
    if (terms.length) {
      const kept = new Set();
      const parts = new Map();
      for (const n of list) {
        const number = below(data.starts, n);
        if (!parts.has(number)) parts.set(number, []);
        parts.get(number).push(n);
      }
      for (const [number, members] of parts) {
        const [texts] = await chunk(number);
        if (mine !== run) return;
        for (const n of members) {
          const text = texts[n - data.starts[number]].toLowerCase();
          if (terms.every((term) => text.includes(term))) kept.add(n);
        }
      }
      list = list.filter((n) => kept.has(n));
    }
    if (mine !== run) return;
    if (state.order) {
      const way = state.order === "sure" ? -1 : 1;
      list.sort((a, b) => way * (data.sure[a] - data.sure[b]) || a - b);
    }
    found = list;
    await show();
  };

  const stack = (numbers) => {
    const counts = [0, 0, 0, 0];
    for (const n of numbers) counts[label(n)]++;
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "stack");
    svg.setAttribute("width", "100%");
    svg.setAttribute("height", "12");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", counts.map((number, at) => `${words.labels[at]}: ${number}`).join(", "));
    let x = 0;
    for (const at of [1, 2, 3, 0]) {
      if (!counts[at]) continue;
      const part = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const width = (100 * counts[at]) / numbers.length;
      part.setAttribute("class", words.css[at]);
      part.setAttribute("x", `${x}%`);
      part.setAttribute("width", `${width}%`);
      part.setAttribute("y", "2");
      part.setAttribute("height", "8");
      svg.append(part);
      x += width;
    }
    return svg;
  };
  const range = (number) => {
    const list = [];
    for (let n = data.bounds[number]; n < data.bounds[number + 1]; n++) list.push(n);
    return list;
  };
  const said = () => {
    const parts = [];
    if (state.article) parts.push(`in one article`);
    if (state.opinion) parts.push("that are opinions");
    if (state.rule) parts.push(`decided by the rule ${state.rule}`);
    return parts.length ? " " + parts.join(", ") : "";
  };

  const show = async () => {
    const mine = run;
    const results = $("results");
    const bySentence = state.view === "sentences";
    const matched = new Map();
    for (const n of found) {
      const number = articleOf(n);
      if (!matched.has(number)) matched.set(number, []);
      matched.get(number).push(n);
    }
    $("count").textContent = `${count(found.length, "sentence")} in ${count(matched.size, "article")}${said()}` + (found.length ? "" : ". Clear a filter to see more.");
    summary();
    const units = bySentence ? found : [...matched.keys()];
    const size = bySentence ? PAGE.sentences : PAGE.articles;
    page = Math.max(0, Math.min(page, Math.ceil(units.length / size) - 1));
    const here = units.slice(page * size, (page + 1) * size);
    const nodes = [];
    if (bySentence) {
      const list = make("ul", { class: "quotes" });
      for (const n of here) list.append(await item(n));
      nodes.push(list);
    } else {
      for (const number of here) nodes.push(entry(number, matched.get(number)));
    }
    if (mine !== run) return;
    hide();
    results.replaceChildren(...nodes);
    pager(units.length, size);
    if (state.article && here.length === 1 && !bySentence) {
      const button = results.querySelector(".art button");
      await toggle(button, +state.article, matched.get(+state.article));
      if (open >= 0) results.querySelector(`.s[data-n="${open}"]`)?.focus();
    }
    open = -1;
  };
  const summary = () => {
    const rules = new Map();
    for (const n of found) for (const rule of data.rules[n]) {
      const id = data.ruletable[rule][0];
      rules.set(id, (rules.get(id) || 0) + 1);
    }
    const most = [...rules].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 6);
    const node = $("summary");
    node.replaceChildren();
    if (!found.length) return;
    node.append(stack(found));
    if (!most.length) return;
    const line = make("p", { class: "top" }, "Rules that decided most often here: ");
    most.forEach(([id, number], at) => {
      const query = new URLSearchParams({ ...state, rule: id, view: "sentences" });
      line.append(at ? ", " : "", make("a", { href: `#${query}` }, id), ` ${number}`);
    });
    node.append(line);
  };
  const item = async (n) => {
    const number = articleOf(n);
    const [title, outlet, day] = data.articles[number];
    const from = make("p", { class: "from" }, bdi(data.outlets[outlet]), day ? `, ${day}` : "", " · ",
      make("a", { href: `#article=${number}&at=${n}` }, bdi(title || "its article")));
    if (data.who[n] >= 0 && voice(n)) from.append(" · said by ", bdi(speaker(data.who[n])));
    from.append(` · ${sure(n)}`);
    return make("li", { class: "quote" }, sentence(n, await content(n), "p"), from);
  };
  const entry = (number, hits) => {
    const [title, outlet, day] = data.articles[number];
    const all = range(number);
    const facts = [data.outlets[outlet], narrowed() ? `${hits.length} of ${count(all.length, "sentence")}` : count(all.length, "sentence")];
    const what = make("span", { class: "what" }, make("b", {}, bdi(title || "without a title")), make("span", {}, bdi(facts[0]), ` · ${facts[1]}`));
    const button = make("button", { type: "button", "aria-expanded": "false" }, make("time", {}, day || "no date"), what, stack(all));
    button.addEventListener("click", () => toggle(button, number, hits));
    return make("div", { class: "art" }, make("h3", {}, button));
  };
  const toggle = async (button, number, hits) => {
    const box = button.closest(".art");
    if (button.getAttribute("aria-expanded") === "true") {
      button.setAttribute("aria-expanded", "false");
      box.querySelector(".text")?.remove();
      return;
    }
    button.setAttribute("aria-expanded", "true");
    const wanted = narrowed() ? new Set(hits) : null;
    const text = make("div", { class: "text" });
    let paragraph = null;
    for (const n of range(number)) {
      const node = sentence(n, await content(n));
      if (wanted && !wanted.has(n)) node.classList.add("dim");
      if (!paragraph || data.gap[n] === "1") text.append((paragraph = make("p")));
      paragraph.append(node, " ");
    }
    const [, , , link, author, name] = data.articles[number];
    const source = make("p", { class: "orig" }, bdi([author, name].filter(Boolean).join(" · ")));
    if (link) source.append(" · ", make("a", { href: link, rel: "noreferrer noopener" }, "the original"));
    text.append(source);
    if (button.getAttribute("aria-expanded") === "true" && !box.querySelector(".text")) box.append(text);
  };
  const pager = (length, size) => {
    const pages = Math.ceil(length / size);
    const node = $("pager");
    node.replaceChildren();
    if (pages < 2) return;
    const step = (text, to, disabled) => {
      const button = make("button", { type: "button", disabled }, text);
      button.addEventListener("click", async () => { page = to; await show(); $("count").scrollIntoView(); });
      return button;
    };
    node.append(step("Previous", page - 1, page === 0), make("span", {}, `page ${page + 1} of ${pages.toLocaleString("en")}`), step("Next", page + 1, page === pages - 1));
  };

  const options = (select, names) => names.forEach((name, at) => select.append(make("option", { value: at }, name)));
  const start = () => {
    const fields = form.elements;
    if (data.outlets.length > 300) {
      const list = make("datalist", { id: "outlet-list" });
      data.outlets.slice(0, 2000).forEach((name) => list.append(make("option", { value: name })));
      fields.outlet.replaceWith(make("input", { name: "outlet", list: "outlet-list", placeholder: "all", autocomplete: "off" }));
      form.append(list);
    } else options(fields.outlet, data.outlets);
    if (data.outlets.length < 2) $("outlet-field").hidden = true;
    options(fields.label, words.labels);
    options(fields.voice, words.voices);
    options(fields.side, words.speakers);
    form.hidden = false;
    let waiting = 0;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        const given = Object.fromEntries(new FormData(form));
        const outlet = fields.outlet.tagName === "INPUT" ? data.outlets.indexOf(given.outlet) : given.outlet;
        const kept = { opinion: state.opinion, rule: state.rule };
        state = { ...kept, ...given, outlet: outlet === -1 ? "" : String(outlet ?? "") };
        page = 0;
        store();
        search();
      }, 200);
    });
    $("clear").addEventListener("click", () => { state = {}; page = 0; fill(); store(); search(); });
    const arrive = (jump) => {
      const given = read();
      if (!given && !jump) return search();
      if (!given) return null;
      open = given.at ? +given.at : -1;
      delete given.at;
      state = given;
      if (!("view" in state) && !state.article && narrowed()) state.view = "sentences";
      page = 0;
      fill();
      $("explore").scrollIntoView();
      return search();
    };
    addEventListener("hashchange", () => arrive(true));
    return arrive(false);
  };

  const begin = async () => {
    try {
      data = await unpack($("index").textContent);
    } catch (fault) {
      const message = typeof DecompressionStream === "undefined" ? "This browser is too old to unpack the sentences: use one from 2023 or later." : "The sentences in this file are damaged: make the report again.";
      ($("count") || document.querySelector("main")).append(message);
      return;
    }
    if (form) await start();
    document.documentElement.dataset.ready = "1";
  };
  begin();
})();
