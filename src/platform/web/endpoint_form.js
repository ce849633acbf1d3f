/* Making an endpoint, and changing one. */
import { h, fill, icon, short, clipped } from "./dom.js";
import { get, post, patch, catalogue, info, forget } from "./api.js";
import { field, complaining, select, button, busy, showSecret, errorBox, toast, opensElsewhere } from "./ui.js";
import { plural, span } from "./format.js";
import { draftOf, keepDraft } from "./drafts.js";
import { apiOf, pageOf } from "./endpoints.js";

/* ---- the events it takes ---- */
/* Boxes for all, each category and each type; a field for any other pattern; and what all of it matches, as the server says. */
function eventPicker(types, chosen, signal) {
    const patterns = new Set(chosen);
    const categories = [...new Set(types.map((each) => each.category))];
    const tree = h("div", { class: "tree" });
    const tags = h("div", { class: "chips", role: "group", "aria-label": "Chosen patterns" });
    const preview = h("div", { class: "match", role: "status" });
    const wrong = h("p", { class: "field-wrong", role: "alert" });
    const other = h("input", {
        type: "text",
        placeholder: "a pattern, such as message.*",
        "aria-label": "Another pattern",
        spellcheck: "false",
        autocomplete: "off",
        list: "event-patterns",
    });
    const known = h(
        "datalist",
        { id: "event-patterns" },
        ["*", ...categories.map((each) => `${each}.*`), ...types.map((each) => each.type)].map((each) => h("option", { value: each })),
    );

    function box(pattern, text, about, inherited) {
        const on = patterns.has(pattern);
        const input = h("input", { type: "checkbox", checked: on || inherited, disabled: inherited && !on, data: { pattern } });
        input.addEventListener("change", () => choose(pattern, input.checked));
        return h(
            "label",
            { class: "check" },
            input,
            h("span", null, h("span", { class: "mono" }, text), about ? h("span", { class: "hint" }, about) : null),
        );
    }

    function choose(pattern, on) {
        if (on) patterns.add(pattern);
        else patterns.delete(pattern);
        draw();
        (tree.querySelector(`[data-pattern="${CSS.escape(pattern)}"]`) ?? other).focus();
    }

    function drawTree() {
        const all = patterns.has("*");
        fill(
            tree,
            box("*", "*", "everything, also types to come", false),
            categories.map((category) => {
                const whole = `${category}.*`;
                const covered = all || patterns.has(whole);
                return h(
                    "fieldset",
                    null,
                    h("legend", { class: "away" }, category),
                    box(whole, whole, `every ${category} event, also those to come`, all),
                    h(
                        "div",
                        { class: "leaves" },
                        types
                            .filter((each) => each.category === category)
                            .map((each) => box(each.type, each.type, each.description, covered)),
                    ),
                );
            }),
        );
    }

    const remove = (pattern) =>
        h(
            "button",
            {
                type: "button",
                class: "chip",
                title: `Remove ${pattern}`,
                "aria-label": `Remove ${pattern}`,
                onclick: () => choose(pattern, false),
            },
            h("code", null, short(pattern, 60)),
            icon("cross"),
        );

    let turn = 0;
    async function drawMatch() {
        const own = ++turn;
        if (!patterns.size) return fill(preview, h("span", { class: "muted" }, "Nothing is chosen: no event would be delivered here."));
        try {
            const found = await get("/v1/match", { pattern: [...patterns] }, signal);
            if (own !== turn) return undefined;
            wrong.replaceChildren();
            const all = found.types.length === types.length;
            return fill(
                preview,
                h(
                    "strong",
                    null,
                    all ? `Takes all ${plural(types.length, "type")}` : `Takes ${found.types.length} of ${plural(types.length, "type")}`,
                ),
                all
                    ? null
                    : h(
                          "span",
                          { class: "chips" },
                          found.types.map((each) => h("code", { class: "chip" }, short(each, 60))),
                      ),
            );
        } catch (error) {
            if (own === turn && error.name !== "AbortError")
                fill(preview, h("span", { class: "field-wrong" }, clipped(error.message, 300)));
            return undefined;
        }
    }

    async function addOther() {
        const pattern = other.value.trim();
        if (!pattern) return;
        try {
            await get("/v1/match", { pattern }, signal);
            other.value = "";
            wrong.replaceChildren();
            patterns.add(pattern);
            draw();
        } catch (error) {
            if (error.name !== "AbortError") fill(wrong, icon("warn"), h("span", null, clipped(error.message, 300)));
        }
    }
    other.addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        addOther();
    });

    function draw() {
        drawTree();
        fill(tags, [...patterns].map(remove));
        drawMatch();
    }

    draw();
    const legend = h("legend", null, "Events");
    const whole = h(
        "fieldset",
        { class: "field picker" },
        legend,
        h("p", { class: "hint" }, "Single types, a whole category, or everything."),
        h("div", { class: "picked" }, tags, preview),
        tree,
        h("div", { class: "row" }, other, button("Add", addOther), known),
        wrong,
    );
    return { whole: complaining(whole, () => tree.querySelector("input")), values: () => [...patterns] };
}

