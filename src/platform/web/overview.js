/* How deliveries went: over time, by latency, status, endpoint and type. */
import { h, fill, icon, soft } from "./dom.js";
import { get, webhooks } from "./api.js";
import { errorBox, empty, select, foldTable, bar, endpointNames, endpointChoices, badge, outcomeText } from "./ui.js";
import { few, count, plural, percent, percents, ms, rough, decade, zone } from "./format.js";
import { chart } from "./charts.js";
import { withDeleted } from "./deliveries.js";
import { pageOf } from "./endpoints.js";

/* name, how long, step of the slices, text of the step */
const RANGES = [
    ["15m", 15, 1],
    ["1h", 60, 1],
    ["6h", 360, 5],
    ["24h", 1440, 15],
    ["7d", 10080, 120],
];
const MINUTE = 60000;

function slicesOf(data) {
    const known = new Map(data.slices.map((slice) => [Date.parse(slice.at), slice]));
    const step = data.step_ms;
    const first = data.slices.length ? Date.parse(data.slices[0].at) : Date.parse(data.since);
    const start = first - Math.floor((first - Date.parse(data.since)) / step) * step;
    const out = [];
    for (let at = start; at < Date.parse(data.until); at += step)
        out.push(known.get(at) ?? { at, attempts: 0, delivered: 0, failed: 0, p50_ms: null, p90_ms: null, p99_ms: null });
    return out.map((slice) => ({ ...slice, at: new Date(slice.at) }));
}

const hour = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric" });

function axis(slices, range) {
    const long = range[1] > 1440;
    return {
        along: zone ? `From (${zone})` : "From",
        labels: slices.map((slice) => slice.at.getTime()),
        title: (i) => (slices[i] ? (range[1] >= 1440 ? day : hour).format(slices[i].at) : ""),
        tick: (i) => (slices[i] ? (long ? date : hour).format(slices[i].at) : ""),
    };
}

const rate = (slice) => (slice.attempts ? (100 * slice.failed) / slice.attempts : null);
const percentText = (value) => (value === null || value === undefined ? "–" : `${value.toFixed(value < 10 ? 1 : 0)} %`);

function worst(slices) {
    return slices.reduce((top, slice) => ((rate(slice) ?? 0) > (rate(top) ?? 0) ? slice : top), slices[0]);
}

/* The bars in which round times lie, and these: 1, 10 and 100 ms; where that is too few, 2 and 5 as well. */
function roundTimes(bars) {
    const out = new Map();
    if (!bars.length) return out;
    const [least, most] = [bars[0].upto_ms / 2 ** 0.25, bars.at(-1).upto_ms];
    const digits = most / least > 200 ? [1] : [1, 2, 5];
    for (let power = Math.floor(Math.log10(least)); 10 ** power < most; power++)
        for (const value of digits.map((digit) => digit * 10 ** power))
            if (value >= least && value < most) out.set(bars.findIndex((each) => each.upto_ms > value), value);
    return out;
}

/* What each chart shows of the data. */
const CHARTS = {
    attempts: (data, slices, range) => ({
        ...axis(slices, range),
        name: "Attempts over time",
        about: `${count(data.totals.delivered)} delivered and ${count(data.totals.failed)} failed`,
        type: "bar",
        stacked: true,
        least: 4,
        series: [
            { name: "Delivered", key: "ok", data: slices.map((s) => s.delivered), fill: "--chart-ok" },
            { name: "Failed", key: "bad", data: slices.map((s) => s.failed), fill: "--chart-bad" },
        ],
        value: (v) => count(v ?? 0),
        scale: (v, most) => (Number.isInteger(v) ? few(v, most) : ""),
    }),
    errors: (data, slices, range) => ({
        ...axis(slices, range),
        name: "Error rate",
        about: `${percent(data.totals.failed, data.totals.attempts)} of all attempts failed; at worst ${percentText(slices.length ? rate(worst(slices)) : null)}`,
        type: "line",
        least: 5,
        series: [{ name: "Failed", key: "bad", data: slices.map(rate), line: "--chart-bad", fill: "--chart-bad/0.12", filled: true }],
        value: percentText,
        scale: (v) => `${v} %`,
    }),
    latency: (data, slices, range) => ({
        ...axis(slices, range),
        name: "Response time",
        about: `median ${rough(data.totals.p50_ms)}, 90th percentile ${rough(data.totals.p90_ms)}, 99th ${rough(data.totals.p99_ms)}`,
        type: "line",
        log: true,
        series: [
            { name: "p50", key: "p50", data: slices.map((s) => s.p50_ms), line: "--chart-p50" },
            { name: "p90", key: "p90", data: slices.map((s) => s.p90_ms), line: "--chart-p90", dash: [5, 3] },
            { name: "p99", key: "p99", data: slices.map((s) => s.p99_ms), line: "--chart-p99", dash: [2, 2] },
        ],
        value: rough,
        scale: decade,
    }),
    histogram: (data) => ({
        along: "Up to",
        labels: data.latency.map((each) => each.upto_ms),
        title: (i) => (data.latency[i] ? `up to ${ms(data.latency[i].upto_ms)}` : ""),
        marks: () => [...roundTimes(data.latency).keys()],
        tick: (i) => (roundTimes(data.latency).has(i) ? decade(roundTimes(data.latency).get(i)) : ""),
        name: "Response times, how often",
        about: `half of the attempts took at most ${rough(data.totals.p50_ms)}`,
        type: "bar",
        least: 4,
        series: [{ name: "Attempts", key: "ok", data: data.latency.map((each) => each.attempts), fill: "--chart-ok" }],
        value: (v) => count(v ?? 0),
        scale: (v, most) => (Number.isInteger(v) ? few(v, most) : ""),
    }),
};

