/* One delivery: what was sent, what came back, when, and why its signature is what it is. */
import { h, fill, icon, clipped, short } from "./dom.js";
import { get, post } from "./api.js";
import {
    deliveryBadge,
    kindTag,
    attemptBadge,
    stateText,
    time,
    fact,
    code,
    button,
    busy,
    copyButton,
    errorBox,
    outcomeText,
} from "./ui.js";
import { ms, span, stamp, away, bytes, plural } from "./format.js";
import { jsonView, textView, isJson } from "./json.js";

const PHASES = [
    ["dns_ms", "name looked up", "dns"],
    ["connect_ms", "connected", "connect"],
    ["tls_ms", "TLS", "tls"],
    ["first_byte_ms", "waited for the first byte", "wait"],
];
const TRIGGERS = {
    event: "the first attempt",
    retry: "a retry",
    stale: "the connection had been closed",
    resend: "sent again by hand",
    test: "a test event",
    duplicate: "a copy",
    replay: "a replay",
};

/* ---- the time-line ---- */
const at = (iso) => Date.parse(iso);

function extent(row) {
    const log = row.attempts_log;
    const from = Math.min(at(row.created_at), ...log.map((each) => at(each.due_at ?? each.sent_at)));
    const ends = [...log.map((each) => at(each.done_at)), row.state === "pending" ? at(row.next_attempt_at ?? row.created_at) : 0].filter(
        (each) => !Number.isNaN(each),
    );
    return { from, to: Math.max(from + 1, ...ends) };
}

/* All attempts where they lie in time, and the one that is due. */
function rail(row, chosen, choose) {
    const { from, to } = extent(row);
    const place = (moment) => `${((100 * (moment - from)) / (to - from)).toFixed(3)}%`;
    const marks = row.attempts_log.map((each) =>
        h(
            "button",
            {
                type: "button",
                class: "mark",
                "aria-pressed": String(each === chosen),
                data: { kind: each.outcome === "delivered" ? "ok" : "bad" },
                vars: {
                    "--at": place(at(each.sent_at ?? each.due_at)),
                    "--size": place(from + (at(each.done_at) - at(each.sent_at ?? each.due_at))),
                },
                title: `Attempt ${each.number}, ${stamp(each.sent_at ?? each.due_at)}`,
                "aria-label": `Attempt ${each.number}: ${each.status ?? outcomeText(each.outcome)}, after ${span(at(each.due_at ?? each.sent_at) - from)}`,
                onclick: () => choose(each),
            },
            h("span", null, String(each.number)),
        ),
    );
    const next =
        row.state === "pending" && row.next_attempt_at
            ? h("span", {
                  class: "mark",
                  data: { kind: "next" },
                  vars: { "--at": place(at(row.next_attempt_at)) },
                  title: `Next attempt, ${stamp(row.next_attempt_at)}`,
              })
            : null;
    return h(
        "div",
        { class: "rail" },
        h("div", { class: "rail-line" }, marks, next),
        h(
            "div",
            { class: "rail-ends" },
            h("span", null, stamp(new Date(from).toISOString())),
            h("span", null, to - from < 1000 ? `${Math.round(to - from)} ms in all` : `${span(to - from)} in all`),
            h(
                "span",
                null,
                row.state === "pending" && row.next_attempt_at ? `next ${away(row.next_attempt_at)}` : stamp(new Date(to).toISOString()),
            ),
        ),
    );
}

/* Phases are told from the start of the exchange. */
function phasesOf(attempt) {
    const out = [];
    let before = 0;
    for (const [name, text, key] of PHASES) {
        const value = attempt.phases?.[name];
        if (value === null || value === undefined || value < before) continue;
        out.push({ text, key, size: value - before });
        before = value;
    }
    const rest = (attempt.service_time_ms ?? attempt.response_time_ms ?? 0) - before;
    if (rest > 0)
        out.push({ text: attempt.status ? "read the rest" : "waited in vain", key: attempt.status ? "rest" : "wait", size: rest });
    return out;
}

function waterfall(attempt, longest) {
    const phases = phasesOf(attempt);
    const share = (size) => `${((100 * size) / longest).toFixed(3)}%`;
    return h(
        "span",
        { class: "waterfall", "aria-hidden": "true" },
        phases.map((phase) =>
            h("span", { data: { phase: phase.key }, vars: { "--size": share(phase.size) }, title: `${phase.text}: ${ms(phase.size)}` }),
        ),
    );
}

