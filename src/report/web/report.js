// Charts of a report, drawn from the data that stands in the page. Without scripts its tables tell the same.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const runs = data.runs, several = runs.length > 1, charts = [];
  const letter = i => String.fromCharCode(65 + i);
  const name = (i, what) => several ? `${letter(i)} ${what}`.trim() : what;

  // ---- numbers for people

  const digits = (value, unit) => `${Number(value.toPrecision(3)).toLocaleString("en")} ${unit}`;
  const duration = ms => ms === 0 ? "0" : ms < 0.001 ? digits(ms * 1e6, "ns") : ms < 1 ? digits(ms * 1e3, "µs")
    : ms < 1000 ? digits(ms, "ms") : ms < 120e3 ? digits(ms / 1e3, "s") : digits(ms / 60e3, "min");
  const seconds = s => s > 0 && s < 1 ? digits(s * 1e3, "ms") : s < 120 ? digits(s, "s") : s < 7200 ? digits(s / 60, "min") : digits(s / 3600, "h");
  const count = value => Number(value.toPrecision(3)).toLocaleString("en");
  const share = value => `${Number((value * 100).toPrecision(3))} %`;
  const percentile = x => `${+(100 * (1 - 1 / x)).toFixed(Math.max(0, Math.ceil(Math.log10(x)) - 1))} %`;

  // ---- colours are those of the page

  const style = key => getComputedStyle(document.documentElement).getPropertyValue(key).trim();
  const faint = (colour, part) => colour + Math.round(part * 255).toString(16).padStart(2, "0");

  function paint(config) {
    for (const set of config.data.datasets) {
      const colour = style(set.tone);
      set.borderColor = set.pointBackgroundColor = set.pointHoverBackgroundColor = colour;
      set.backgroundColor = faint(colour, 0.13);
    }
    for (const scale of Object.values(config.options.scales)) {
      scale.grid.color = scale.grid.borderColor = style("--grid");
      scale.ticks.color = scale.title.color = style("--muted");
    }
    const tip = config.options.plugins.tooltip;
    tip.backgroundColor = style("--ink");
    tip.titleColor = tip.bodyColor = style("--card");
  }

  // ---- what all charts share

  const dashes = [[], [6, 4], [2, 3], [9, 3, 2, 3], [12, 4], [4, 2], [1, 2], [8, 2, 2, 2]];

  const there = point => Boolean(point) && point.y !== null;

  // How much of a line is gaps. What has more lies above what has less, so that of lines that lie on each other all are seen.
  function gaps(dash = []) {
    const sum = lengths => lengths.reduce((total, length) => total + length, 0);
    return dash.length ? sum(dash.filter((_, i) => i % 2)) / sum(dash) : 0;
  }

  // Points that a line leads to need no mark of their own.
  const line = (label, tone, points, more = {}) => ({
    label, tone, data: points, borderWidth: 1.75, order: -gaps(more.borderDash), pointHoverRadius: 4, pointHitRadius: 8, tension: 0, spanGaps: false,
    pointRadius: ({ dataIndex: i }) => there(points[i]) && !there(points[i - 1]) && !there(points[i + 1]) ? 3 : 0, ...more,
  });

  const scale = (type, title, format, more = {}) => ({
    type, title: { display: true, text: title }, grid: {}, beginAtZero: true,
    ticks: { callback: value => format(value), maxRotation: 0, autoSkipPadding: 18, maxTicksLimit: 8, includeBounds: false }, ...more,
  });

  function options(x, y, title, format) {
    return {
      animation: false, responsive: true, maintainAspectRatio: false, parsing: false, normalized: true,
      interaction: { mode: "nearest", axis: "x", intersect: false },
      scales: { x, y },
      plugins: {
        legend: { display: false },
        tooltip: {
          itemSort: (a, b) => a.datasetIndex - b.datasetIndex,
          callbacks: {
            title: items => items.length ? title(items[0].parsed.x) : "",
            label: item => `${item.dataset.label}: ${format(item.parsed.y)}`,
          },
        },
      },
    };
  }

  // ---- controls above a chart

  function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  function key(set) {
    const canvas = element("canvas", { className: "key", width: 48, height: 18 });
    canvas.setAttribute("aria-hidden", "true");
    const draw = () => {
      const pen = canvas.getContext("2d");
      pen.clearRect(0, 0, 48, 18);
      pen.strokeStyle = style(set.tone);
      pen.lineWidth = 4;
      pen.setLineDash((set.borderDash || []).map(length => length * 2));
      pen.beginPath();
      pen.moveTo(0, 9);
      pen.lineTo(48, 9);
      pen.stroke();
    };
    draw();
    return { canvas, draw };
  }

  // A button for each line: shows and hides it.
  function legend(tools, chart) {
    tools.querySelectorAll("button").forEach(button => button.remove());
    chart.keys = chart.config.data.datasets.map((set, i) => {
      const sign = key(set), button = element("button", { type: "button" }, sign.canvas, set.label);
      const say = () => button.setAttribute("aria-pressed", String(chart.isDatasetVisible(i)));
      button.addEventListener("click", () => {
        chart.setDatasetVisibility(i, !chart.isDatasetVisible(i));
        chart.update();
        say();
      });
      say();
      tools.append(button);
      return sign;
    });
  }

  function choice(tools, label, values, chosen, change) {
    const select = element("select", {}, ...values.map(([value, text]) => element("option", { value }, text)));
    select.value = chosen;
    select.addEventListener("change", () => change(select.value));
    tools.append(element("label", {}, label, select));
  }

  function logarithmic(tools, chart, on) {
    const box = element("input", { type: "checkbox", checked: on });
    box.addEventListener("change", () => {
      chart.options.scales.y.type = box.checked ? "logarithmic" : "linear";
      chart.update();
    });
    tools.append(element("label", {}, box, "logarithmic"));
  }

  // ---- the charts; each gives its lines for what is chosen, or none

  const kinds = [["response", "response time"], ["service", "service time"], ["lag", "send lag"]];

  function percentiles(chosen) {
    const of = several ? kinds.filter(([kind]) => kind === chosen) : kinds;
    return runs.flatMap((run, i) => of.map(([kind, label], k) =>
      line(name(i, several ? "" : label), `--s${several ? i : k}`, run.curve[kind].map(([x, y]) => ({ x, y })),
        { borderDash: dashes[several ? i : k] })).filter(set => set.data.length));
  }

  // Bins are put together until there are no more of them than the samples can fill, and at most some fifty.
  function histogram(chosen) {
    const all = runs.map(run => run.bins[chosen]);
    const numbers = all.flat().map(([k]) => k);
    if (!numbers.length) return [];
    const low = Math.min(...numbers), high = Math.max(...numbers);
    const samples = Math.max(...all.map(bins => bins.reduce((sum, [, n]) => sum + n, 0)));
    const most = Math.max(8, Math.min(48, 4 * Math.cbrt(samples)));
    let by = 1;
    while ((high - low) / by > most) by *= 2;
    return all.map((bins, i) => {
      const sum = bins.reduce((total, [, n]) => total + n, 0), counts = new Map();
      for (const [k, n] of bins) counts.set(Math.floor(k / by), (counts.get(Math.floor(k / by)) || 0) + n);
      const points = [], edge = k => 10 ** (k * by / data.bins_per_decade) / 1e6;
      for (let k = Math.floor(low / by) - 1; k <= Math.floor(high / by) + 1; k++)
        points.push({ x: edge(k), y: sum ? (counts.get(k) || 0) / sum : 0, to: edge(k + 1) });
      return line(name(i, several ? "" : "share"), `--s${i}`, points,
        { stepped: "before", fill: several ? false : "origin", borderDash: dashes[several ? i : 0] });
    });
  }

  const at = (over, i) => i * over.width_s;
  const series = (over, values) => values.map((y, i) => ({ x: at(over, i), y }));

  function latency(chosen) {
    const known = runs.map((run, i) => [run, i]).filter(([run]) => run.over);
    if (several) {
      const [kind, what] = chosen.split(" ");
      return known.map(([run, i]) => line(name(i, ""), `--s${i}`, series(run.over, run.over[kind][what]), { borderDash: dashes[i] }));
    }
    return known.flatMap(([run]) => [
      line("response p50", "--s0", series(run.over, run.over.response.p50)),
      line("response p95", "--s3", series(run.over, run.over.response.p95), { borderDash: [12, 3] }),
      line("response p99", "--s1", series(run.over, run.over.response.p99), { borderDash: [9, 6] }),
      line("response max", "--s4", series(run.over, run.over.response.max), { hidden: true }),
      line("service p99", "--s2", series(run.over, run.over.service.p99), { borderDash: [6, 9] }),
      line("send lag p99", "--s5", series(run.over, run.over.lag.p99), { borderDash: [3, 12] }),
    ]);
  }

  // The last part may be cut short by the run's end, and the first of the counts by its start. A few in so short a time are no rate: it
  // has that of itself and its neighbour.
  function perSecond(run, what) {
    const { over, report } = run, counts = report.series;
    const values = over ? over[what] : counts[{ due: "begun", begun: "begun", done: "attempts", failed: "failed" }[what]];
    const width = over ? over.width_s : counts.width_s, from = over ? 0 : counts.from_s;
    const parts = values.map((n, k) => {
      const x = from + k * width, inside = Math.min(x + width, report.run.elapsed_s) - Math.max(x, 0);
      return { x, n, long: inside > 0 ? inside : width };
    });
    return parts.map((part, k) => {
      const other = part.long < 0.999 * width ? parts[k ? k - 1 : 1] : null;
      return { x: part.x, y: (part.n + (other ? other.n : 0)) / (part.long + (other ? other.long : 0)) };
    });
  }

  function rate(chosen) {
    if (several) return runs.map((run, i) => line(name(i, ""), `--s${i}`, perSecond(run, chosen), { borderDash: dashes[i] }));
    const [run] = runs;
    return [
      line("due", "--s3", perSecond(run, "due"), { borderDash: [6, 4] }),
      ...(run.over ? [line("begun", "--s2", perSecond(run, "begun"), { borderDash: [2, 3] })] : []),
      line("done", "--s0", perSecond(run, "done"), { fill: "origin" }),
      line("failed", "--s4", perSecond(run, "failed"), { borderDash: [12, 4] }),
    ].filter(set => set.label !== "failed" || set.data.some(point => point.y > 0));
  }

  function backlog() {
    if (!runs.some(run => run.report.totals.retries > 0)) return [];
    return runs.map((run, i) => {
      const of = run.report.series, end = run.report.run.elapsed_s;
      return line(name(i, several ? "" : "backlog"), `--s${i}`, of.backlog.map((y, k) => ({ x: Math.min(end, Math.max(0, of.from_s + (k + 1) * of.width_s)), y })),
        { borderDash: dashes[several ? i : 0], fill: several ? false : "origin" });
    });
  }

  const decades = axis => {
    const most = Math.log10(axis.max);
    const room = axis.chart.width * Math.log10(2) / most; // for "0 %" before "50 %"
    axis.ticks = [{ value: 1 }, ...room > 42 ? [{ value: 2 }] : [], ...Array.from({ length: Math.max(1, Math.floor(most)) }, (_, k) => ({ value: 10 ** (k + 1) }))]
      .filter(tick => tick.value <= axis.max);
  };

  const longest = Math.max(...runs.map(run => run.report.run.elapsed_s));
  const overTime = () => scale("linear", "since the start", seconds, { min: 0, max: longest || undefined });
  const roundTimes = axis => {
    const room = axis.chart.width * Math.log10(2) / Math.log10(axis.max / axis.min); // from 1 to 2, and from 5 to 10
    const shown = room > 50 ? [1, 2, 5] : [1];
    axis.ticks = axis.ticks.filter(({ value }) => value >= axis.min && value <= axis.max
      && shown.includes(Number(value.toExponential(6).split("e")[0])));
  };
  const measures = ["response p50", "response p95", "response p99", "response max", "service p50", "service p95", "service p99", "lag p99"];

  const table = {
    percentiles: {
      lines: percentiles, x: () => scale("logarithmic", "percentile", percentile, { min: 1, beginAtZero: false, afterBuildTicks: decades }),
      y: () => scale("linear", "time", duration), title: x => `${percentile(x)} of the samples`, format: duration, logarithmic: true,
      choices: several && kinds, chosen: "response",
    },
    histogram: {
      lines: histogram, x: () => scale("logarithmic", "time", duration, { beginAtZero: false, bounds: "data", afterBuildTicks: roundTimes }),
      y: () => scale("linear", "samples", share), title: x => `from ${duration(x)}`, format: share, choices: kinds, chosen: "response",
    },
    latency: {
      lines: latency, x: overTime, y: () => scale("linear", "time", duration), title: seconds, format: duration, logarithmic: true,
      choices: several && measures.map(text => [text, text.replace("lag", "send lag")]), chosen: several ? "response p99" : "",
    },
    rate: { lines: rate, x: overTime, y: () => scale("linear", "per second", count), title: seconds, format: y => `${count(y)}/s`,
      choices: several && [["done", "attempts done"], ["due", "deliveries due"], ["begun", "deliveries begun"], ["failed", "attempts failed"]],
      chosen: "done" },
    backlog: { lines: backlog, x: overTime, y: () => scale("linear", "deliveries", count), title: seconds, format: count },
  };

  function draw(figure) {
    const row = table[figure.dataset.chart], tools = figure.querySelector(".tools");
    const sets = row.lines(row.chosen);
    if (!sets.length) return;
    figure.hidden = false;
    const config = { type: "line", data: { datasets: sets }, options: options(row.x(), row.y(), row.title, row.format) };
    paint(config);
    const chart = new Chart(figure.querySelector(".canvas canvas"), config);
    charts.push(chart);
    const show = () => { if (chart.config.data.datasets.length > 1) legend(tools, chart); };
    if (row.choices) choice(tools, "of ", row.choices, row.chosen, value => {
      chart.data.datasets = row.lines(value);
      paint(chart.config);
      chart.update();
      show();
    });
    if (row.logarithmic) logarithmic(tools, chart, false);
    show();
  }

  function repaint() {
    for (const chart of charts) {
      paint(chart.config);
      chart.update("none");
      (chart.keys || []).forEach(sign => sign.draw());
    }
  }

  document.querySelectorAll("figure[data-chart]").forEach(draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("printing");
    charts.forEach(chart => chart.resize());
    repaint();
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("printing");
    charts.forEach(chart => chart.resize());
    repaint();
  });
  // A link into a run that is folded opens it.
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const folded = target && target.closest("details");
    if (folded) { folded.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", unfold);
  unfold();
})();