/* ---- figures and tables ---- */
const figure = (name, value, note = null, kind = null) =>
    h(
        "div",
        { class: "figure", data: kind ? { kind } : null },
        h("dt", null, name),
        h("dd", null, value),
        note ? h("dd", { class: "figure-note" }, note) : null,
    );

function figures({ totals, pending, retrying }) {
    const told = totals.attempts < 1e6 ? count : (n) => few(n, 1e6); /* all of them in one form */
    const failing = totals.attempts && totals.failed / totals.attempts > 0.01;
    return h(
        "dl",
        { class: "strip" },
        figure("Attempts", told(totals.attempts), `${told(totals.delivered)} delivered`),
        figure("Error rate", percent(totals.failed, totals.attempts), `${told(totals.failed)} failed`, failing ? "bad" : null),
        figure("Median", rough(totals.p50_ms), "response time"),
        figure("p90", rough(totals.p90_ms), "response time"),
        figure("p99", rough(totals.p99_ms), "response time"),
        figure("Pending", told(pending), pending ? `${told(retrying)} of them retrying` : "nothing waits"),
    );
}

/* Where it is no rare thing. */
function lateNote({ attempts, late }) {
    if (!late || late < attempts / 100) return null;
    return h(
        "p",
        { class: "note" },
        icon("clock"),
        h(
            "span",
            null,
            `${plural(late, "attempt")} (${percent(late, attempts)}) waited in emit8 for most of their response time, which is not the receivers' then. A clock marks them in the log.`,
        ),
    );
}

const numbers = (row) => [
    h("td", { class: "num" }, count(row.attempts)),
    h("td", { class: "num" }, percent(row.attempts - row.delivered, row.attempts)),
    h("td", { class: "num" }, rough(row.p50_ms)),
    h("td", { class: "num" }, rough(row.p99_ms)),
];
const NUMBERS = ["Attempts", "Errors", "p50", "p99"].map((text) => ({ text, class: "num" }));

function shares(title, first, rows, label) {
    return h(
        "section",
        { class: "panel" },
        h("h2", null, title),
        foldTable(
            [first, ...NUMBERS],
            rows.map((row) => h("tr", null, h("th", { scope: "row" }, label(row)), numbers(row))),
            { label: title, class: "plain" },
        ),
    );
}

/* As in the log: what is not 2xx has failed. */
const statusKind = (name) => (name[0] === "2" ? ["ok", "check"] : ["bad", "cross"]);

function bars(title, first, rows, all, label, kind) {
    const told = percents(
        rows.map((row) => row.attempts),
        all,
    );
    return h(
        "section",
        { class: "panel" },
        h("h2", null, title),
        foldTable(
            [first, { text: "Attempts", class: "num" }, { text: "Share", class: "num" }, { away: "Share, drawn" }],
            rows.map((row, i) =>
                h(
                    "tr",
                    null,
                    h("th", { scope: "row" }, label(row)),
                    h("td", { class: "num" }, count(row.attempts)),
                    h("td", { class: "num" }, told[i]),
                    h("td", { class: "bar-cell" }, bar(row.attempts / (all || 1), kind(row))),
                ),
            ),
            { label: title, class: "plain" },
        ),
    );
}

const link = (filter, text) => h("a", { href: `#/deliveries?${new URLSearchParams(filter)}` }, text);

function statusRow(row) {
    const none = row.name === "none";
    const [kind, name] = statusKind(row.name);
    return link({ status: none ? "none" : `${row.name[0]}xx` }, badge(kind, name, none ? "no answer" : row.name));
}

function tables(data) {
    const all = data.totals.attempts;
    const most = (rows) => [...rows].sort((a, b) => b.attempts - a.attempts);
    const hooks = most(data.webhooks);
    const names = new Map(endpointNames(hooks).map((name, i) => [hooks[i], name]));
    return [
        h(
            "div",
            { class: "two" },
            bars("Statuses", "Status", most(data.statuses), all, statusRow, (row) => (row.name[0] === "2" ? "ok" : "bad")),
            bars(
                "Outcomes",
                "Outcome",
                most(data.outcomes),
                all,
                (row) => outcomeText(row.name),
                (row) => (row.name === "delivered" ? "ok" : "bad"),
            ),
        ),
        shares("By endpoint", "Endpoint", hooks, (row) =>
            row.deleted
                ? link({ webhook: row.name }, [row.url ? soft(names.get(row)) : row.name, h("span", { class: "muted" }, " (deleted)")])
                : h("a", { href: pageOf({ id: row.name }) }, soft(names.get(row))),
        ),
        shares("By type", "Type", most(data.types), (row) => link({ type: row.name }, soft(row.name))),
    ];
}