/* ---- other parts ---- */
function environmentPicker(all, chosen) {
    const boxes = all.map((name) => h("input", { type: "checkbox", value: name, checked: chosen.includes(name) }));
    const whole = h(
        "fieldset",
        { class: "field" },
        h("legend", null, "Environments"),
        h(
            "div",
            { class: "row" },
            boxes.map((box, i) => h("label", { class: "check" }, box, h("span", null, all[i]))),
        ),
    );
    return { whole: complaining(whole, () => boxes[0]), values: () => boxes.filter((box) => box.checked).map((box) => box.value) };
}

function headerRows(headers) {
    const list = h("div", { class: "pairs" });
    const row = (name = "", value = "") => {
        const line = h(
            "div",
            { class: "pair" },
            h("input", { type: "text", value: name, placeholder: "X-Team", "aria-label": "Name of the header", spellcheck: "false" }),
            h("input", { type: "text", value, placeholder: "crm", "aria-label": "Value of the header", spellcheck: "false" }),
            button("", () => line.remove(), { name: "cross", kind: "quiet icon-only", title: "Remove this header" }),
        );
        return line;
    };
    Object.entries(headers ?? {}).forEach(([name, value]) => list.append(row(name, value)));
    const add = button(
        "Add a header",
        () => {
            const line = row();
            list.append(line);
            line.querySelector("input").focus();
        },
        { name: "plus", kind: "small" },
    );
    const whole = h("fieldset", { class: "field" }, h("legend", null, "Headers of your own"), list, add);
    const given = () =>
        [...list.children]
            .map((line) => [...line.querySelectorAll("input")].map((input) => input.value.trim()))
            .filter(([name, value]) => name || value);
    /* What the API would not be told: it gets an object. */
    function fault() {
        const names = given().map(([name]) => name.toLowerCase());
        const twice = names.find((name, i) => names.indexOf(name) < i);
        if (names.includes("")) return "a value stands here without a name; write one, or remove it";
        return twice ? `${twice} is there twice; remove one of them` : null;
    }
    return { whole: complaining(whole, () => whole.querySelector("input, button")), values: () => Object.fromEntries(given()), fault };
}

/* Durations as they are written: 1500ms, 5s, 2m. */
const written = (value) =>
    value % 3600000 === 0 && value
        ? `${value / 3600000}h`
        : value % 60000 === 0 && value
          ? `${value / 60000}m`
          : value % 1000 === 0
            ? `${value / 1000}s`
            : `${value}ms`;

function inMs(text) {
    const found = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h)\s*$/.exec(text);
    return found ? Number(found[1]) * { ms: 1, s: 1000, m: 60000, h: 3600000 }[found[2]] : NaN;
}

function retryFields(retry) {
    const text = (value) => h("input", { type: "text", value, spellcheck: "false", autocomplete: "off" });
    const inputs = {
        attempts: h("input", { type: "number", min: 1, max: 100, value: String(retry.attempts) }),
        base: text(retry.base),
        factor: h("input", { type: "number", min: 1, max: 100, step: "any", value: String(retry.factor) }),
        cap: text(retry.cap),
        jitter: select(
            [
                ["full", "full"],
                ["equal", "equal"],
                ["none", "none"],
            ],
            retry.jitter,
        ),
    };
    const parts = {
        attempts: field("Attempts in all", inputs.attempts),
        base: field("First wait", inputs.base),
        factor: field("Then times", inputs.factor),
        cap: field("At most", inputs.cap),
        jitter: field("Jitter", inputs.jitter),
    };
    const told = h("p", { class: "hint", role: "status" });
    const tell = () => {
        const attempts = Number(inputs.attempts.value);
        const [base, factor, cap] = [inMs(inputs.base.value), Number(inputs.factor.value), inMs(inputs.cap.value)];
        if (!(attempts > 1) || Number.isNaN(base + factor + cap)) return fill(told, attempts === 1 ? "No retries." : "");
        const waits = Array.from({ length: Math.min(attempts - 1, 8) }, (_, n) => span(Math.min(base * factor ** n, cap)));
        return fill(
            told,
            `Waits ${inputs.jitter.value === "none" ? "" : "up to "}${waits.join(", ")}${attempts > 9 ? ", …" : ""} between attempts.`,
        );
    };
    Object.values(inputs).forEach((input) => input.addEventListener("input", tell));
    tell();
    const whole = h("fieldset", { class: "field" }, h("legend", null, "Retries"), h("div", { class: "grid" }, Object.values(parts)), told);
    const values = () => ({
        attempts: Number(inputs.attempts.value),
        base: inputs.base.value.trim(),
        factor: Number(inputs.factor.value),
        cap: inputs.cap.value.trim(),
        jitter: inputs.jitter.value,
    });
    return { whole, values, parts };
}

