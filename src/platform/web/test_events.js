/* Test events: choose, look, change, send, and watch what comes back. */
import { h, fill, icon, clipped, short } from "./dom.js";
import { get, post, catalogue, webhooks, info, forget, isBack } from "./api.js";
import {
    field,
    select,
    options,
    button,
    busy,
    errorBox,
    deliveryBadge,
    stateText,
    attemptBadge,
    endpointText,
    endpointChoices,
    empty,
    copyButton,
    table,
    time,
} from "./ui.js";
import { ms, away, count } from "./format.js";
import { draftOf, keepDraft } from "./drafts.js";
import { indent, fault, jsonView, textView, isJson } from "./json.js";

const ALL = "*"; /* to all that subscribe */
const MOST = 8; /* results that are kept in view */
const LARGE = 100000; /* characters of a payload, from which on it is checked when typing pauses, for so many ms */
const PAUSE = 400;

/* ---- the schema as a table ---- */
function resolve(schema, root) {
    const found = /^#\/\$defs\/(.+)$/.exec(schema?.$ref ?? "");
    return found ? { ...root.$defs?.[found[1]], ...schema } : (schema ?? {});
}

function typeText(schema) {
    if ("const" in schema) return JSON.stringify(schema.const);
    if (schema.enum) return short(schema.enum.map((each) => JSON.stringify(each)).join(" | "), 200);
    const type = [schema.type ?? "any"].flat().join(" | ");
    return schema.format ? `${type} (${schema.format})` : type;
}

function* properties(schema, root, path = "", depth = 0) {
    for (const [name, raw] of Object.entries(schema.properties ?? {})) {
        const each = resolve(raw, root);
        const at = path ? `${path}.${name}` : name;
        yield { at, depth, schema: each, required: (schema.required ?? []).includes(name) };
        if (depth < 6) yield* properties(each, root, at, depth + 1);
        const items = resolve(each.items, root);
        if (items.properties && depth < 6) yield* properties(items, root, `${at}[]`, depth + 1);
    }
}

function schemaView(schema) {
    const rows = [...properties(resolve(schema, schema), schema)].map((each) =>
        h(
            "tr",
            null,
            h(
                "th",
                { scope: "row", class: "mono", vars: { "--depth": String(each.depth) } },
                short(each.at, 90),
                each.required ? null : h("span", { class: "muted" }, " (optional)"),
            ),
            h(
                "td",
                null,
                h("code", null, typeText(each.schema)),
                each.schema.description ? h("p", { class: "hint" }, short(each.schema.description, 300)) : null,
            ),
        ),
    );
    return [
        h(
            "div",
            { class: "body-head" },
            h("h3", null, "Schema of the payload"),
            h("span", { class: "grow" }),
            copyButton(() => JSON.stringify(schema, null, 2), "Copy JSON Schema"),
        ),
        table(["Property", "What it is"], rows, { label: "Properties of the payload", class: "plain schema" }),
    ];
}

/* ---- the editor ---- */
function editor(onChange) {
    const area = h("textarea", {
        class: "editor",
        rows: 22,
        spellcheck: "false",
        autocomplete: "off",
        "aria-label": "Payload, JSON",
        "aria-describedby": "payload-check",
    });
    const check = h("p", { class: "verdict", id: "payload-check", role: "status" });
    let given = "";
    let timer = null;

    function judge() {
        clearTimeout(timer);
        const text = area.value;
        const wrong = fault(text);
        const edited = text !== given;
        check.dataset.kind = wrong ? "bad" : "ok";
        area.setAttribute("aria-invalid", String(Boolean(wrong)));
        if (wrong) fill(check, icon("warn"), h("span", null, `Line ${wrong.line}, column ${wrong.column}: ${short(wrong.message, 200)}`));
        else
            fill(
                check,
                icon("check"),
                h(
                    "span",
                    null,
                    edited ? "Valid JSON; goes out exactly as it stands here." : "As rendered; each send gets ids and times of its own.",
                ),
            );
        onChange({ wrong, edited });
    }

    /* To look through a large text at each key would make typing slow. */
    const later = () => {
        clearTimeout(timer);
        if (area.textLength <= LARGE) return judge();
        timer = setTimeout(judge, PAUSE);
        return undefined;
    };
    area.addEventListener("input", later);
    return {
        area,
        check,
        judge,
        set: (text) => {
            given = isJson(text) ? indent(text) : text;
            area.value = given;
            given = area.value; /* line breaks as the browser has them */
            judge();
        },
        change: (text) => {
            area.value = text;
            judge();
        },
        text: () => area.value,
        edited: () => area.value !== given,
    };
}

