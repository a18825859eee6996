"use strict";
(() => {
  const list = document.getElementById("rows");
  if (!list) return;
  const rows = Array.from(list.children);
  const show = document.getElementById("show");
  const order = document.getElementById("order");
  const find = document.getElementById("find");
  const told = document.getElementById("told");
  const texts = new Map();
  const textOf = (row) => {
    if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
    return texts.get(row);
  };
  const update = () => {
    const looks = show.value.split(" ").filter(Boolean);
    const words = find.value.toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const fits = (!looks.length || looks.some((look) => row.classList.contains(look)))
        && (!words || textOf(row).includes(words));
      row.hidden = !fits;
      shown += fits;
    }
    told.textContent = `${shown} of ${rows.length} rows`;
  };
  const sort = () => {
    const sign = order.value.startsWith("-") ? -1 : 1;
    const name = order.value.replace("-", "");
    const number = (row) => sign * Number(row.dataset[name]);
    list.append(...rows.slice().sort((a, b) => number(a) - number(b)));
  };
  show.addEventListener("change", update);
  find.addEventListener("input", update);
  order.addEventListener("change", sort);
  document.getElementById("controls").hidden = false;
  update();
})();