/* ---- the form ---- */
const NEEDED = {
    url: "write where your receiver listens",
    events: "choose a type, a category, or everything",
    environments: "choose one at least",
};
const FOLDED = ["scheme", "timeout", "retry", "headers", "notify_url"];
const BLANK = (facts) => ({
    url: "",
    description: "",
    events: ["*"],
    environments: [],
    scheme: facts.schemes[0],
    timeout_ms: facts.defaults.timeout_ms,
    retry: facts.defaults.retry,
    headers: {},
    notify_url: null,
});

/* As the form has it. */
const formOf = (hook, environments) => ({
    url: hook.url,
    description: hook.description ?? "",
    events: hook.events,
    environments: environments.filter((name) => !hook.environments?.length || hook.environments.includes(name)),
    scheme: hook.scheme,
    timeout: written(hook.timeout_ms),
    retry: {
        attempts: hook.retry.attempts,
        base: written(hook.retry.base_ms),
        factor: hook.retry.factor,
        cap: written(hook.retry.cap_ms),
        jitter: hook.retry.jitter,
    },
    headers: hook.headers ?? {},
    notify_url: hook.notify_url ?? null,
});

/* Of what is in the form, what it was not before. What another has changed meanwhile is not undone by it. */
function changesOf(before, now) {
    const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
    const out = Object.fromEntries(Object.entries(now).filter(([name, value]) => !same(value, before[name])));
    if (out.retry && before.retry) out.retry = changesOf(before.retry, out.retry);
    return out;
}

const withChanges = (before, changes) => ({ ...before, ...changes, retry: { ...before.retry, ...changes?.retry } });

function controls(given, facts, types, signal, isNew) {
    const text = (value, props) => h("input", { type: "text", value: value ?? "", spellcheck: "false", autocomplete: "off", ...props });
    const inputs = {
        url: text(given.url, { inputmode: "url", placeholder: "http://127.0.0.1:3000/webhooks", required: true }),
        description: text(given.description, { spellcheck: "true" }),
        secret: isNew ? text("", { placeholder: "made for you" }) : null,
        scheme: select(
            facts.schemes.map((name) => [name, name]),
            given.scheme,
        ),
        timeout: text(given.timeout),
        notify_url: text(given.notify_url, { inputmode: "url", placeholder: "http://127.0.0.1:3000/failures" }),
    };
    const picks = {
        events: eventPicker(types, given.events, signal),
        environments: environmentPicker(facts.environments, given.environments),
        headers: headerRows(given.headers),
        retry: retryFields(given.retry),
    };
    const parts = {
        url: field(
            "URL",
            inputs.url,
            "Where events are posted. Receivers beyond this machine are permitted by --allow-target when emit8 serve starts.",
        ),
        description: field("Description", inputs.description),
        events: picks.events.whole,
        environments: picks.environments.whole,
        secret: inputs.secret
            ? field("Secret", inputs.secret, "Leave it empty for 64 random hex digits; else at least 16 characters.")
            : null,
        scheme: field("Signed as", inputs.scheme),
        timeout: field("Timeout", inputs.timeout, "How long an answer may take: 5s, 1500ms."),
        retry: picks.retry.whole,
        headers: picks.headers.whole,
        notify_url: field("Failure notices to", inputs.notify_url, "A URL that is told when a delivery has failed for good, or the endpoint is disabled for its failures."),
    };
    const values = () => {
        const out = {
            url: inputs.url.value.trim(),
            description: inputs.description.value,
            events: picks.events.values(),
            environments: picks.environments.values(),
            scheme: inputs.scheme.value,
            timeout: inputs.timeout.value.trim(),
            retry: picks.retry.values(),
            headers: picks.headers.values(),
            notify_url: inputs.notify_url.value.trim() || null,
        };
        if (inputs.secret?.value) out.secret = inputs.secret.value;
        return out;
    };
    const places = { ...parts, ...Object.fromEntries(Object.entries(picks.retry.parts).map(([name, part]) => [`retry.${name}`, part])) };
    /* What can be told before anybody is asked: [{field, message}]. */
    const faults = () => {
        const now = values();
        const missing = Object.entries(NEEDED).filter(([name]) => !now[name].length);
        const headers = picks.headers.fault();
        return [...missing, ...(headers ? [["headers", headers]] : [])].map(([name, message]) => ({ field: name, message }));
    };
    return { parts, places, values, faults };
}

