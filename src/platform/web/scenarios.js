/* Scenarios: choose one, let it run against the endpoints, watch, stop. */
import { h, fill, icon, clipped, short } from "./dom.js";
import { get, post, webhooks, forget, isBack } from "./api.js";
import { field, button, busy, bringIntoView, errorBox, badge, empty, time, foldTable, copyButton } from "./ui.js";
import { ms, count, plural, span, percents, zone } from "./format.js";
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

const say = (element, text) => element.textContent === text || (element.textContent = text);

/* What becomes of it is written into the elements that stand: a press of a button lasts longer than they would. */
function progress() {
    const bar = h("progress", { max: 1, "aria-label": "Progress" });
    return {
        bar,
        update(run) {
            bar.hidden = !isGoing(run);
            if (typeof run.progress === "number") bar.value = run.progress;
            else bar.removeAttribute("value");
        },
    };
}

/* What makes it again. */
const seedOf = (run) => (run.seed === null ? "" : `seed ${run.seed}${run.speed === 1 ? "" : `, ${run.speed} times as fast`}`);

/* [name, value, note] of each. */
function figuresOf(run) {
    const [delivered, failed] = percents([run.delivered, run.failed], ended(run));
    return [
        ["Deliveries", count(ended(run)), run.planned ? `of ${count(run.planned)} planned` : ""],
        ["Delivered", count(run.delivered), delivered],
        ["Failed", count(run.failed), failed],
        isGoing(run)
            ? ["On the wire", count(run.in_flight), run.waiting ? `${count(run.waiting)} waiting` : ""]
            : ["Left undone", count(run.not_sent ?? 0), "not sent, or not to an end"],
        ["Attempts", count(run.attempts), seedOf(run)],
        ["Median", ms(run.p50_ms), `p99 ${ms(run.p99_ms)}`],
    ];
}

function figures(run) {
    const rows = figuresOf(run).map(() => [h("dt"), h("dd"), h("dd", { class: "figure-note" })]);
    return {
        list: h(
            "dl",
            { class: "strip" },
            rows.map((row) => h("div", { class: "figure" }, row)),
        ),
        update(now) {
            figuresOf(now).forEach((texts, i) => texts.forEach((text, part) => say(rows[i][part], text)));
            for (const [, , note] of rows) note.hidden = !note.textContent;
        },
    };
}

function runCard(first, stop) {
    const control = button("Stop", () => busy(control, () => stop(first)), { name: "stop" });
    const heading = h("h2", { tabindex: -1 }, clipped(first.name, 100));
    const state = h("span");
    const took = h("span", { class: "muted num" });
    const note = h("p", { class: "muted" });
    const bar = progress();
    const numbers = figures(first);
    const whole = h(
        "section",
        { class: "panel running stack" },
        h("div", { class: "panel-head" }, heading, state, h("span", { class: "grow" }), took, sentBy(first, "Its deliveries"), control),
        bar.bar,
        note,
        numbers.list,
    );
    let before = {};

    /* Where what had the focus goes with the end of the run, the heading has it. */
    function update(run) {
        const focused = whole.contains(document.activeElement);
        say(took, lasted(run));
        bar.update(run);
        numbers.update(run);
        if (run.state !== before.state || run.not_sent !== before.not_sent) fill(state, stateBadge(run));
        if (run.note !== before.note) fill(note, run.note ? noteParts(run.note) : null);
        note.hidden = !run.note;
        if (!isGoing(run)) control.remove();
        if (focused && !whole.contains(document.activeElement)) heading.focus({ preventScroll: true });
        before = run;
    }
    update(first);
    return { whole, heading, update };
}

/* For those who do not see the card: what it has come to. Another of the same name is told in other words, or nobody hears of it. */
function news(run, going) {
    const name = short(run.name, 60);
    if (isGoing(run)) return going > 1 ? `${name} has begun; ${going} runs are under way.` : `${name} has begun.`;
    const what = run.state === "ended" && run.not_sent > 0 ? "ended early" : run.state;
    const missing = run.not_sent ? `, ${count(run.not_sent)} left undone` : "";
    return `${name} ${what}: ${count(run.delivered)} delivered, ${count(run.failed)} failed${missing}.`;
}

/* ---- earlier ones ---- */
const FEW = 5;

