// Shows the row of the table that a mark stands for. A reader chooses the mark by mouse, by touch, or with the arrow keys.
for (const figure of document.querySelectorAll("figure.timeline")) {
  const marks = [...figure.querySelectorAll("svg [data-row]")];
  const stops = marks
    .filter((mark) => mark.hasAttribute("tabindex"))
    .sort((one, other) => one.dataset.row - other.dataset.row);
  const rows = figure.querySelectorAll("tbody tr");
  const explained = figure.querySelector(".explained");
  let shown = null;

  function show(row) {
    if (row === shown) return;
    shown = row;
    for (const mark of marks) mark.classList.toggle("shown", mark.dataset.row === row);
    const [time, words] = rows[row].cells;
    const at = document.createElement("strong");
    at.textContent = time.textContent;
    explained.replaceChildren(at, " ", ...[...words.childNodes].map((node) => node.cloneNode(true)));
    explained.querySelector("details")?.setAttribute("open", "");
  }

  function stop(at) {
    for (const mark of stops) mark.setAttribute("tabindex", "-1");
    stops[at]?.setAttribute("tabindex", "0");
  }

  stop(0);
  for (const mark of marks) mark.addEventListener("pointerenter", () => show(mark.dataset.row));
  stops.forEach((mark, at) => {
    mark.addEventListener("focus", () => {
      stop(at);
      show(mark.dataset.row);
    });
    mark.addEventListener("keydown", (event) => {
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: stops.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      stops[Math.min(Math.max(to, 0), stops.length - 1)].focus();
    });
  });
}
