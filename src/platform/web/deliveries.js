/* The delivery log: newest first, filtered, live. */
import { h, fill, icon, short } from "./dom.js";
import { ask, get, post, webhooks, catalogue, info } from "./api.js";
import { errorBox, errorText, empty, select, deliveryBadge, kindTag, time, endpointText, endpointChoices, endpointCut, typeCut, fact, button, busy, toast, confirm, loading } from "./ui.js";
import { ms, count, plural, stamp, mostlyWaited, zone } from "./format.js";

const PAGE = 50;
const PAGE_MOST = 200; /* that the API gives at once */
const MOST = 300; /* rows that live ones may pile up to */
const BACK_MOST = 2000; /* rows that are fetched again for who comes back */

const STATUSES = [
    ["", "Any status"],
    ["2xx", "2xx"],
    ["3xx", "3xx"],
    ["4xx", "4xx"],
    ["5xx", "5xx"],
    ["none", "No answer"],
];
const STATES = [
    ["", "Any state"],
    ["delivered", "Delivered"],
    ["failed", "Failed"],
    ["pending", "Pending"],
    ["cancelled", "Cancelled"],
];
const TESTS = [
    ["", "Test and real"],
    ["true", "Test events"],
    ["false", "Real events"],
];
const TIMES = [
    ["", "Any time"],
    ["15m", "Last 15 min"],
    ["1h", "Last hour"],
    ["24h", "Last 24 hours"],
    ["7d", "Last 7 days"],
    ["own", "Custom range"],
];
const LENGTHS = { "15m": 9e5, "1h": 36e5, "24h": 864e5, "7d": 6048e5 };
const FILTERS = ["status", "state", "type", "webhook", "environment", "test", "event", "run", "time", "since", "until"];

/* What the filter is for the API. */
function asked(filter) {
    const { time: span, since, until, ...rest } = filter;
    if (span === "own") return { ...rest, since: since && new Date(since).toISOString(), until: until && new Date(until).toISOString() };
    return span in LENGTHS ? { ...rest, since: new Date(Date.now() - LENGTHS[span]).toISOString() } : rest;
}

function statusFits(row, wanted) {
    if (wanted === "none") return !row.status && row.outcome !== null;
    const status = String(row.status ?? "");
    return wanted.endsWith("xx") ? status[0] === wanted[0] : status === wanted;
}

/* "message.*", as of endpoints' subscriptions. */
const typeFits = (type, pattern) =>
    pattern === "*" || type === pattern || (pattern.endsWith(".*") && type.startsWith(pattern.slice(0, -1)));

/* The same for a row that the stream brings. */
function fits(row, filter) {
    const query = asked(filter);
    const same = {
        state: row.state,
        webhook: row.webhook_id,
        environment: row.environment,
        event: row.event_id,
        run: row.run_id,
        test: String(row.test),
    };
    for (const [name, value] of Object.entries(same)) if (query[name] && query[name] !== value) return false;
    if (query.type && !typeFits(row.type, query.type)) return false;
    if (query.status && !statusFits(row, query.status)) return false;
    return !(query.since && row.created_at < query.since) && !(query.until && row.created_at >= query.until);
}

const byPosition = (a, b) => a.position - b.position;

/* ---- rows ---- */
const ENVIRONMENTS = { development: "dev", staging: "stg" };

const cell = (name, label, ...content) => h("td", { role: "cell", class: `c-${name}`, data: { label } }, content);

function deliveryRow(row, fresh = false) {
    const environment =
        row.environment === "production"
            ? null
            : h("span", { class: "tag", title: short(row.environment) }, ENVIRONMENTS[row.environment] ?? short(row.environment, 20));
    return h(
        "tr",
        { role: "row", data: { id: row.id, position: row.position, fresh: fresh ? "" : null } },
        cell(
            "time",
            "Time",
            h("a", { class: "row-link", href: `#/deliveries/${encodeURIComponent(row.id)}` }, time(row.created_at, "row")),
        ),
        cell(
            "status",
            "Status",
            h("span", { class: "pair-line" }, deliveryBadge(row), kindTag(row)),
        ),
        cell(
            "type",
            "Type",
            h(
                "span",
                { class: "pair-line" },
                h("span", { class: "mono cut", title: short(row.type, 300) }, typeCut(row.type)),
                environment,
            ),
        ),
        cell(
            "endpoint",
            "Endpoint",
            h(
                "span",
                {
                    class: row.webhook_deleted ? "cut muted" : "cut",
                    title: [short(row.url ?? "", 500), row.webhook_deleted && "its endpoint was deleted"].filter(Boolean).join(": "),
                },
                endpointCut(row.url),
            ),
        ),
        cell(
            "attempts",
            "Attempts",
            h("span", { class: "num" }, count(row.attempts)),
            h("span", { class: "narrow" }, row.attempts === 1 ? " attempt" : " attempts"),
        ),
        cell("response", "Response", waitedMark(row), h("span", { class: "num" }, ms(row.response_time_ms))),
        cell("error", "Error", errorText(row) ? h("span", { class: "cut", title: short(row.error, 500) }, short(row.error, 160)) : null),
    );
}

