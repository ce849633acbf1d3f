/* One delivery: what was sent, what came back, when, and why its signature is what it is. */
import { h, fill, append, icon, clipped, short } from "./dom.js";
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
    errorText,
} from "./ui.js";
import { ms, span, stamp, away, bytes, plural, mostlyWaited, zone } from "./format.js";
import { jsonView, textView, isJson } from "./json.js";
import { logAddress } from "./deliveries.js";

/* What a response time is made of, in order. */
const PARTS = {
    lag: "waited to be sent",
    dns: "looked the name up",
    connect: "connected",
    tls: "shook hands (TLS)",
    vain: "tried to connect",
    wait: "waited for the answer",
    rest: "read the answer",
};
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
    const from = Math.min(at(row.created_at), ...log.map((each) => at(each.due_at)));
    const ends = [...log.map((each) => at(each.done_at)), row.state === "pending" ? at(row.next_attempt_at ?? row.created_at) : 0].filter(
        (each) => !Number.isNaN(each),
    );
    return { from, to: Math.max(from + 1, ...ends) };
}

const ROOM = 12; /* marks beside each other, on a phone */

/* All attempts where they lie in time, and the one that is due. */
function rail(row, chosen, choose) {
    const { from, to } = extent(row);
    const place = (moment) => `${((100 * (moment - from)) / (to - from)).toFixed(3)}%`;
    const isDue = row.state === "pending" && row.next_attempt_at;
    const all = row.attempts_log.length + (isDue ? 1 : 0);
    /* What lies close in time stands beside each other, as long as there is room for all. */
    const among = (i) => (all > ROOM ? { "--before": "0", "--from-here": "1" } : { "--before": String(i), "--from-here": String(all - i) });
    const marks = row.attempts_log.map((each, i) =>
        h(
            "button",
            {
                type: "button",
                class: "mark",
                "aria-pressed": String(each === chosen),
                data: { kind: each.outcome === "delivered" ? "ok" : "bad" },
                vars: {
                    ...among(i),
                    "--at": place(at(each.due_at)),
                    "--size": place(from + (at(each.done_at) - at(each.due_at))),
                },
                title: `Attempt ${each.number}, due ${stamp(each.due_at)}`,
                "aria-label": `Attempt ${each.number}: ${each.status ?? outcomeText(each.outcome)}, due after ${span(at(each.due_at) - from)}`,
                onclick: () => choose(each),
            },
            h("span", null, String(each.number)),
        ),
    );
    const next = isDue
        ? h("span", {
              class: "mark",
              data: { kind: "next" },
              vars: { ...among(all - 1), "--at": place(at(row.next_attempt_at)) },
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
                isDue ? `next ${away(row.next_attempt_at)}` : stamp(new Date(to).toISOString()),
            ),
        ),
    );
}

/* There was no connection to send it over. */
const isUnsent = ({ service_time_ms: service, response }) => service === 0 && !response;

/* Together they are the response time, from due to done. All before `wait` is send lag, the rest is service time. Phases are told from the
 * start of the exchange, which is before its first byte is sent where it needed a connection. */
function partsOf(attempt) {
    const { response_time_ms: response, service_time_ms: service, phases } = attempt;
    const total = Math.min(phases.total_ms ?? response, response);
    const made = Math.max(0, total - service);
    const out = [{ key: "lag", size: response - total }];
    let before = 0;
    for (const key of ["dns", "connect", "tls"]) {
        const value = Math.min(phases[`${key}_ms`] ?? 0, made);
        if (value <= before) continue;
        out.push({ key, size: value - before });
        before = value;
    }
    if (isUnsent(attempt)) out.push({ key: "vain", size: made - before });
    else out.at(-1).size += made - before;
    const first = phases.first_byte_ms === null ? service : Math.min(Math.max(0, phases.first_byte_ms - made), service);
    out.push({ key: "wait", size: first }, { key: "rest", size: service - first });
    return out.filter(({ size }) => size > 0);
}

function waterfall(attempt, longest) {
    const share = (size) => `${((100 * size) / longest).toFixed(3)}%`;
    return h(
        "span",
        { class: "waterfall", "aria-hidden": "true" },
        partsOf(attempt).map(({ key, size }) =>
            h("span", { data: { phase: key }, vars: { "--size": share(size) }, title: `${PARTS[key]}: ${ms(size)}` }),
        ),
    );
}