/* ---- what comes back ---- */
function answerOf(attempt) {
    const response = attempt.response;
    if (!response?.head) return attempt.error ? h("p", { class: "why" }, icon("warn"), h("span", null, clipped(attempt.error, 300))) : null;
    const first = h("p", { class: "first-line mono" }, clipped(response.head.split("\n")[0], 300));
    return [
        first,
        response.body
            ? isJson(response.body)
                ? jsonView(response.body, "Body of the answer")
                : textView(response.body, "Body of the answer")
            : null,
    ];
}

function result(id, signal) {
    const whole = h("li", { class: "card result", data: { id } }, h("p", { class: "muted" }, "Sent…"));
    let row = null;

    function draw() {
        const log = row.attempts_log ?? [];
        const last = log.at(-1);
        fill(
            whole,
            h(
                "div",
                { class: "card-head" },
                h("h3", { class: "mono cut" }, h("a", { href: `#/deliveries/${encodeURIComponent(row.id)}` }, short(row.type, 60))),
                deliveryBadge(row),
            ),
            h("p", { class: "muted cut" }, endpointText(row.url)),
            h(
                "p",
                null,
                stateText(row),
                row.state === "pending" && row.next_attempt_at ? `, ${away(row.next_attempt_at)}` : "",
                row.response_time_ms === null ? "" : ` · ${ms(row.response_time_ms)}`,
            ),
            log.length > 1
                ? h(
                      "ol",
                      { class: "tries" },
                      log.map((each) => h("li", null, attemptBadge(each), h("span", { class: "muted num" }, time(each.done_at)))),
                  )
                : null,
            last ? answerOf(last) : null,
        );
    }

    async function refresh() {
        try {
            row = await get(`/v1/deliveries/${encodeURIComponent(id)}`, null, signal);
            draw();
        } catch (error) {
            if (error.name !== "AbortError") fill(whole, errorBox(error, refresh));
        }
    }

    refresh();
    return { id, whole, refresh, pending: () => !row || row.state === "pending" };
}

/* ---- the page ---- */
/* Said before megabytes go out for nothing: in the request the payload is a text, with its quotes and line breaks escaped. */
function checkSize(body, most) {
    const size = new TextEncoder().encode(JSON.stringify(body)).length;
    if (size > most)
        throw new Error(
            `the payload is too large; as a text in the request, its quotes and line breaks escaped, it makes ${count(size)} bytes, and emit8 serve takes ${count(most)}`,
        );
}

async function send(to, type, environment, payload, most) {
    const rest = payload === null ? { environment } : { environment, payload };
    checkSize({ event: type, ...rest }, most);
    if (to === ALL) return (await post("/v1/events", { type, ...rest })).deliveries.map((each) => each.delivery_id);
    return [(await post(`/v1/webhooks/${encodeURIComponent(to)}/test`, { event: type, ...rest })).delivery_id];
}

