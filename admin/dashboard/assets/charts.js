// Draws the tables of figures as charts, with uPlot. The tables stay, for those who
// read them.
"use strict";

(() => {
  const kinds = {
    total: [
      { title: "Events", bars: true, series: [["created", 0, 1], ["updated", 1, 2], ["deleted", 2, 3]] },
      { title: "Attempts", bars: true, series: [["accepted", 3, 2], ["failed", 4, 4]] },
    ],
    day: [
      { title: "Success rate", range: [0, 100], unit: " %", small: true, series: [["accepted", 2, 2]] },
      { title: "Time of accepted attempts", unit: " s", small: true, series: [["95 % within", 4, 3], ["median", 3, 1]] },
    ],
  };
  const plots = new Map(); // by the element that holds a chart

  function read(table) {
    const rows = [...table.tBodies[0].rows];
    const column = (i) => rows.map((row) => {
      const value = row.cells[i + 1].dataset.value;
      return value === undefined ? null : Number(value);
    });
    const unknown = rows.filter((row) => "unknown" in row.dataset).length; // they come first
    return { times: rows.map((row) => Number(row.dataset.at)), unknown, column };
  }

  // stacked puts the bars of each series on top of those before.
  function stacked(columns) {
    const sums = columns[0].map(() => 0);
    return columns.map((column) => column.map((value, i) => (value === null ? null : (sums[i] += value))));
  }

  function draw(holder) {
    const table = document.querySelector(`[data-figures="${CSS.escape(holder.id)}"]`);
    if (!table || table.tBodies[0].rows.length < 2) return;
    const { times, unknown, column } = read(table);
    // All the frames come first: they share the width.
    const frames = kinds[holder.dataset.chart].map((chart) => [chart, frame(holder, chart)]);
    for (const [chart, { figure, at }] of frames) plot(figure, at, chart, times, unknown, chart.series.map(([, i]) => column(i)));
  }

  // frame makes room for a chart under a title that names its colours.
  function frame(holder, chart) {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    const key = (text, name) => {
      const span = document.createElement("span");
      span.className = name;
      span.textContent = text;
      caption.append(span);
      return span;
    };
    key(chart.title, "title");
    chart.series.forEach(([name, , color]) => key(name, "key s" + color));
    const at = key("", "at");
    figure.append(caption);
    holder.append(figure);
    figure.setAttribute("aria-hidden", "true"); // the table says the same
    return { figure, at };
  }

  // lone are the places of values with none beside them, through which no line goes.
  const lone = (values) => [...values.keys()].filter((i) => values[i] !== null && (values[i - 1] ?? values[i + 1] ?? null) === null);

  // whole are the steps of an axis that counts.
  const whole = Array.from({ length: 30 }, (_, i) => [1, 2, 5][i % 3] * 10 ** Math.floor(i / 3));

  // shade marks the time in which nobody counted, lest it look as if nothing had happened.
  function shade(u, times, unknown, color) {
    if (unknown === 0) return;
    const { left, top, height } = u.bbox;
    const width = u.valToPos(times[unknown - 1] + step(times) / 2, "x", true) - left;
    const { ctx } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    ctx.strokeStyle = color;
    ctx.lineWidth = devicePixelRatio;
    for (let x = left - height; x < left + width; x += 8 * devicePixelRatio) {
      ctx.moveTo(x, top + height);
      ctx.lineTo(x + height, top);
    }
    ctx.stroke();
    ctx.restore();
  }

  function plot(figure, at, chart, times, unknown, columns) {
    const style = getComputedStyle(figure);
    const color = (name) => style.getPropertyValue(name).trim();
    const colors = chart.series.map(([, , i]) => color(i === 4 ? "--bad-line" : "--series-" + i));
    const shown = chart.bars ? stacked(columns) : columns;
    const order = chart.bars ? shown.map((_, i) => shown.length - 1 - i) : shown.map((_, i) => i);
    const axis = { stroke: color("--quiet"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 16);
    const number = (value) => (Math.abs(value) >= 1000 ? value.toLocaleString("en", { notation: "compact" }) : String(+value.toPrecision(3)));
    const drawn = new uPlot({
      width: figure.clientWidth - 24,
      height: chart.small ? 120 : 180,
      padding: [8, 20, 0, 0], // the last label is wider than half a step
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: !chart.bars } },
      scales: { x: { range: (_, from, to) => [from - step(times) / 2, to + step(times) / 2] }, y: { range: chart.range ?? ((_, from, to) => [0, to > 0 ? to * 1.1 : 1]) } },
      axes: [
        { ...axis, space: 55, size: 28, grid: { show: false }, values: (_, ticks) => ticks.map(clock) },
        { ...axis, size: 52, space: 28, incrs: chart.bars ? whole : undefined, values: (_, ticks) => ticks.map((tick) => number(tick) + (chart.unit ?? "")) },
      ],
      series: [{}, ...order.map((i) => (chart.bars
        ? { fill: colors[i], stroke: colors[i], width: 0, paths: uPlot.paths.bars({ size: [0.8, 40] }), points: { show: false } }
        : { stroke: colors[i], width: 1.75, spanGaps: false, points: { size: 4, fill: colors[i], filter: (u, of, all) => (all ? null : lone(u.data[of])) } }))],
      hooks: {
        drawClear: [(u) => shade(u, times, unknown, color("--line"))],
        setCursor: [(u) => {
          const i = u.cursor.idx;
          at.textContent = i == null ? "" : clock(times[i]) + ": " + (i < unknown ? "not counted" : chart.series.map(([name], s) => (columns[s][i] === null ? "–" : number(columns[s][i]) + (chart.unit ?? "")) + " " + name).join(", "));
        }],
      },
    }, [times, ...order.map((i) => shown[i])], figure);
    plots.set(figure, drawn);
  }

  const step = (times) => times[1] - times[0];

  function redraw(root) {
    for (const [figure, plot] of plots) {
      if (root.contains(figure) || !figure.isConnected) {
        plot.destroy();
        figure.remove();
        plots.delete(figure);
      }
    }
    root.querySelectorAll("[data-chart]").forEach(draw);
  }

  redraw(document);
  document.addEventListener("figures", (event) => redraw(event.detail));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw(document));
  let planned;
  addEventListener("resize", () => {
    clearTimeout(planned);
    planned = setTimeout(() => plots.forEach((plot, figure) => plot.setSize({ width: figure.clientWidth - 24, height: plot.height })), 100);
  });
})();