function attemptItem(attempt, before, longest, chosen, choose) {
    const gap = before ? at(attempt.due_at) - at(before.done_at) : 0;
    return h(
        "li",
        null,
        before ? h("p", { class: "gap" }, `${gap < 1000 ? `${Math.max(0, Math.round(gap))} ms` : span(gap)} later`) : null,
        h(
            "button",
            { type: "button", class: "attempt", "aria-pressed": String(attempt === chosen), onclick: () => choose(attempt) },
            h("span", { class: "attempt-number" }, `#${attempt.number}`),
            attemptBadge(attempt),
            h("span", { class: "attempt-time" }, stamp(attempt.due_at)),
            h("span", { class: "attempt-long num", title: "Response time: from due to done" }, ms(attempt.response_time_ms)),
            waterfall(attempt, longest),
            h(
                "span",
                { class: "attempt-note" },
                `${ms(attempt.send_lag_ms)} send lag + ${ms(attempt.service_time_ms)} service time${isUnsent(attempt) ? ": nothing was sent" : ""}`,
            ),
            attempt.signed_with === "previous" ? h("span", { class: "attempt-note" }, "signed with the secret from before the rotation") : null,
            attempt.tampered ? h("span", { class: "attempt-note" }, `changed on purpose: ${short(attempt.tampered.how, 200)}`) : null,
            errorText(attempt) ? h("span", { class: "attempt-note" }, short(errorText(attempt), 200)) : null,
        ),
    );
}

/* Attempts that have begun and of which nothing has come back, but for one that is under way. */
function lostOf(row) {
    const underWay = row.state === "pending" && !row.waiting_for ? row.attempts : 0;
    return row.unknown_attempts.filter((number) => number !== underWay);
}

/* Why there is no attempt to be shown. */
function noAttempt(row) {
    if (row.attempts > row.unknown_attempts.length) return "Its attempts are not kept any more.";
    const lost = lostOf(row).length > 0;
    const nothing = lost ? "No answer is known" : "Nothing was sent";
    if (row.waiting_for) return `${nothing} yet: it waits until its endpoint is enabled.`;
    if (row.state !== "cancelled") return `${nothing} yet. The ${lost ? "next" : "first"} attempt shows up here by itself.`;
    return [
        row.run_id ? "No attempt is known. If one was under way when the run ended, it may have arrived." : `${nothing}.`,
        row.webhook_deleted ? "" : ` Resend sends it${lost ? " again" : ""}.`,
    ];
}

/* Why it is not sent, of one that was cancelled. What the run has to say comes first: its endpoint may have been deleted later. Older
 * versions left the last attempt's error where an endpoint was deleted. */
const whyCancelled = ({ error, run_id: run, webhook_deleted: deleted }) => (deleted && !run ? "its endpoint was deleted" : error);

/* What went wrong, or stopped it: one fact, since there is one reason. */
function reason(row) {
    const why = row.state === "cancelled" ? whyCancelled(row) : null;
    if (why) return fact("Reason", clipped(why, 400));
    return row.error ? fact("Error", clipped(errorText(row) ?? `the receiver answered ${row.status}: ${outcomeText(row.outcome)}`, 400)) : null;
}

function lostNote(row) {
    const lost = lostOf(row);
    if (lost.length === 0) return null;
    const [which, what] =
        lost.length === 1 ? [`Attempt ${lost[0]} was`, "it"] : [`Attempts ${lost.join(", ")} were`, "them"];
    return h(
        "p",
        { class: "note" },
        icon("warn"),
        h("span", null, `${which} under way when emit8 ended: whether the receiver got ${what} is not known.`),
    );
}

