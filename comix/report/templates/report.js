(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Panels and their text light each other up.
  function light(sheet, number) {
    const over = $(".over", sheet);
    over.classList.toggle("hot", number !== null);
    for (const one of $$(".box, .panel", sheet)) one.classList.toggle("on", number !== null && one.dataset.n === number);
  }
  function spot(sheet, say) {
    const rect = $(".spot", sheet);
    const [x, y, w, h] = say ? say.dataset.box.split(" ").map(Number) : [0, 0, 0, 0];
    for (const [name, value] of Object.entries({ x, y, width: w, height: h })) rect.setAttribute(name, value);
    rect.style.display = say ? "" : "none";
  }
  for (const sheet of $$(".sheet")) {
    spot(sheet, null);
    const number = (event) => event.target.closest(".box, .panel")?.dataset.n ?? null;
    const enter = (event) => {
      light(sheet, number(event));
      const say = event.target.closest(".say[data-box]");
      spot(sheet, say);
    };
    sheet.addEventListener("pointerover", enter);
    sheet.addEventListener("focusin", enter);
    sheet.addEventListener("pointerleave", () => { light(sheet, null); spot(sheet, null); });
    sheet.addEventListener("focusout", () => { light(sheet, null); spot(sheet, null); });
    sheet.addEventListener("click", (event) => {
      const box = event.target.closest(".box");
      if (box) $(`.panel[data-n="${box.dataset.n}"]`, sheet)?.scrollIntoView({ block: "nearest", behavior: "smooth" });
    });
  }

  // Filters over the shown pages.
  const bar = $(".bar");
  if (bar) {
    bar.hidden = false;
    const [query, book, score, kind] = ["#q", "#f-book", "#f-score", "#f-type"].map((id) => $(id));
    const sheets = $$(".sheet").map((node) => ({
      node, shelf: node.closest(".shelf"), thumb: null,
      text: $$(".words, .who, .aside, .source, h4", node).map((part) => part.textContent).join(" ").toLowerCase(),
    }));
    const contact = $("#contact");
    let last = null;
    for (const one of sheets) {
      const source = $(".plate img", one.node);
      const link = document.createElement("a");
      link.href = "#" + one.node.id;
      link.title = $(".source .id", one.node).textContent;
      if (source) {
        const image = document.createElement("img");
        image.src = source.src;
        image.alt = source.alt;
        image.width = Math.min(150, Math.round((74 * source.width) / source.height)) || 50;
        image.height = 74;
        link.append(image);
      }
      link.style.setProperty("--c", `var(--s${one.node.dataset.score}, var(--skip))`);
      if (one.shelf !== last) link.dataset.bookStart = "";
      last = one.shelf;
      one.thumb = link;
      contact.append(link);
    }
    contact.hidden = false;
    function mark(words) {
      if (!("highlights" in CSS)) return;
      CSS.highlights.delete("found");
      if (!words.length) return;
      const ranges = [];
      for (const one of sheets.filter((each) => !each.node.hidden)) {
        for (const holder of $$(".words", one.node)) {
          const node = holder.firstChild;
          const low = node ? node.data.toLowerCase() : "";
          for (const word of words) {
            for (let at = low.indexOf(word); at >= 0; at = low.indexOf(word, at + word.length)) {
              const range = new Range();
              range.setStart(node, at);
              range.setEnd(node, Math.min(at + word.length, node.length));
              ranges.push(range);
            }
          }
        }
      }
      CSS.highlights.set("found", new Highlight(...ranges));
    }
    function apply() {
      const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const one of sheets) {
        const { dataset } = one.node;
        const fits = words.every((word) => one.text.includes(word)) && (!book.value || one.shelf.dataset.book === book.value)
          && (!score.value || dataset.score === score.value) && (!kind.value || dataset.type === kind.value);
        one.node.hidden = one.thumb.hidden = !fits;
        shown += fits;
      }
      for (const shelf of $$(".shelf")) shelf.hidden = !$(".sheet:not([hidden])", shelf);
      $("#hits").textContent = shown === 1 ? "1 page" : `${shown} pages`;
      $("#nothing").hidden = shown > 0;
      mark(words);
    }
    bar.addEventListener("input", apply);
    bar.addEventListener("submit", (event) => event.preventDefault());
    $("#reset").addEventListener("click", () => { bar.reset(); apply(); toggle(); query.focus(); });
    function toggle() {
      document.body.classList.toggle("no-boxes", !$("#t-boxes").checked);
      document.body.classList.toggle("no-route", !$("#t-route").checked);
    }
    bar.addEventListener("change", toggle);
    apply();
    toggle();
  }

  // Tables sort by the column whose heading is pressed.
  for (const table of $$("table.sortable")) {
    const body = table.tBodies[0];
    $$("thead th", table).forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.textContent = head.textContent.trim();
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const numeric = head.dataset.kind === "num";
        const down = head.ariaSort ? head.ariaSort === "ascending" : numeric;
        for (const other of $$("thead th", table)) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const value = (row) => (numeric ? Number(row.cells[column].dataset.v) : row.cells[column].textContent.trim());
        const compare = numeric ? (a, b) => a - b : (a, b) => a.localeCompare(b, undefined, { numeric: true });
        const rows = [...body.rows].map((row) => [value(row), row]).sort((a, b) => (down ? -1 : 1) * compare(a[0], b[0]));
        body.append(...rows.map(([, row]) => row));
      });
    });
  }

  // A link to something inside closed details opens them.
  function reveal() {
    let node = location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
    const target = node;
    for (; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    target?.scrollIntoView();
  }
  addEventListener("hashchange", reveal);
  if (location.hash) reveal();
})();
