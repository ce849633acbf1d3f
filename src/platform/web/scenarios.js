/* Scenarios: choose one, let it run against the endpoints, watch, stop. */
import { h, fill, icon, clipped, short } from "./dom.js";
import { get, post, webhooks } from "./api.js";
import { field, button, busy, errorBox, badge, empty, time, foldTable, copyButton } from "./ui.js";
import { ms, count, plural, span, percent, zone } from "./format.js";
import { draftOf, keepDraft } from "./drafts.js";
import { textView } from "./json.js";

const STATES = {
    running: ["accent", "clock", "running"],
    ended: ["ok", "check", "ended"],
    stopped: ["idle", "stop", "stopped"],
    failed: ["bad", "cross", "failed"],
    interrupted: ["warn", "warn", "interrupted"],
};

function stateBadge(run) {
    if (run.state === "ended" && run.not_sent > 0) return badge("warn", "warn", "ended early");
    const [kind, name, text] = STATES[run.state] ?? ["idle", "minus", run.state];
    return badge(kind, name, text);
}

const ended = (run) => run.delivered + run.failed;

/* What the scenario withholds was never to be sent, and is done. */
const done = (run) => (run.not_sent === null ? count(ended(run)) : `${count(run.planned - run.not_sent)} of ${count(run.planned)}`);

const lasted = (run) => span((run.ended_at ? Date.parse(run.ended_at) : Date.now()) - Date.parse(run.started_at));

const sentBy = (run, text) => h("a", { href: `#/deliveries?${new URLSearchParams({ run: run.id })}` }, text);

/* Its numbers as all on this page, and its options in one piece. */
function noteParts(note) {
    const parts = note.replace(/\b\d{4,}(?= (attempts|deliveries))/g, (digits) => count(Number(digits))).split(/(--[a-z][a-z-]*)/);
    return parts.map((part, i) => (i % 2 ? h("span", { class: "whole" }, part) : clipped(part, 300)));
}

/* ---- the run that goes on, and what has become of it ---- */
const isGoing = (run) => run.state === "running";

function progress(run) {
    if (!isGoing(run)) return null;
    if (run.progress === null || run.progress === undefined) return h("progress", { "aria-label": "Progress" });
    return h("progress", { max: 1, value: run.progress, "aria-label": "Progress" }, `${Math.round(run.progress * 100)} %`);
}

function runCard(run, stop) {
    const control = isGoing(run) ? button("Stop", () => busy(control, () => stop(run)), { name: "stop" }) : null;
    return h(
        "section",
        { class: "panel running stack" },
        h(
            "div",
            { class: "panel-head" },
            h("h2", null, clipped(run.name, 100)),
            stateBadge(run),
            h("span", { class: "grow" }),
            h("span", { class: "muted num" }, lasted(run)),
            sentBy(run, "Its deliveries"),
            control,
        ),
        progress(run),
        run.note ? h("p", { class: "muted" }, noteParts(run.note)) : null,
        h(
            "dl",
            { class: "strip" },
            ...[
                ["Deliveries", count(ended(run)), run.planned ? `of ${count(run.planned)} planned` : null],
                ["Delivered", count(run.delivered), percent(run.delivered, ended(run))],
                ["Failed", count(run.failed), percent(run.failed, ended(run))],
                isGoing(run) ? ["On the wire", count(run.in_flight), run.waiting ? `${count(run.waiting)} waiting` : null] : ["Not sent", count(run.not_sent ?? 0), null],
                ["Attempts", count(run.attempts), null],
                ["Median", ms(run.p50_ms), `p99 ${ms(run.p99_ms)}`],
            ].map(([name, value, note]) =>
                h(
                    "div",
                    { class: "figure" },
                    h("dt", null, name),
                    h("dd", null, value),
                    note ? h("dd", { class: "figure-note" }, note) : null,
                ),
            ),
        ),
    );
}

/* ---- earlier ones ---- */
const FEW = 5;