function attemptItem(attempt, before, longest, chosen, choose) {
    const gap = before ? at(attempt.due_at ?? attempt.sent_at) - at(before.done_at) : 0;
    return h(
        "li",
        null,
        before ? h("p", { class: "gap" }, `${gap < 1000 ? `${Math.max(0, Math.round(gap))} ms` : span(gap)} later`) : null,
        h(
            "button",
            { type: "button", class: "attempt", "aria-pressed": String(attempt === chosen), onclick: () => choose(attempt) },
            h("span", { class: "attempt-number" }, `#${attempt.number}`),
            attemptBadge(attempt),
            h("span", { class: "attempt-time" }, stamp(attempt.sent_at ?? attempt.due_at)),
            h("span", { class: "attempt-long num" }, ms(attempt.response_time_ms)),
            waterfall(attempt, longest),
            attempt.error ? h("span", { class: "attempt-error" }, short(attempt.error, 200)) : null,
        ),
    );
}

function attemptsPanel(row, chosen, choose) {
    const log = row.attempts_log;
    const longest = Math.max(0.001, ...log.map((each) => phasesOf(each).reduce((sum, phase) => sum + phase.size, 0)));
    const keys = new Set(log.flatMap((each) => phasesOf(each).map((phase) => phase.key)));
    const names = [...PHASES.map(([, text, key]) => [key, text]), ["rest", "read the rest"]].filter(([key]) => keys.has(key));
    return h(
        "section",
        { class: "panel" },
        h(
            "div",
            { class: "panel-head" },
            h("h2", null, "Attempts"),
            names.length
                ? h(
                      "ul",
                      { class: "legend" },
                      names.map(([key, text]) => h("li", { data: { phase: key } }, text)),
                  )
                : null,
        ),
        log.length
            ? [
                  rail(row, chosen, choose),
                  h(
                      "ol",
                      { class: "attempts" },
                      log.map((each, i) => attemptItem(each, log[i - 1], longest, chosen, choose)),
                  ),
              ]
            : h("p", { class: "muted" }, "Nothing was sent yet. The first attempt shows up here by itself."),
        row.attempts > log.length && log.length
            ? h("p", { class: "muted" }, `Only the last ${log.length} of ${plural(row.attempts, "attempt")} are kept.`)
            : null,
    );
}

/* ---- request and response ---- */
function headLines(head) {
    const [first, ...lines] = String(head ?? "")
        .replace(/\n+$/, "")
        .split("\n");
    return {
        first,
        fields: lines
            .filter((line) => line !== "" && line !== "\r")
            .map((line) =>
                line.indexOf(":") < 0 ? [line, ""] : [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()],
            ),
    };
}

const headerOf = (head, name) => headLines(head).fields.find(([each]) => each.toLowerCase() === String(name).toLowerCase())?.[1];

function headView(head, marked = null) {
    const { first, fields } = headLines(head);
    return [
        h("p", { class: "first-line mono" }, clipped(first, 400)),
        h(
            "dl",
            { class: "headers" },
            fields.map(([name, value]) =>
                h(
                    "div",
                    { data: { marked: marked && name.toLowerCase() === marked.toLowerCase() ? "" : null } },
                    h("dt", null, short(name)),
                    h("dd", null, clipped(value, 300)),
                ),
            ),
        ),
    ];
}

/* Pretty or exact. */
function bodyView(text, label, copyLabel) {
    const place = h("div");
    const pretty = isJson(text);
    const show = (how) => fill(place, how === "pretty" ? jsonView(text, label) : textView(text, label));
    const name = `view-${Math.random().toString(36).slice(2)}`;
    const switcher = pretty
        ? h(
              "fieldset",
              { class: "segments small" },
              h("legend", { class: "away" }, `${label}: how to show it`),
              [
                  ["pretty", "Pretty"],
                  ["exact", "Exact"],
              ].map(([key, word]) =>
                  h(
                      "label",
                      null,
                      h("input", { type: "radio", name, value: key, checked: key === "pretty", onchange: () => show(key) }),
                      h("span", null, word),
                  ),
              ),
          )
        : null;
    show(pretty ? "pretty" : "exact");
    return [
        h(
            "div",
            { class: "body-head" },
            h("h3", null, label),
            h("span", { class: "muted" }, bytes(new TextEncoder().encode(text).length)),
            h("span", { class: "grow" }),
            switcher,
            copyButton(text, copyLabel),
        ),
        place,
    ];
}

function requestPanel(row, attempt) {
    return h(
        "section",
        { class: "panel" },
        h(
            "div",
            { class: "panel-head" },
            h("h2", null, attempt ? `Request of attempt ${attempt.number}` : "Request"),
            attempt ? copyButton(attempt.request?.head ?? "", "Copy headers") : null,
        ),
        attempt?.request?.head ? headView(attempt.request.head, row.signature?.header) : null,
        bodyView(row.payload ?? "", "Payload", "Copy payload"),
    );
}