function attemptsPanel(row, chosen, choose) {
    const log = row.attempts_log;
    const longest = Math.max(0.001, ...log.map((each) => each.response_time_ms));
    const keys = new Set(log.flatMap((each) => partsOf(each).map(({ key }) => key)));
    const names = Object.entries(PARTS).filter(([key]) => keys.has(key));
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
            : h("p", { class: "muted" }, noAttempt(row)),
        lostNote(row),
        row.attempts > log.length + row.unknown_attempts.length && log.length
            ? h("p", { class: "muted" }, `Only the last ${log.length} of ${plural(row.attempts, "attempt")} are shown.`)
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

/* Bodies as the API tells them: text, bytes, or only the beginning. */
function bodyParts({ body, body_base64: base64, length, truncated }, label, rest) {
    const cutOff = truncated ? h("p", { class: "muted" }, `${rest} ${bytes(length)}; only the beginning is kept.`) : null;
    if (base64)
        return [
            h("div", { class: "body-head" }, h("h3", null, label), h("span", { class: "muted" }, `${bytes(length)}, not text`)),
            hexView(base64, label),
            cutOff,
        ];
    if (!body) return h("p", { class: "muted" }, length ? "The body was not kept." : "No body.");
    return [bodyView(body, label, `Copy ${label.toLowerCase()}`), cutOff];
}

/* What a scenario changed, and what it was before. */
function changed(row, { how, forged, sent }) {
    const note = h(
        "p",
        { class: "why" },
        icon("warn"),
        h(
            "span",
            null,
            "Changed on purpose by the scenario: ",
            clipped(how, 300),
            forged ? ". The signature is meant not to fit; a receiver should refuse this." : ". The signature fits what was sent.",
            " Resend sends it unchanged.",
        ),
    );
    if (!sent) return [note, bodyView(row.payload, "Payload", "Copy payload")];
    const before = h("details", null, h("summary", null, "The payload before the change"));
    before.addEventListener("toggle", () => {
        if (before.open && before.children.length === 1) append(before, bodyView(row.payload, "Payload before the change", "Copy payload"));
    });
    return [note, bodyParts(sent, "Body as sent", "The body had"), before];
}

function requestPanel(row, attempt) {
    return h(
        "section",
        { class: "panel" },
        h(
            "div",
            { class: "panel-head" },
            h("h2", null, attempt ? `Request of attempt ${attempt.number}${isUnsent(attempt) ? ", which was not sent" : ""}` : "Request"),
            attempt ? copyButton(attempt.request?.head ?? "", "Copy headers") : null,
        ),
        attempt?.request?.head ? headView(attempt.request.head, row.signature?.header) : null,
        attempt?.tampered ? changed(row, attempt.tampered) : bodyView(row.payload ?? "", "Payload", "Copy payload"),
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

function hexView(base64, label) {
    const view = textView(hexOf(base64), `${label}, as bytes`);
    view.classList.add("as-bytes");
    return view;
}

/* What a receiver made of a signature that does not fit. */
function judged({ tampered, status }) {
    if (!tampered?.forged || !status) return null;
    if (status >= 200 && status < 300)
        return h("p", { class: "why" }, icon("warn"), h("span", null, "Accepted, although the signature does not fit. Does the receiver verify it?"));
    return [400, 401, 403].includes(status)
        ? h("p", { class: "verdict", data: { kind: "ok" } }, icon("check"), h("span", null, "Refused, as it should be: the signature does not fit."))
        : null;
}

/* In the terms of the reports; what they are stands beside them. */
function timeFacts(attempt) {
    const connecting = partsOf(attempt)
        .filter(({ key }) => ["dns", "connect", "tls", "vain"].includes(key))
        .reduce((sum, { size }) => sum + size, 0);
    const first = partsOf(attempt).find(({ key }) => key === "wait");
    const long = (name, about, value, more = null) =>
        fact(`${name} (${about})`, ms(value), more ? h("span", { class: "muted" }, more) : null);
    return h(
        "dl",
        { class: "facts" },
        fact("Due", time(attempt.due_at)),
        fact("Sent", isUnsent(attempt) ? "no: there was no connection" : time(attempt.sent_at)),
        fact("Done", time(attempt.done_at)),
        long("Response time", "due to done", attempt.response_time_ms),
        long("Send lag", "due to sent", attempt.send_lag_ms, connecting ? `of it ${ms(connecting)} connecting` : null),
        long("Service time", "sent to done", attempt.service_time_ms, attempt.status && first ? `first byte after ${ms(first.size)}` : null),
    );
}

function waitedNote(attempt) {
    const waited = partsOf(attempt).find(({ key }) => key === "lag")?.size ?? 0;
    return mostlyWaited(attempt.response_time_ms, waited)
        ? h("p", { class: "note" }, icon("clock"), h("span", null, `Of the ${ms(attempt.response_time_ms)}, emit8 waited ${ms(waited)} before it sent: that is not the receiver's time.`))
        : null;
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
            h("span", { class: "muted" }, `after ${ms(attempt.response_time_ms)}; ${TRIGGERS[attempt.trigger] ?? short(attempt.trigger)}`),
        ),
        errorText(attempt) && response?.head ? h("p", { class: "why" }, icon("warn"), h("span", null, clipped(attempt.error, 400))) : null,
        text ? h("p", { class: "why" }, icon("warn"), h("span", null, clipped(text, 400))) : headView(response.head),
        judged(attempt),
        waitedNote(attempt),
        response?.head ? bodyParts(response, "Body", "The receiver sent") : null,
        timeFacts(attempt),
    );
}

/* ---- the signature ---- */
const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

const bytesOf = (text) => new TextEncoder().encode(text);

async function signBody(secret, body) {
    const key = await crypto.subtle.importKey("raw", bytesOf(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    return hex(await crypto.subtle.sign("HMAC", key, body));
}

/* The bytes that went out; null: they were not kept. */
function sentBytes(row, attempt) {
    const sent = attempt.tampered?.sent;
    if (!sent) return bytesOf(row.payload);
    if (sent.truncated) return null;
    return sent.body_base64 ? Uint8Array.from(atob(sent.body_base64), (c) => c.charCodeAt(0)) : bytesOf(sent.body);
}

function verdictText(right, forged) {
    if (right) return "The signature is that of this secret and of what was sent.";
    if (forged) return "Not the signature of this secret and of what was sent: as intended, if this is the endpoint's secret.";
    return "Not the signature of this secret: is it the endpoint's, and was it rotated since?";
}

/* Schemes that sign the body alone can be tried here. */
function tryOut(row, attempt, sent) {
    const body = sent?.startsWith("sha256=") && globalThis.crypto?.subtle ? sentBytes(row, attempt) : null;
    if (!body) return null;
    const forged = attempt.tampered?.forged ?? false;
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
        const right = input.value !== "" && `sha256=${await signBody(input.value, body)}` === sent;
        verdict.dataset.kind = right ? "ok" : forged ? "" : "bad";
        fill(verdict, icon(right ? "check" : "cross"), h("span", null, verdictText(right, forged)));
    });
    return h("div", { class: "try" }, form, h("p", { class: "hint" }, "The secret does not leave this page."), verdict);
}

/* The secret is the endpoint's of that time: it may have been rotated since. */
const SIGNERS = {
    current: "It was signed with the secret that the endpoint had then.",
    previous: "It was signed with the secret from before the rotation: this was accepted before it, and the grace was not over.",
    both: "It was signed with two secrets, the present one of that time and the one from before the rotation: the grace was not over.",
};

/* What a change means for the comparison. */
function ofChange({ how, forged }, sent) {
    if (!sent) return ["This attempt went out without this header, on purpose (", clipped(how, 200), "): there is nothing to compare, and a receiver should refuse it."];
    return forged
        ? ["This attempt was changed on purpose (", clipped(how, 200), "): the two are meant to differ, and a receiver should refuse it."]
        : ["This attempt was changed on purpose (", clipped(how, 200), "), and signed as it was sent: the two are the same."];
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
        attempt?.tampered ? h("p", { class: "why" }, icon("warn"), h("span", null, ofChange(attempt.tampered, sent))) : null,
        sent ? h("div", { class: "secret-box" }, h("code", null, clipped(sent, 400)), copyButton(sent)) : null,
        sent && !attempt.tampered && SIGNERS[attempt.signed_with] ? h("p", { class: "hint" }, SIGNERS[attempt.signed_with]) : null,
        attempt ? tryOut(row, attempt, sent) : null,
    );
}

function curlPanel(row) {
    if (!row.curl) return null;
    return h(
        "details",
        { class: "panel" },
        h("summary", null, h("h2", null, "As curl")),
        textView(row.curl, "The request as a curl command"),
        h(
            "p",
            { class: "hint" },
            "The last request, with its signature as it was sent. It holds no secret.",
            row.curl.includes("--data-binary @body.json") ? " Save the payload as body.json first." : "",
        ),
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
        fact(zone ? `Created (${zone})` : "Created", time(row.created_at)),
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
        reason(row),
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
            h("p", { class: "crumb" }, h("a", { href: logAddress() }, icon("back"), "Deliveries")),
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