function waitedMark(row) {
    if (!mostlyWaited(row.response_time_ms, row.waited_ms)) return null;
    const text = `of which emit8 waited ${ms(row.waited_ms)} before it sent`;
    return h("span", { class: "waited", title: text }, icon("clock"), h("span", { class: "away" }, `${text}: `));
}

const HEAD = [
    ["time", "Time"],
    ["status", "Status"],
    ["type", "Type"],
    ["endpoint", "Endpoint"],
    ["attempts", "Attempts"],
    ["response", "Response"],
    ["error", "Error"],
];

function deliveryTable(rows, label) {
    return h(
        "table",
        { class: "log", role: "table", "aria-label": label },
        h(
            "thead",
            { role: "rowgroup" },
            h(
                "tr",
                { role: "row" },
                HEAD.map(([name, text]) =>
                    h(
                        "th",
                        { role: "columnheader", scope: "col", class: `c-${name}` },
                        name === "time" && zone ? [text, h("span", { class: "zone" }, ` ${zone}`)] : text,
                    ),
                ),
            ),
        ),
        h("tbody", { role: "rowgroup" }, rows),
    );
}

/* ---- filters ---- */
function filterBar(filter, lists, change) {
    const choice = (name, label, options) =>
        select(options, filter[name] ?? "", {
            "aria-label": label,
            title: filter[name] ? labelOf(options, filter[name]) : null,
            data: { filter: name, set: filter[name] ? "" : null },
            onchange: (event) => change({ [name]: event.target.value }),
        });
    const moment = (name, label) =>
        h(
            "label",
            { class: "moment" },
            h("span", null, zone ? `${label} (${zone})` : label),
            h("input", {
                type: "datetime-local",
                step: 1,
                value: filter[name] ?? "",
                onchange: (event) => change({ [name]: event.target.value }),
            }),
        );
    const only = (name, all) =>
        filter[name]
            ? button(short(filter[name], 18), () => change({ [name]: "" }), { name: "cross", kind: "small", title: all })
            : null;
    const active = FILTERS.some((name) => filter[name]);
    return [
        choice("status", "Status", withChosen(STATUSES, filter.status)),
        choice("state", "State", STATES),
        choice("type", "Type", lists.types),
        choice("webhook", "Endpoint", lists.webhooks),
        choice("environment", "Environment", lists.environments),
        choice("test", "Test or real", TESTS),
        choice("time", "Time", TIMES),
        filter.time === "own" ? [moment("since", "From"), moment("until", "Until")] : null,
        only("event", "All events again"),
        only("run", "All runs again"),
        active ? button("Clear", () => change(Object.fromEntries(FILTERS.map((name) => [name, ""]))), { kind: "quiet small" }) : null,
    ];
}

async function filterLists() {
    const [types, hooks, facts] = await Promise.all([catalogue(), webhooks(), info()]);
    return {
        types: [["", "Any type"], ...types.map((each) => [each.type, each.type])],
        webhooks: [["", "Any endpoint"], ...endpointChoices(hooks).map((name, i) => [hooks[i].id, name])],
        environments: [["", "Any environment"], ...facts.environments.map((name) => [name, name])],
        count: hooks.length,
    };
}

/* A filter that fits seldom: the server looks for so long at a time, and says where to go on. */
const LOOKS = 12;

async function findPage(query, signal, size = PAGE) {
    const found = { rows: [], next: query.cursor ?? null };
    for (let look = 0; look < LOOKS && found.rows.length < size; look++) {
        const answer = await ask("GET", "/v1/deliveries", {
            query: { ...query, cursor: found.next, limit: Math.min(size - found.rows.length, PAGE_MOST) },
            signal,
        });
        found.rows.push(...answer.data);
        found.next = answer.page?.next ?? null;
        if (!found.next) break;
    }
    return found;
}

/* An endpoint that was deleted is in no list; the log tells where it was. */
export async function withDeleted(options, id, signal) {
    if (!id || options.some(([key]) => key === id)) return options;
    const [row] = await get("/v1/deliveries", { webhook: id, limit: 1 }, signal).catch(() => []); /* the log itself says what is wrong */
    return [...options, [id, row?.url ? `(deleted) ${endpointText(row.url)}` : id]];
}