function hexOf(base64) {
    const text = atob(base64);
    const lines = [];
    for (let i = 0; i < text.length && i < 4096; i += 16) {
        const piece = [...text.slice(i, i + 16)].map((c) => c.charCodeAt(0));
        const hex = piece.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
        lines.push(
            `${i.toString(16).padStart(6, "0")}  ${hex.padEnd(47)}  ${piece.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : ".")).join("")}`,
        );
    }
    return lines.join("\n");
}

function hexView(base64) {
    const view = textView(hexOf(base64), "Body of the response, as bytes");
    view.classList.add("as-bytes");
    return view;
}

function responseBody({ body, body_base64: base64, length, truncated }) {
    const cutOff = truncated ? h("p", { class: "muted" }, `The receiver sent ${bytes(length)}; only the beginning is kept.`) : null;
    if (base64)
        return [
            h("div", { class: "body-head" }, h("h3", null, "Body"), h("span", { class: "muted" }, "not text")),
            hexView(base64),
            cutOff,
        ];
    if (!body) return h("p", { class: "muted" }, length ? "The body was not kept." : "No body.");
    return [bodyView(body, "Body", "Copy body"), cutOff];
}

function responsePanel(attempt) {
    const response = attempt.response;
    const text = response?.head
        ? null
        : `${attempt.error ? `${attempt.error.charAt(0).toUpperCase()}${attempt.error.slice(1)}.` : "Nothing came back."}`;
    return h(
        "section",
        { class: "panel" },
        h(
            "div",
            { class: "panel-head" },
            h("h2", null, `Response to attempt ${attempt.number}`),
            h("span", { class: "muted" }, `${ms(attempt.response_time_ms)}; ${TRIGGERS[attempt.trigger] ?? short(attempt.trigger)}`),
        ),
        attempt.error && response?.head ? h("p", { class: "why" }, icon("warn"), h("span", null, clipped(attempt.error, 400))) : null,
        text ? h("p", { class: "why" }, icon("warn"), h("span", null, clipped(text, 400))) : headView(response.head),
        response?.head ? responseBody(response) : null,
        h(
            "dl",
            { class: "facts" },
            fact("Due", time(attempt.due_at)),
            fact("Sent", time(attempt.sent_at)),
            fact("Done", time(attempt.done_at)),
            fact("Service time", ms(attempt.service_time_ms)),
            fact("Send lag", ms(attempt.send_lag_ms)),
        ),
    );
}

/* ---- the signature ---- */
const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

