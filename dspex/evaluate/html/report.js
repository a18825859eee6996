"use strict";
(() => {
  const list = document.getElementById("rows");
  if (!list) return;
  const rows = Array.from(list.children);
  const show = document.getElementById("show");
  const order = document.getElementById("order");
  const find = document.getElementById("find");
  const told = document.getElementById("told");
  const number = (row, name) => Number(row.dataset[name]);
  const orders = {
    worst: (a, b) => number(a, "rank") - number(b, "rank"),
    example: (a, b) => number(a, "example") - number(b, "example"),
    slowest: (a, b) => number(b, "seconds") - number(a, "seconds"),
  };
  const looks = {
    all: () => true,
    failed: (row) => row.classList.contains("failed") || row.classList.contains("unknown"),
    wrong: (row) => row.classList.contains("wrong"),
  };
  const update = () => {
    const words = find.value.toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const fits = looks[show.value](row)
        && (!words || row.textContent.toLowerCase().includes(words));
      row.hidden = !fits;
      shown += fits;
    }
    told.textContent = `${shown} of ${rows.length} rows`;
  };
  show.addEventListener("change", update);
  find.addEventListener("input", update);
  order.addEventListener("change", () => {
    list.append(...rows.slice().sort(orders[order.value]));
  });
  document.getElementById("controls").hidden = false;
  update();
})();