/* Where the log was left: with its filters. */
let address = "#/deliveries";
export const logAddress = () => address;

function addressOf(filter) {
    const query = new URLSearchParams();
    for (const name of FILTERS) if (filter[name]) query.set(name, filter[name]);
    return `#/deliveries${query.size ? `?${query}` : ""}`;
}

function remember(filter) {
    address = addressOf(filter);
    history.replaceState(history.state, "", address);
}

/* A type that is gone, or a status of its own, stays to be chosen while it is filtered by. */
function withChosen(options, value) {
    return !value || options.some(([key]) => key === value) ? options : [...options, [value, value]];
}

function nothing(filter, lists, clear) {
    if (FILTERS.some((name) => filter[name]))
        return empty("No delivery fits these filters", "Those in the log are others. Live ones that fit appear here.", button("Clear the filters", clear));
    if (!lists.count)
        return empty(
            "The log is empty",
            "Deliveries appear here as they happen. First, emit8 needs to know where to send them.",
            h("a", { class: "button primary", href: "#/endpoints/new" }, "New endpoint"),
        );
    return empty(
        "The log is empty",
        "Deliveries appear here as they happen. Send a test event, or let a scenario run.",
        h("a", { class: "button primary", href: "#/test" }, "Send a test event"),
        h("a", { class: "button", href: "#/scenarios" }, "Run a scenario"),
    );
}

/* ---- send again what failed ---- */
/* What is failed goes out, whichever state is looked at. */
function failedOf(filter) {
    const { state, ...filters } = asked(filter);
    return Object.fromEntries(Object.entries(filters).filter(([, value]) => value));
}

const labelOf = (options, value) => options.find(([key]) => key === value)?.[1] ?? value;

/* The filters as rows of <dl>. */
function filterFacts(filter, lists) {
    const moment = (value) => stamp(value, false);
    const of = {
        status: ["Status", (value) => labelOf(STATUSES, value)],
        type: ["Type", String],
        webhook: ["Endpoint", (value) => labelOf(lists.webhooks, value)],
        environment: ["Environment", String],
        test: ["Kind", (value) => labelOf(TESTS, value)],
        event: ["Event", String],
        run: ["Run", String],
        time: ["Time", (value) => (value === "own" ? null : labelOf(TIMES, value))],
        since: ["From", moment],
        until: ["Until", moment],
    };
    const rows = Object.entries(of)
        .filter(([name]) => filter[name] && !(["since", "until"].includes(name) && filter.time !== "own"))
        .map(([name, [title, text]]) => [title, text(filter[name])])
        .filter(([, text]) => text)
        .map(([title, text]) => fact(title, short(text, 160)));
    return rows.length ? h("dl", { class: "facts long" }, rows) : null;
}

/* Returns whether they go out. */
async function resendFailed(control, filter, lists) {
    const wanted = failedOf(filter);
    const found = await busy(control, () => post("/v1/deliveries/resend", { ...wanted, dry_run: true }));
    if (!found) return false;
    if (!found.count && !found.more) {
        toast("Nothing goes out: no delivery has failed whose endpoint is still there");
        return false;
    }
    const facts = filterFacts(filter, lists);
    const sure = await confirm({
        title: `Send ${found.more ? "at least " : ""}${plural(found.count, "failed delivery", "failed deliveries")} again?`,
        text: [h("p", null, facts ? "Those that failed for good, and that these filters take:" : "All that failed for good, of any time, to any endpoint."), facts, h("p", null, "They keep their ids.")],
        action: "Send again",
        danger: false,
    });
    if (!sure) return false;
    const done = await busy(control, () => post("/v1/deliveries/resend", wanted));
    if (done) toast(`${plural(done.count, "delivery goes", "deliveries go")} out again`);
    return Boolean(done);
}