async function signBody(secret, body) {
    const bytesOf = (text) => new TextEncoder().encode(text);
    const key = await crypto.subtle.importKey("raw", bytesOf(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    return hex(await crypto.subtle.sign("HMAC", key, bytesOf(body)));
}

/* Schemes that sign the body alone can be tried here. */
function tryOut(row, sent) {
    if (!sent?.startsWith("sha256=") || !globalThis.crypto?.subtle) return null;
    const input = h("input", {
        type: "password",
        autocomplete: "new-password",
        spellcheck: "false",
        "aria-label": "The endpoint's secret",
        placeholder: "the endpoint's secret",
    });
    const verdict = h("p", { class: "verdict", role: "status" });
    const form = h("form", { class: "row" }, input, h("button", { type: "submit" }, "Verify here"));
    form.addEventListener("submit", async (event) => {
        event.preventDefault();
        const right = input.value !== "" && `sha256=${await signBody(input.value, row.payload)}` === sent;
        verdict.dataset.kind = right ? "ok" : "bad";
        fill(
            verdict,
            icon(right ? "check" : "cross"),
            h(
                "span",
                null,
                right
                    ? "The signature is that of this secret and this payload."
                    : "Not the signature of this secret: is it the endpoint's, and was it rotated since?",
            ),
        );
    });
    return h("div", { class: "try" }, form, h("p", { class: "hint" }, "The secret does not leave this page."), verdict);
}

function signaturePanel(row, attempt) {
    const { scheme, header, signed, algorithm } = row.signature ?? {};
    if (!header) return null;
    const sent = attempt ? headerOf(attempt.request?.head, header) : null;
    return h(
        "section",
        { class: "panel" },
        h("div", { class: "panel-head" }, h("h2", null, icon("shield"), " Signature"), h("span", { class: "muted" }, short(scheme ?? ""))),
        h(
            "ol",
            { class: "steps" },
            h("li", null, "Take ", h("strong", null, clipped(signed ?? "what is signed", 300)), ", before anything parses it."),
            h("li", null, "Sign it with the endpoint's secret: ", h("strong", null, clipped(algorithm ?? "HMAC", 300)), "."),
            h(
                "li",
                null,
                "Compare it with the header ",
                code(header),
                ", in constant time. They are the same, or the request is not from the platform.",
            ),
        ),
        sent ? h("div", { class: "secret-box" }, h("code", null, clipped(sent, 400)), copyButton(sent)) : null,
        tryOut(row, sent),
    );
}

function curlPanel(row) {
    if (!row.curl) return null;
    return h(
        "details",
        { class: "panel" },
        h("summary", null, h("h2", null, "As curl")),
        textView(row.curl, "The request as a curl command"),
        h("p", { class: "hint" }, "With the signature as it was sent. It holds no secret."),
    );
}

/* ---- the page ---- */
function facts(row) {
    const filter = (name, value, text = value) =>
        h("a", { href: `#/deliveries?${new URLSearchParams({ [name]: value })}` }, short(text, 90));
    return h(
        "dl",
        { class: "facts panel" },
        fact("State", row.state === "pending" && row.next_attempt_at ? `${stateText(row)}, ${away(row.next_attempt_at)}` : stateText(row)),
        fact("Created", time(row.created_at)),
        fact("Type", filter("type", row.type)),
        fact(
            "Endpoint",
            row.webhook_deleted
                ? h("span", { class: "muted" }, row.url ? [clipped(row.url, 200), " (deleted)"] : "deleted")
                : h("a", { href: `#/endpoints/${encodeURIComponent(row.webhook_id)}` }, clipped(row.url, 200)),
        ),
        fact("Environment", short(row.environment)),
        fact("Kind", row.test ? "Test event" : row.run_id ? "Of a scenario run" : "Real event"),
        row.run_id ? fact("Run", code(row.run_id), filter("run", row.run_id, "all deliveries of it")) : null,
        fact(
            "Event",
            code(row.event_id),
            copyButton(row.event_id, "", "quiet small icon-only"),
            filter("event", row.event_id, "all deliveries of it"),
        ),
        fact("Delivery", code(row.id), copyButton(row.id, "", "quiet small icon-only")),
        row.error ? fact("Error", clipped(row.error, 400)) : null,
    );
}

export default async function delivery(page) {
    const path = `/v1/deliveries/${encodeURIComponent(page.params.id)}`;
    let row = await get(path, null, page.signal);
    let number = null; /* of the attempt that is looked at; null: the last */

    function draw() {
        const log = (row.attempts_log ??= []);
        const chosen = log.find((each) => each.number === number) ?? log.at(-1) ?? null;
        const choose = (attempt) => {
            number = attempt.number;
            draw();
            page.root.querySelector(".attempt[aria-pressed=true]")?.focus({ preventScroll: true });
        };
        const again = button("Resend", () => busy(again, resend), {
            name: "retry",
            disabled: row.webhook_deleted,
            title: row.webhook_deleted ? "Its endpoint is deleted" : null,
        });
        fill(
            page.root,
            h("p", { class: "crumb" }, h("a", { href: "#/deliveries" }, icon("back"), "Deliveries")),
            heading(again),
            facts(row),
            h(
                "div",
                { class: "split" },
                h("div", { class: "stack" }, attemptsPanel(row, chosen, choose), chosen ? responsePanel(chosen) : null),
                h("div", { class: "stack" }, requestPanel(row, chosen), signaturePanel(row, chosen), curlPanel(row)),
            ),
        );
    }

    function heading(again) {
        const whole = page.heading(row.type, row.curl ? copyButton(row.curl, "Copy as curl", "") : null, again);
        whole.firstChild.classList.add("mono", "cut");
        whole.firstChild.after(deliveryBadge(row));
        const tag = kindTag(row);
        if (tag) whole.firstChild.after(tag);
        return whole;
    }

    async function resend() {
        await post(`${path}/resend`);
        number = null;
        await refresh();
    }

    async function refresh() {
        try {
            const next = await get(path, null, page.signal);
            if (JSON.stringify(next) === JSON.stringify(row)) return;
            row = next;
            draw();
        } catch (error) {
            if (error.name !== "AbortError") fill(page.root, errorBox(error, refresh));
        }
    }

    draw();
    page.on((name, data) => {
        if (name === "delivery" && data.id === row.id) refresh();
        else if (name === "many" || (name === "state" && data === "live")) refresh();
    });
    page.every(2000, () => row.state === "pending" && refresh());
}
