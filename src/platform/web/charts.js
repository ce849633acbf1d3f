/* Charts in the colours of the page. Each says in words what it shows, and has its figures as a table. */
import { h, fill } from "./dom.js";
import { table } from "./ui.js";

const drawn = new Set();

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/* A colour's token, or one with an alpha: "--accent/0.2" */
function resolve(name) {
    const [token, alpha] = name.split("/");
    const hex = colour(token);
    return alpha
        ? `${hex}${Math.round(Number(alpha) * 255)
              .toString(16)
              .padStart(2, "0")}`
        : hex;
}

function setDefaults() {
    const { Chart } = window;
    Chart.defaults.color = resolve("--muted");
    Chart.defaults.borderColor = resolve("--line");
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    Chart.defaults.font.size = 11;
}

/* A logarithmic scale over whole decades, with a line for each. */
function decades(spec) {
    const values = spec.series.flatMap((series) => series.data).filter((value) => value > 0);
    const power = (round, value) => 10 ** round(Math.log10(value));
    const min = values.length ? power(Math.floor, Math.min(...values)) : 1;
    const max = values.length ? Math.max(power(Math.ceil, Math.max(...values)), min * 10) : 10;
    return {
        type: "logarithmic",
        min,
        max,
        afterBuildTicks: (scale) => {
            scale.ticks = [];
            for (let value = scale.min; value <= scale.max * 1.001; value *= 10) scale.ticks.push({ value });
        },
    };
}

function options(spec) {
    return {
        animation: false, /* a change of the page's width while a chart moves is lost */
        responsive: true,
        maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        layout: { padding: { top: 4 } },
        plugins: {
            legend: { display: false },
            tooltip: {
                backgroundColor: resolve("--tip"),
                titleColor: resolve("--tip-text"),
                bodyColor: resolve("--tip-text"),
                padding: 10,
                cornerRadius: 6,
                boxWidth: 8,
                boxHeight: 8,
                boxPadding: 4,
                itemSort: (a, b) => a.datasetIndex - b.datasetIndex,
                titleFont: { weight: "600" },
                callbacks: {
                    title: (items) => spec.title(items[0].dataIndex),
                    label: (item) => ` ${item.dataset.label}: ${spec.value(item.raw)}`,
                },
            },
        },
        scales: {
            x: {
                stacked: spec.stacked,
                grid: { display: false, borderColor: resolve("--line") },
                afterBuildTicks: (scale) => spec.marks && (scale.ticks = spec.marks().map((value) => ({ value }))),
                ticks: { maxRotation: 0, autoSkipPadding: 24, callback: (i) => spec.tick(i) },
            },
            y: {
                ...(spec.log ? decades(spec) : {}),
                stacked: spec.stacked,
                beginAtZero: !spec.log,
                suggestedMax: spec.log ? undefined : spec.least,
                grid: { drawBorder: false, tickLength: 0 },
                ticks: { maxTicksLimit: 5, autoSkip: !spec.log, padding: 8, callback: (value, _, ticks) => spec.scale(value, ticks.at(-1).value) },
            },
        },
    };
}

/* What has more gaps lies above what has fewer: of lines that lie on each other all are seen. */
const depth = ([dash, gap] = [1, 0]) => -gap / (dash + gap);

function datasets(spec) {
    return spec.series.map((series) => ({
        label: series.name,
        data: series.data,
        borderColor: resolve(series.line ?? series.fill),
        backgroundColor: resolve(series.fill ?? series.line),
        hoverBackgroundColor: resolve(series.fill ?? series.line),
        borderWidth: spec.type === "line" ? 1.75 : 0,
        borderDash: series.dash,
        order: depth(series.dash),
        borderRadius: spec.type === "bar" ? 2 : 0,
        maxBarThickness: 28,
        categoryPercentage: 0.9,
        barPercentage: 0.9,
        pointRadius: (context) => alone(context.dataset.data, context.dataIndex),
        pointHoverRadius: 3,
        pointHitRadius: 8,
        clip: spec.type === "line" ? 4 : undefined, /* a point at the top edge is whole */
        tension: 0.25,
        fill: series.filled ?? false,
        spanGaps: false,
    }));
}

/* A value between gaps would not be seen without its point. */
function alone(data, i) {
    const gap = (value) => value === null || value === undefined;
    return !gap(data[i]) && gap(data[i - 1]) && gap(data[i + 1]) ? 2.5 : 0;
}

function legend(spec) {
    if (spec.series.length < 2) return null;
    return h(
        "ul",
        { class: "legend" },
        spec.series.map((series) => h("li", { data: { series: series.key } }, series.name)),
    );
}

function figures(spec) {
    const head = [spec.along, ...spec.series.map((series) => ({ text: series.name, class: "num" }))];
    const rows = spec.labels.map((_, i) =>
        h(
            "tr",
            null,
            h("th", { scope: "row" }, spec.title(i)),
            spec.series.map((series) => h("td", { class: "num" }, spec.value(series.data[i]))),
        ),
    );
    return table(head, rows, { label: `${spec.name}, as a table` });
}

/* spec: name, about (in words), type, labels, series [{name, key, data, line, fill}], title(i), tick(i), value(v), scale(v, the
 * axis' greatest), marks(): those that have a tick, where not all may */
export function chart(spec) {
    const canvas = h("canvas", { role: "img", "aria-label": `${spec.name}: ${spec.about}` });
    const numbers = h("details", { class: "figures" }, h("summary", null, "As a table"));
    const place = h("div");
    numbers.append(place);
    numbers.addEventListener("toggle", () => numbers.open && fill(place, figures(own.spec)));
    const figure = h(
        "figure",
        { class: "panel chart" },
        h("figcaption", null, h("h2", null, spec.name), legend(spec)),
        h("div", { class: "canvas" }, canvas),
        numbers,
    );
    const own = { spec, made: null, canvas, figure, numbers, place };
    drawn.add(own);
    return { figure, draw: () => draw(own), update: (next) => update(own, next), free: () => free(own) };
}

function draw(own) {
    if (own.made || !own.canvas.isConnected) return;
    setDefaults();
    own.made = new window.Chart(own.canvas, {
        type: own.spec.type,
        data: { labels: own.spec.labels, datasets: datasets(own.spec) },
        options: options(own.spec),
    });
}

/* The same series, other figures. */
function update(own, next) {
    Object.assign(own.spec, next);
    own.canvas.setAttribute("aria-label", `${own.spec.name}: ${own.spec.about}`);
    if (own.numbers.open) fill(own.place, figures(own.spec));
    if (!own.made) return;
    own.made.data.labels = own.spec.labels;
    own.spec.series.forEach((series, i) => (own.made.data.datasets[i].data = series.data));
    if (own.spec.log) Object.assign(own.made.options.scales.y, decades(own.spec));
    else own.made.options.scales.y.suggestedMax = own.spec.least;
    own.made.update("none");
}

function free(own) {
    own.made?.destroy();
    drawn.delete(own);
}

export function repaint() {
    for (const own of drawn) {
        if (!own.made) continue;
        own.made.destroy();
        own.made = null;
        draw(own);
    }
}