/* ---- the page ---- */
function ranges(chosen, choose) {
    return h(
        "fieldset",
        { class: "segments" },
        h("legend", { class: "away" }, "Time range"),
        RANGES.map((range) =>
            h(
                "label",
                null,
                h("input", { type: "radio", name: "range", value: range[0], checked: range === chosen, onchange: () => choose(range) }),
                h("span", null, range[0]),
            ),
        ),
    );
}

function remember(state) {
    const query = new URLSearchParams();
    if (state.range[0] !== "1h") query.set("range", state.range[0]);
    if (state.webhook) query.set("webhook", state.webhook);
    history.replaceState(history.state, "", `#/overview${query.size ? `?${query}` : ""}`);
}

function ask(state, signal) {
    const until = Math.ceil(Date.now() / MINUTE) * MINUTE;
    const [, length, step] = state.range;
    return get(
        "/v1/overview",
        {
            since: new Date(until - length * MINUTE).toISOString(),
            until: new Date(until).toISOString(),
            step: `${step}m`,
            webhook: state.webhook,
        },
        signal,
    );
}

function nothing(hooks) {
    if (!hooks.length)
        return empty(
            "No endpoint yet",
            "An endpoint is where events are delivered: the URL of your receiver. Make one, then send it a test event.",
            h("a", { class: "button primary", href: "#/endpoints/new" }, "New endpoint"),
        );
    return empty(
        "Nothing was sent in this time",
        "Choose a longer range, send a test event, or let a scenario run.",
        h("a", { class: "button primary", href: "#/test" }, "Send a test event"),
        h("a", { class: "button", href: "#/scenarios" }, "Run a scenario"),
    );
}

export default async function overview(page) {
    const hooks = await webhooks();
    const state = {
        range: RANGES.find((range) => range[0] === page.query.get("range")) ?? RANGES[1],
        webhook: page.query.get("webhook") ?? "",
    };
    const body = h("div", { class: "stack" });
    const made = new Map();
    const free = () => {
        made.forEach((each) => each.free());
        made.clear();
    };
    page.atEnd(free);

    const strip = h("div", { class: "stack" });
    const lists = h("div", { class: "stack" });

    function build(data, slices) {
        for (const [name, spec] of Object.entries(CHARTS)) made.set(name, chart(spec(data, slices, state.range)));
        const at = (name) => made.get(name).figure;
        at("attempts").classList.add("tall");
        fill(body, strip, at("attempts"), h("div", { class: "two" }, at("latency"), at("errors")), at("histogram"), lists);
        made.forEach((each) => each.draw());
    }

    function draw(data) {
        if (!data.totals.attempts && !data.pending) {
            free();
            fill(body, nothing(hooks));
            return;
        }
        const slices = slicesOf(data);
        fill(strip, figures(data), lateNote(data.totals));
        if (made.size) for (const [name, spec] of Object.entries(CHARTS)) made.get(name).update(spec(data, slices, state.range));
        else build(data, slices);
        fill(lists, tables(data));
    }

    let turn = 0;
    async function refresh() {
        const own = ++turn;
        try {
            const data = await ask(state, page.signal);
            if (own === turn) draw(data);
        } catch (error) {
            if (error.name === "AbortError" || own !== turn) return;
            free();
            fill(body, errorBox(error, refresh));
        }
    }

    function change(next) {
        Object.assign(state, next);
        remember(state);
        refresh();
    }

    const choices = [["", "All endpoints"], ...endpointChoices(hooks).map((name, i) => [hooks[i].id, name])];
    const which = select(await withDeleted(choices, state.webhook, page.signal), state.webhook, {
        "aria-label": "Endpoint",
        onchange: (event) => change({ webhook: event.target.value }),
    });
    await refresh();
    fill(
        page.root,
        page.heading(
            "Overview",
            hooks.length > 1 || state.webhook ? which : null,
            zone ? h("span", { class: "muted" }, `Times in ${zone}`) : null,
            ranges(state.range, (range) => change({ range })),
        ),
        body,
    );
    made.forEach((each) => each.draw());

    /* What happens is counted at most every two seconds. */
    let stale = false;
    page.on((name) => (stale ||= ["delivery", "many", "state"].includes(name)));
    page.every(2000, () => {
        if (!stale || lists.contains(document.activeElement)) return;
        stale = false;
        refresh();
    });
    page.every(30000, () => (stale = true));
}