function runRow(run) {
    return h(
        "tr",
        null,
        h("th", { scope: "row" }, sentBy(run, short(run.name, 80))),
        h("td", null, stateBadge(run), run.note ? h("div", { class: "hint" }, noteParts(run.note)) : null),
        h("td", null, time(run.started_at)),
        h("td", { class: "num" }, lasted(run)),
        h("td", { class: "num" }, done(run)),
        h("td", { class: "num" }, count(run.failed)),
        h("td", { class: "num" }, count(run.attempts)),
        h("td", { class: "num" }, ms(run.p50_ms)),
        h("td", { class: "num" }, ms(run.p99_ms)),
    );
}

function earlier(runs, all, showAll) {
    if (!runs.length) return null;
    const shown = all ? runs : runs.slice(0, FEW);
    const more = runs.length - shown.length;
    const num = (text) => ({ text, class: "num" });
    return h(
        "section",
        { class: "panel" },
        h("h2", null, "Runs"),
        h(
            "p",
            { class: "hint" },
            "What a run has sent is in the delivery log, and can be sent again from there.",
        ),
        foldTable(["Scenario", "State", zone ? `Started (${zone})` : "Started", num("Took"), num("Deliveries"), num("Failed"), num("Attempts"), num("p50"), num("p99")], shown.map(runRow), {
            label: "Runs",
            class: "plain runs",
        }),
        more ? button(`Show ${plural(more, "older run")}`, showAll, { kind: "quiet small" }) : null,
    );
}

/* ---- what can be run ---- */
function card(scenario, run) {
    const { refused } = scenario;
    const start = button("Run", () => busy(start, () => run({ scenario: scenario.name })), {
        name: "scenarios",
        title: `Run ${short(scenario.name, 60)}`,
        disabled: refused !== null,
    });
    const reason = refused === null ? null : h("p", { class: "hint", id: `refused-${scenario.name}` }, "Not run from here: ", clipped(refused, 300), ".");
    if (reason) start.setAttribute("aria-describedby", reason.id);
    const text = h("details", null, h("summary", null, "Show the text"));
    text.addEventListener("toggle", () => {
        if (text.open && text.children.length === 1)
            text.append(
                h("div", { class: "body-head" }, h("span", { class: "grow" }), copyButton(scenario.text)),
                textView(scenario.text, `Text of ${short(scenario.name, 60)}`),
            );
    });
    return h(
        "li",
        { class: "card scenario" },
        h("div", { class: "card-head" }, h("h2", null, short(scenario.name, 80)), start),
        h("p", { class: "muted" }, clipped(scenario.summary, 300)),
        reason,
        text,
    );
}

function ownForm(run, atEnd) {
    const text = h("textarea", {
        class: "editor",
        rows: 12,
        spellcheck: "false",
        placeholder:
            "scenario: mine\nflows:\n  one:\n    steps:\n      - emit: message.received\nrun:\n  - {flow: one, arrivals: {rate: 5/s, for: 10s}}",
    });
    const seed = h("input", { type: "text", inputmode: "numeric", placeholder: "as the scenario says" });
    const speed = h("input", { type: "text", placeholder: "1" });
    const trouble = h("div", { role: "status" });
    const submit = h("button", { type: "submit", class: "primary" }, icon("scenarios"), h("span", null, "Run"));
    const form = h(
        "form",
        { class: "stack" },
        field(
            "Scenario, in YAML",
            text,
            "Its own endpoints are passed over: it sends to the endpoints of this platform, by their subscriptions.",
        ),
        h("div", { class: "grid" }, field("Seed", seed), field("Speed", speed, "2 is twice as fast.")),
        trouble,
        h("div", { class: "row" }, submit),
    );
    form.addEventListener("submit", (event) => {
        event.preventDefault();
        trouble.replaceChildren();
        const body = { text: text.value };
        if (seed.value.trim()) body.seed = Number(seed.value);
        if (speed.value.trim()) body.speed = Number(speed.value);
        busy(submit, async () => {
            try {
                await run(body);
            } catch (error) {
                fill(trouble, errorBox(error));
            }
        });
    });
    const inputs = [text, seed, speed];
    const draft = draftOf("scenario");
    inputs.forEach((input, i) => (input.value = draft?.[i] ?? ""));
    atEnd(() => {
        const values = inputs.map(({ value }) => value);
        keepDraft("scenario", values.some(Boolean) ? values : null);
    });
    return h("details", { class: "panel", open: draft !== null }, h("summary", null, h("h2", null, "A scenario of your own")), form);
}