const WRONG = "[aria-invalid=true], [data-wrong]";

/* What the server finds wrong goes to its field, the rest above the form. */
function complain(form, places, above, error) {
    const rest = [];
    for (const each of error.details ?? []) {
        const place = places[each.field] ?? places[String(each.field).split(/[.[]/)[0]];
        if (place?.complain) place.complain(short(each.message, 400));
        else rest.push(each);
    }
    const placed = error.details?.length && !rest.length;
    fill(
        above,
        errorBox(
            placed
                ? new Error("not saved; what is wrong stands at its field")
                : Object.assign(new Error(error.message), error, { details: rest }),
        ),
    );
    for (const more of form.querySelectorAll("details")) if (more.querySelector(WRONG)) more.open = true;
    const first = form.querySelector(WRONG) ?? above;
    if (first.focusWrong) first.focusWrong();
    else first.focus();
    (first.closest(".field")?.querySelector(".field-wrong") ?? first).scrollIntoView({ block: "center" });
}

async function show(page, hook, title, save, done) {
    const [facts, types] = await Promise.all([info(), catalogue()]);
    const isNew = !hook;
    const name = hook ? `endpoint ${hook.id}` : "endpoint";
    const before = formOf(hook ?? BLANK(facts), facts.environments);
    let values;
    let left = false; /* with Save or Cancel: nothing is kept then */

    function keep() {
        const { secret, ...changes } = changesOf(before, values());
        keepDraft(name, left || !Object.keys(changes).length ? null : changes);
    }
    page.atEnd(() => values && keep());

    const kept = (draft) =>
        draft
            ? h(
                  "p",
                  { class: "row muted" },
                  icon("edit"),
                  h("span", null, "What you had not saved is here again."),
                  button("Discard it", () => draw(null), { kind: "small" }),
              )
            : null;

    function draw(draft) {
        const made = controls(withChanges(before, draft), facts, types, page.signal, isNew);
        const { parts, places, faults } = made;
        ({ values } = made);
        const above = h("div", { tabindex: -1 });
        const submit = h("button", { type: "submit", class: "primary" }, isNew ? "Make the endpoint" : "Save");
        const form = h(
            "form",
            { class: "form", novalidate: true },
            above,
            kept(draft),
            h("section", { class: "panel stack" }, parts.url, parts.description, parts.environments),
            h("section", { class: "panel stack" }, parts.events),
            h(
                "details",
                { class: "panel", open: FOLDED.some((each) => draft && each in draft) },
                h("summary", null, h("h2", null, "Secret, retries, headers")),
                h(
                    "div",
                    { class: "stack" },
                    parts.secret,
                    h("div", { class: "grid" }, parts.scheme, parts.timeout),
                    parts.retry,
                    parts.headers,
                    parts.notify_url,
                ),
            ),
            h(
                "div",
                { class: "row" },
                submit,
                h(
                    "a",
                    { class: "button", href: hook ? pageOf(hook) : "#/endpoints", onclick: (event) => (left = !opensElsewhere(event)) },
                    "Cancel",
                ),
            ),
        );
        form.addEventListener("submit", (event) => {
            event.preventDefault();
            submitted(form, places, above, submit, faults());
        });
        fill(page.root, h("p", { class: "crumb" }, h("a", { href: "#/endpoints" }, icon("back"), "Endpoints")), page.heading(title), form);
    }

    function submitted(form, places, above, submit, faults) {
        above.replaceChildren();
        Object.values(places).forEach((place) => place?.complain?.(""));
        if (faults.length) return complain(form, places, above, { details: faults });
        const given = values();
        return busy(submit, async () => {
            let made;
            try {
                made = await save(given, changesOf(before, given));
            } catch (error) {
                complain(form, places, above, error);
                return;
            }
            left = true;
            keepDraft(name, null);
            forget("/v1/webhooks");
            await done(made);
            if (!page.signal.aborted) location.hash = pageOf(made); /* else one has gone elsewhere meanwhile */
        });
    }

    draw(draftOf(name));
}

export async function newEndpoint(page) {
    await show(
        page,
        null,
        "New endpoint",
        ({ notify_url: told, ...rest }) => post("/v1/webhooks", told ? { ...rest, notify_url: told } : rest),
        (made) =>
            showSecret(
                made.secret,
                "The endpoint's secret",
                made.url,
                "Your receiver verifies with it that a request is from here. Copy it to where your receiver reads it.",
            ),
    );
}

export async function editEndpoint(page) {
    const path = apiOf(page.params);
    const hook = await get(path, null, page.signal);
    await show(
        page,
        hook,
        "Edit endpoint",
        (_, changes) => (Object.keys(changes).length ? patch(path, changes) : hook),
        (made) => toast(made === hook ? "Nothing was changed" : "Saved"),
    );
}