export default async function testEvents(page) {
    const [types, known, facts] = await Promise.all([catalogue(), webhooks(), info()]);
    let hooks = known;
    if (!hooks.length) {
        fill(
            page.root,
            page.heading("Test events"),
            empty(
                "No endpoint to send to",
                "Make an endpoint first; then send it any event, signed and delivered exactly like a real one.",
                h("a", { class: "button primary", href: "#/endpoints/new" }, icon("plus"), h("span", null, "New endpoint")),
            ),
        );
        return;
    }
    const last = draftOf("test") ?? {}; /* where one has written something */
    const first = (known, ...wanted) => wanted.find((each) => known.includes(each)) ?? known[0];
    const targets = [...hooks.map(({ id }) => id), ALL];
    let wanted = page.query.get("webhook") ?? last.to ?? targets[0];
    const chosen = {
        to: targets.includes(wanted) ? wanted : null /* deleted meanwhile: nothing goes to another unasked */,
        type: first(
            types.map(({ type }) => type),
            page.query.get("type"),
            last.type,
            "message.received",
        ),
        environment: first(facts.environments, last.environment),
    };

    const results = h("ol", { class: "cards results" });
    const watched = [];
    const about = h("p", { class: "hint" });
    const trouble = h("div");
    const view = h("div");
    const broken = button("Send it broken", () => go(broken), { kind: "danger" });
    const submit = h("button", { type: "button", class: "primary" }, icon("test"), h("span", null, "Send"));
    const reset = button(
        "Render anew",
        () => {
            keepDraft(slot(), null);
            page.more = null;
            render();
        },
        { name: "retry" },
    );
    const permit = (wrong) => {
        submit.disabled = Boolean(wrong) || !chosen.to;
        broken.disabled = !chosen.to;
        broken.hidden = !wrong;
    };
    const edit = editor(({ wrong }) => permit(wrong));

    const tools = h(
        "div",
        { class: "row" },
        copyButton(() => edit.text()),
        reset,
    );

    /* Each type has a payload of its own, in each environment. */
    const slot = () => `test ${chosen.type} ${chosen.environment}`;
    let rendered = null; /* whose payload is in the editor */
    let sent = null; /* a text of one's own that has gone out: it is no draft any more */

    function keep() {
        if (rendered === null) return;
        const own = edit.edited() && edit.text() !== sent;
        keepDraft(rendered, own ? edit.text() : null);
        if (own) keepDraft("test", { ...chosen, to: chosen.to ?? wanted });
    }
    page.atEnd(keep);
    page.kept = () => (sent !== null && edit.text() === sent ? { slot: rendered, text: sent } : null); /* for who comes back */

    /* What goes out: as it stands here, or rendered by the server. A payload that has not come yet is not the one of the type before. */
    function payload() {
        if (rendered !== slot()) return draftOf(slot());
        return edit.edited() ? edit.text() : null;
    }

    let turn = 0;
    async function render() {
        const own = ++turn;
        try {
            const made = await post(
                `/v1/events/${encodeURIComponent(chosen.type)}/preview`,
                { environment: chosen.environment },
                page.signal,
            );
            if (own !== turn) return;
            trouble.replaceChildren();
            edit.set(made.body);
            rendered = slot();
            sent = page.more?.slot === rendered ? page.more.text : null;
            const written = draftOf(rendered) ?? sent;
            if (written !== null) edit.change(written);
        } catch (error) {
            if (error.name !== "AbortError") fill(trouble, errorBox(error, render));
        }
    }

    const current = () => types.find((each) => each.type === chosen.type);

    function drawTab(tab) {
        tools.hidden = tab === "schema";
        if (tab === "schema") fill(view, schemaView(current().schema));
        else fill(view, edit.area, edit.check);
    }

    function change(part) {
        keep();
        Object.assign(chosen, part);
        if (part.to) wanted = part.to;
        const query = new URLSearchParams({ webhook: chosen.to ?? wanted, type: chosen.type });
        history.replaceState(history.state, "", `#/test?${query}`);
        drawAbout();
        if ("to" in part) drawTargets();
        else render();
        if ("type" in part) drawTab(tabs.querySelector(":checked").value);
    }

    function drawAbout() {
        const hook = hooks.find((each) => each.id === chosen.to);
        const off = hook && !hook.enabled ? " The endpoint is disabled; a test goes out all the same." : "";
        const all = chosen.to === ALL ? " A real event: all enabled endpoints that subscribe get it." : "";
        fill(
            about,
            `${current().description.charAt(0).toUpperCase()}${current().description.slice(1)}.${off}${all}`,
        );
    }

    /* What has been sent stays in the editor, and is not offered as unsent. */
    function noDraft(from, text) {
        if (draftOf(from) === text) keepDraft(from, null);
        if (from === rendered) sent = text;
    }

    async function go(control) {
        await busy(control, async () => {
            let ids;
            const given = payload();
            const from = slot();
            try {
                ids = await send(chosen.to, chosen.type, chosen.environment, given, facts.limits.body_bytes);
            } catch (error) {
                if (error.status === 401) return;
                fill(trouble, errorBox(error));
                return;
            }
            trouble.replaceChildren();
            if (!ids.length)
                fill(
                    trouble,
                    h(
                        "p",
                        { class: "why" },
                        icon("warn"),
                        h("span", null, "Accepted, but no enabled endpoint takes this type in this environment."),
                    ),
                );
            else if (given !== null) noDraft(from, given);
            ids.forEach(watch);
        });
        permit(fault(edit.text()));
    }
    submit.addEventListener("click", () => go(submit));

    function watch(id) {
        const made = result(id, page.signal);
        watched.unshift(made);
        if (watched.length === 1) results.replaceChildren();
        results.prepend(made.whole);
        while (watched.length > MOST) watched.pop().whole.remove();
    }

    const tabs = h(
        "fieldset",
        { class: "segments" },
        h("legend", { class: "away" }, "Payload or schema"),
        [
            ["payload", "Payload"],
            ["schema", "Schema"],
        ].map(([key, word]) =>
            h(
                "label",
                null,
                h("input", { type: "radio", name: "test-view", value: key, checked: key === "payload", onchange: () => drawTab(key) }),
                h("span", null, word),
            ),
        ),
    );
    const pick = (name, list) => select(list, chosen[name], { onchange: (event) => change({ [name]: event.target.value }) });
    const to = pick("to", []);
    const toField = field("Endpoint", to);

    function drawTargets() {
        const nobody = chosen.to ? null : h("option", { value: "", selected: true, disabled: true }, "Choose an endpoint");
        const names = endpointChoices(hooks);
        const list = [
            ...hooks.map((hook, i) => [hook.id, `${names[i]}${hook.enabled ? "" : " (disabled)"}`]),
            [ALL, "All that subscribe (a real event)"],
        ];
        fill(to, nobody, options(list, chosen.to));
        toField.complain(chosen.to ? "" : "Choose an endpoint: the one chosen before was deleted.");
        if (chosen.to) submit.removeAttribute("aria-describedby");
        else submit.setAttribute("aria-describedby", `${to.id}-wrong`);
        permit(fault(edit.text()));
    }

    /* They change while the page is open. Of one that is gone what was written stays. */
    async function look() {
        const now = await webhooks();
        if (JSON.stringify(now) === JSON.stringify(hooks)) return;
        hooks = now;
        if (chosen.to !== ALL && !hooks.some((hook) => hook.id === chosen.to)) chosen.to = null;
        drawTargets();
        drawAbout();
    }
    fill(
        page.root,
        page.heading("Test events"),
        h(
            "div",
            { class: "split wide-first" },
            h(
                "section",
                { class: "panel stack" },
                h(
                    "div",
                    { class: "grid choices" },
                    toField,
                    field(
                        "Type",
                        pick(
                            "type",
                            types.map((each) => [each.type, each.type]),
                        ),
                    ),
                    field(
                        "Environment",
                        pick(
                            "environment",
                            facts.environments.map((name) => [name, name]),
                        ),
                    ),
                ),
                about,
                h("div", { class: "body-head" }, tabs, h("span", { class: "grow" }), tools),
                view,
                trouble,
                h("div", { class: "row" }, submit, broken),
            ),
            h("section", { class: "stack" }, h("h2", null, "Answers"), results),
        ),
    );
    fill(results, h("li", { class: "muted" }, "Nothing sent yet. Answers appear here as they arrive."));
    broken.hidden = true;
    drawTargets();
    drawAbout();
    drawTab("payload");
    await render();

    page.on((name, data) => {
        if (name === "delivery") watched.find((each) => each.id === data.id)?.refresh();
        if (isBack(name, data)) forget("/v1/webhooks");
        if (name === "webhook" || isBack(name, data)) look().catch(() => {}); /* the next time */
    });
    page.every(1000, () => watched.filter((each) => each.pending()).forEach((each) => each.refresh()));
}