/* ---- the page ---- */
export default async function scenarios(page) {
    const [known, hooks, runs] = await Promise.all([
        get("/v1/scenarios", null, page.signal),
        webhooks(),
        get("/v1/runs", null, page.signal),
    ]);
    const now = h("div", { class: "stack", "aria-live": "off" });
    const before = h("div");
    const trouble = h("div");
    const byId = new Map(runs.map((run) => [run.id, run]));
    const watched = new Set(); /* ids of those that went on while the page was open: they stay, with what has become of them */
    let whole = false; /* are all of the earlier ones shown? */

    function draw() {
        const all = [...byId.values()].sort((a, b) => (a.started_at < b.started_at ? 1 : -1));
        for (const run of all) if (isGoing(run)) watched.add(run.id);
        drawCards(all.filter((run) => watched.has(run.id)));
        if (before.contains(document.activeElement)) return; /* the next time */
        fill(
            before,
            earlier(
                all.filter((run) => !watched.has(run.id)),
                whole,
                showWhole,
            ),
        );
    }

    /* What has the focus keeps it; where it is gone, the run's deliveries have it. */
    function drawCards(shown) {
        const kind = now.contains(document.activeElement) ? document.activeElement.localName : null;
        fill(
            now,
            shown.map((run) => runCard(run, stop)),
        );
        if (kind) (now.querySelector(kind) ?? now.querySelector("a"))?.focus();
    }

    function showWhole() {
        whole = true;
        document.activeElement.blur();
        draw();
        before.querySelector(".table-wrap").focus();
    }

    function take(run) {
        byId.set(run.id, run);
        draw();
    }

    async function stop(run) {
        take(await post(`/v1/runs/${encodeURIComponent(run.id)}/stop`));
        now.querySelector("a")?.focus({ preventScroll: true }); /* the button has gone with the run */
    }

    async function run(body) {
        const made = await post("/v1/runs", body);
        trouble.replaceChildren();
        for (const id of watched) if (!isGoing(byId.get(id))) watched.delete(id);
        take(made);
        now.scrollIntoView({ block: "nearest" });
    }

    async function tryRun(body) {
        try {
            await run(body);
        } catch (error) {
            if (error.status === 401) return;
            fill(trouble, errorBox(error));
            trouble.scrollIntoView({ block: "nearest" });
        }
    }

    const enabled = hooks.filter((hook) => hook.enabled).length;
    const target = enabled
        ? h(
              "p",
              { class: "muted" },
              enabled === 1
                  ? "A run sends to the one enabled endpoint, by its subscriptions, as the platform would."
                  : `A run sends to the ${count(enabled)} enabled endpoints, by their subscriptions, as the platform would.`,
          )
        : empty(
              "No enabled endpoint",
              "A scenario sends to the enabled endpoints by their subscriptions. There is none: make one, or enable one.",
              h(
                  "a",
                  { class: "button primary", href: hooks.length ? "#/endpoints" : "#/endpoints/new" },
                  hooks.length ? "To the endpoints" : "New endpoint",
              ),
          );
    draw();
    fill(
        page.root,
        page.heading("Scenarios"),
        target,
        trouble,
        now,
        before,
        h(
            "ul",
            { class: "cards grid-cards" },
            known.map((each) => card(each, tryRun)),
        ),
        ownForm(run, page.atEnd),
    );

    page.on(async (name, data) => {
        if (name === "run") take(data);
        else if (name === "state" && data === "live") await refresh();
    });
    async function refresh() {
        try {
            for (const each of await get("/v1/runs", null, page.signal)) byId.set(each.id, each);
            draw();
        } catch {
            /* the next time */
        }
    }
    page.every(2000, () => [...byId.values()].some(isGoing) && refresh());
}