function runRow(run) {
    return h(
        "tr",
        null,
        h("th", { scope: "row" }, sentBy(run, short(run.name, 80)), run.seed === null ? null : h("div", { class: "hint" }, seedOf(run))),
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
const NOBODY = "Not run: there is no enabled endpoint to send to.";

function card(scenario, run) {
    const { refused } = scenario;
    const trouble = h("div");
    const reason = h("p", { class: "hint", id: `refused-${scenario.name}` }, refused === null ? NOBODY : ["Not run from here: ", clipped(refused, 300), "."]);
    let open = false; /* is there an endpoint that it may send to? */
    const start = button("Run", () => attempt(), { name: "scenarios", title: `Run ${short(scenario.name, 60)}` });

    async function attempt() {
        trouble.replaceChildren();
        await busy(start, async () => {
            try {
                await run({ scenario: scenario.name });
            } catch (error) {
                if (error.status === 401) return;
                fill(trouble, errorBox(error)); /* where one looks */
                bringIntoView(trouble);
            }
        });
        permit(open);
    }

    function permit(any) {
        open = any;
        const may = any && refused === null;
        if (start.getAttribute("aria-busy") === null) start.disabled = !may;
        reason.hidden = may;
        if (may) start.removeAttribute("aria-describedby");
        else start.setAttribute("aria-describedby", reason.id);
    }

    const text = h("details", null, h("summary", null, "Show the text"));
    text.addEventListener("toggle", () => {
        if (text.open && text.children.length === 1)
            text.append(
                h("div", { class: "body-head" }, h("span", { class: "grow" }), copyButton(scenario.text)),
                textView(scenario.text, `Text of ${short(scenario.name, 60)}`),
            );
    });
    const whole = h(
        "li",
        { class: "card scenario" },
        h("div", { class: "card-head" }, h("h2", null, short(scenario.name, 80)), start),
        h("p", { class: "muted" }, clipped(scenario.summary, 300)),
        reason,
        trouble,
        text,
    );
    return { whole, permit };
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
    const reason = h("p", { class: "hint", id: "own-refused" }, NOBODY);
    const submit = h("button", { type: "submit", class: "primary" }, icon("scenarios"), h("span", null, "Run"));
    let open = false;

    function permit(any) {
        open = any;
        if (submit.getAttribute("aria-busy") === null) submit.disabled = !any;
        reason.hidden = any;
        if (any) submit.removeAttribute("aria-describedby");
        else submit.setAttribute("aria-describedby", reason.id);
    }
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
        reason,
        h("div", { class: "row" }, submit),
    );
    form.addEventListener("submit", async (event) => {
        event.preventDefault();
        trouble.replaceChildren();
        const body = { text: text.value };
        if (seed.value.trim()) body.seed = Number(seed.value);
        if (speed.value.trim()) body.speed = Number(speed.value);
        await busy(submit, async () => {
            try {
                await run(body);
            } catch (error) {
                fill(trouble, errorBox(error));
                bringIntoView(trouble);
            }
        });
        permit(open);
    });
    const inputs = [text, seed, speed];
    const draft = draftOf("scenario");
    inputs.forEach((input, i) => (input.value = draft?.[i] ?? ""));
    atEnd(() => {
        const values = inputs.map(({ value }) => value);
        keepDraft("scenario", values.some(Boolean) ? values : null);
    });
    const whole = h("details", { class: "panel", open: draft !== null }, h("summary", null, h("h2", null, "A scenario of your own")), form);
    return { whole, permit };
}

/* Where a run sends to. */
function targetOf(hooks) {
    const enabled = hooks.filter((hook) => hook.enabled).length;
    if (enabled)
        return h(
            "p",
            { class: "muted" },
            enabled === 1
                ? "A run sends to the one enabled endpoint, by its subscriptions, as the platform would."
                : `A run sends to the ${count(enabled)} enabled endpoints, by their subscriptions, as the platform would.`,
        );
    return empty(
        "No enabled endpoint",
        "A scenario sends to the enabled endpoints by their subscriptions. There is none: make one, or enable one.",
        h(
            "a",
            { class: "button primary", href: hooks.length ? "#/endpoints" : "#/endpoints/new" },
            hooks.length ? "To the endpoints" : "New endpoint",
        ),
    );
}

/* ---- the page ---- */
export default async function scenarios(page) {
    const [known, hooks, runs] = await Promise.all([
        get("/v1/scenarios", null, page.signal),
        webhooks(),
        get("/v1/runs", null, page.signal),
    ]);
    const now = h("div", { class: "stack" });
    const said = h("p", { class: "away", role: "status" }); /* the cards' figures change all the time: that is not read out */
    const before = h("div");
    const target = h("div");
    const byId = new Map();
    const drawn = new Map(); /* cards of those that went on while the page was open: they stay, with what has become of them */
    let whole = false; /* are all of the earlier ones shown? */

    /* What is told late of a run that has ended is old. */
    function keep(run) {
        const known = byId.get(run.id);
        if (known && !isGoing(known) && isGoing(run)) return;
        byId.set(run.id, run);
    }

    function draw() {
        const all = [...byId.values()].sort((a, b) => (a.started_at < b.started_at ? 1 : -1));
        drawCards(all);
        if (before.contains(document.activeElement)) return; /* the next time */
        fill(
            before,
            earlier(
                all.filter((run) => !drawn.has(run.id)),
                whole,
                showWhole,
            ),
        );
    }

    function drawCards(all) {
        for (const run of all.filter(isGoing)) if (!drawn.has(run.id)) drawn.set(run.id, runCard(run, stop));
        let place = now.firstChild;
        for (const run of all.filter(({ id }) => drawn.has(id))) {
            const made = drawn.get(run.id);
            made.update(run);
            if (made.whole === place) place = place.nextSibling;
            else now.insertBefore(made.whole, place);
        }
    }

    function showWhole() {
        whole = true;
        document.activeElement.blur();
        draw();
        before.querySelector(".table-wrap").focus();
    }

    function take(...told) {
        const were = new Map(byId);
        told.forEach(keep);
        draw();
        const changed = told.map(({ id }) => byId.get(id)).filter((run) => isGoing(run) !== isGoing(were.get(run.id) ?? { state: "" }));
        const going = [...byId.values()].filter(isGoing).length;
        if (changed.length) say(said, changed.map((run) => news(run, going)).join(" "));
    }

    async function stop(run) {
        take(await post(`/v1/runs/${encodeURIComponent(run.id)}/stop`));
        if (document.activeElement === document.body) drawn.get(run.id)?.heading.focus({ preventScroll: true }); /* the button has gone */
    }

    async function run(body) {
        const made = await post("/v1/runs", body);
        for (const [id, old] of drawn) {
            if (isGoing(byId.get(id))) continue;
            old.whole.remove();
            drawn.delete(id);
        }
        if (!drawn.has(made.id)) drawn.set(made.id, runCard(made, stop)); /* be it over already */
        take(made);
        const card = drawn.get(made.id);
        card.heading.focus({ preventScroll: true });
        bringIntoView(card.whole);
    }

    const choices = known.map((each) => card(each, run));
    const own = ownForm(run, page.atEnd);

    function aim(list) {
        const any = list.some((hook) => hook.enabled);
        for (const { permit } of [...choices, own]) permit(any);
        const told = targetOf(list);
        if (told.textContent === target.textContent) return;
        const focused = target.contains(document.activeElement);
        fill(target, told);
        if (focused) page.root.querySelector("h1").focus({ preventScroll: true });
    }
    runs.forEach(keep);
    draw();
    aim(hooks);
    fill(
        page.root,
        page.heading("Scenarios"),
        target,
        said,
        now,
        before,
        h(
            "ul",
            { class: "cards grid-cards" },
            choices.map((each) => each.whole),
        ),
        own.whole,
    );

    page.on(async (name, data) => {
        if (name === "run") take(data);
        else if (name === "webhook") await aimAgain();
        else if (isBack(name, data)) {
            forget("/v1/webhooks");
            await Promise.all([refresh(), aimAgain()]);
        }
    });
    async function refresh() {
        try {
            take(...(await get("/v1/runs", null, page.signal)));
        } catch {
            /* the next time */
        }
    }
    async function aimAgain() {
        try {
            aim(await webhooks());
        } catch {
            /* the next time */
        }
    }
    page.every(2000, () => [...byId.values()].some(isGoing) && refresh());
}