/* ---- the page ---- */
export default async function deliveries(page) {
    const lists = await filterLists();
    const filter = Object.fromEntries(FILTERS.map((name) => [name, page.query.get(name) ?? ""]));
    lists.webhooks = await withDeleted(lists.webhooks, filter.webhook, page.signal);
    address = addressOf(filter);
    const bar = h("div", { class: "filters", role: "group", "aria-label": "Filters" });
    const news = h("button", { type: "button", class: "news", hidden: true });
    const body = h("tbody", { role: "rowgroup" });
    const place = h("div", { class: "log-place" });
    const older = h("button", { type: "button", class: "older" }, "Show older");
    const state = { rows: new Map(), query: {}, next: null, paged: false, cutOff: false, waiting: new Map(), many: 0, turn: 0 };

    function drawBar() {
        fill(
            bar,
            filterBar(
                filter,
                { ...lists, types: withChosen(lists.types, filter.type) },
                change,
            ),
        );
    }

    function change(part) {
        const name = Object.keys(part)[0];
        Object.assign(filter, part);
        remember(filter);
        drawBar();
        bar.querySelector(`[data-filter="${name}"]`)?.focus();
        reload();
    }

    const clear = () => change(Object.fromEntries(FILTERS.map((name) => [name, ""])));

    const again = button("Resend failed", async () => (await resendFailed(again, filter, lists)) && lookForFailed(), { name: "retry", disabled: true });

    function offerAgain(on) {
        again.disabled = !on;
        if (on) again.removeAttribute("title");
        else again.title = "Nothing has failed for good";
    }

    async function lookForFailed() {
        const own = state.turn;
        try {
            const { data, page: rest } = await ask("GET", "/v1/deliveries", { query: { ...failedOf(filter), state: "failed", limit: 1 }, signal: page.signal });
            if (own === state.turn) offerAgain(data.length > 0 || rest?.next);
        } catch {
            if (own === state.turn) offerAgain(false); /* the log itself says why */
        }
    }

    function put(row, element) {
        state.rows.get(row.id)?.replaceWith(element);
        state.rows.set(row.id, element);
    }

    function show(rows) {
        for (const row of rows) {
            if (state.rows.has(row.id)) continue;
            const element = deliveryRow(row);
            put(row, element);
            body.append(element);
            state.oldest = row;
        }
        older.hidden = !state.next && !state.cutOff;
    }

    function drawTable() {
        if (!state.rows.size) {
            fill(place, state.next || state.cutOff ? furtherBack() : nothing(filter, lists, clear));
            return;
        }
        if (body.isConnected) return;
        const whole = deliveryTable([], "Deliveries, newest first");
        whole.querySelector("tbody").replaceWith(body);
        fill(place, whole, h("div", { class: "row center" }, older));
    }

    function furtherBack() {
        const further = button("Look further back", () => busy(further, more));
        return empty(
            "None of the latest deliveries fits these filters",
            "The log is long, and what fits is rare or old.",
            further,
            button("Clear the filters", clear),
        );
    }

    function forgetNews() {
        state.waiting.clear();
        state.many = 0;
        news.hidden = true;
    }

    const isReversed = () => filter.time === "own" && filter.since && filter.until && filter.since >= filter.until;

    /* An old address may filter by what there is not: then the filters are the trouble, and not the server. */
    const refusal = (error) => (error.status === 400 ? errorBox(error, clear, "Clear the filters") : errorBox(error, () => reload()));

    /* size: how many rows at least */
    async function reload(size = PAGE) {
        const own = ++state.turn;
        if (isReversed()) {
            fill(place, errorBox(new Error("From must be before Until; with these times nothing fits"), clear, "Clear the filters"));
            place.removeAttribute("aria-busy");
            state.rows.clear();
            body.replaceChildren();
            forgetNews();
            offerAgain(false);
            return;
        }
        place.setAttribute("aria-busy", "true");
        try {
            const query = asked(filter);
            const found = await findPage(query, page.signal, size);
            if (own !== state.turn) return;
            state.query = query;
            forgetNews();
            state.rows.clear();
            body.replaceChildren();
            Object.assign(state, { next: found.next, paged: size > PAGE, cutOff: false });
            show(found.rows);
            place.replaceChildren();
            drawTable();
            lookForFailed();
        } catch (error) {
            if (error.name !== "AbortError" && own === state.turn) fill(place, refusal(error));
        } finally {
            if (own === state.turn) place.removeAttribute("aria-busy");
        }
    }

    /* After rows were cut off at the end, the cursor leads past them: then by time. */
    async function more() {
        const query = { ...(state.cutOff ? asked(filter) : state.query) }; /* a cursor goes with its filters alone */
        if (state.cutOff) query.until = new Date(Date.parse(state.oldest.created_at) + 1).toISOString();
        else query.cursor = state.next;
        if (query.since >= query.until) return reload(); /* the oldest rows have left the last hours meanwhile */
        const own = state.turn;
        const found = await findPage(query, page.signal);
        if (own !== state.turn) return;
        delete query.cursor;
        Object.assign(state, { query, next: found.next, paged: true, cutOff: false });
        show(found.rows);
        drawTable();
    }
    older.addEventListener("click", () => busy(older, more));

    function add(rows) {
        for (const row of rows) {
            const element = deliveryRow(row, true);
            put(row, element);
            body.insertBefore(element, [...body.children].find((each) => Number(each.dataset.position) < row.position) ?? null);
        }
        trim();
        drawTable();
    }

    function trim() {
        if (state.paged) return;
        while (body.children.length > MOST) {
            const last = body.lastElementChild;
            state.rows.delete(last.dataset.id);
            last.remove();
            state.cutOff = true;
        }
        if (!state.cutOff) return;
        const created = body.lastElementChild.querySelector("time").dateTime;
        state.oldest = { created_at: created };
        older.hidden = false;
    }

    const reading = () => scrollY > 120 || body.contains(document.activeElement);

    function tellNews() {
        const n = state.waiting.size + state.many;
        news.hidden = n === 0;
        fill(news, icon("down"), `${count(n)} new`);
    }

    function redraw(row) {
        const known = state.rows.get(row.id);
        const focused = known.contains(document.activeElement);
        const element = deliveryRow(row);
        put(row, element);
        if (focused) element.querySelector("a").focus();
    }

    /* A row that fits no longer is marked first: nothing moves under who reads. */
    function mark(row) {
        if (fits(row, filter)) return;
        const element = state.rows.get(row.id);
        element.dataset.unfit = "";
        element.title = "Fits the filters no longer";
        element.querySelector(".c-status").append(h("span", { class: "away" }, ", fits the filters no longer"));
    }

    function sweep() {
        const unfit = reading() ? [] : body.querySelectorAll("[data-unfit]");
        for (const each of unfit) {
            state.rows.delete(each.dataset.id);
            each.remove();
        }
        if (unfit.length) drawTable();
    }

    /* What the stream brings is drawn some times a second, not each for itself. */
    const inbox = new Map();
    function takeInbox() {
        const rows = [...inbox.values()];
        inbox.clear();
        if (rows.some((row) => row.state === "failed" && fits(row, { ...filter, state: "" }))) offerAgain(true);
        for (const row of rows.filter(({ id }) => state.rows.has(id))) {
            redraw(row);
            mark(row);
        }
        sweep();
        const passed = rows.filter((row) => state.waiting.has(row.id) && !fits(row, filter));
        passed.forEach(({ id }) => state.waiting.delete(id));
        if (passed.length) tellNews();
        const fresh = rows.filter((row) => !state.rows.has(row.id) && fits(row, filter) && !isOld(row));
        if (!fresh.length) return;
        if (reading()) {
            fresh.forEach((row) => state.waiting.set(row.id, row));
            tellNews();
        } else add(fresh.sort(byPosition));
    }

    /* It belongs to the rows that are not shown yet. */
    function isOld(row) {
        const last = body.lastElementChild;
        return last !== null && (state.next !== null || state.cutOff) && row.position < Number(last.dataset.position);
    }

    function takeNews() {
        if (state.many) reload();
        else add([...state.waiting.values()].sort(byPosition));
        forgetNews();
        scrollTo({ top: 0 });
    }
    news.addEventListener("click", takeNews);
    const onScroll = () => !reading() && (state.waiting.size || state.many) && takeNews();
    addEventListener("scroll", onScroll, { passive: true });
    page.atEnd(() => removeEventListener("scroll", onScroll));

    let stale = false;
    page.on((name, data) => {
        if (name === "delivery") inbox.set(data.id, data);
        else if (name === "many") {
            if (reading()) {
                state.many += data.count ?? 1;
                tellNews();
            } else stale = true;
        } else if (name === "state" && data === "live") stale = true; /* what happened meanwhile is not told again */
    });
    page.every(200, takeInbox);
    page.every(1000, () => {
        if (!stale) return;
        if (reading() || state.paged) return;
        stale = false;
        reload();
    });

    drawBar();
    fill(place, loading());
    fill(page.root, page.heading("Deliveries", again), bar, h("div", { class: "news-place", role: "status" }, news), place);
    page.kept = () => state.rows.size;
    await reload(backTo(page.more));
}

/* Who comes back finds as many rows as they had, and what has come meanwhile. */
const backTo = (rows) => (rows > PAGE ? Math.min(rows + PAGE, BACK_MOST) : PAGE);

/* A short list for other pages. */
export async function recent(query, label, signal) {
    const rows = await get("/v1/deliveries", { limit: 10, ...query }, signal);
    if (!rows.length) return h("p", { class: "muted" }, "None yet.");
    const whole = deliveryTable(
        rows.map((row) => deliveryRow(row)),
        label,
    );
    if (query.webhook) whole.classList.add("of-one");
    return whole;
}
