/* The pieces that pages are made of. */
import { h, fill, icon, short, clipped, hasUnseen } from "./dom.js";
import { stamp, away } from "./format.js";
import { listen, isBack } from "./api.js";

/* ---- telling ---- */
export function toast(text, kind = "ok") {
    const place = document.getElementById("toasts");
    const note = h("div", { class: "toast", data: { kind } }, icon(kind === "bad" ? "warn" : "check"), h("span", null, short(text, 300)));
    place.append(note);
    setTimeout(() => note.remove(), kind === "bad" ? 9000 : 4000);
}

/* Whole seconds run down in an element, as long as it is there; then `done`. */
function countDown(element, seconds, text, done) {
    const end = Date.now() + 1000 * seconds;
    const timer = setInterval(() => {
        const left = Math.ceil((end - Date.now()) / 1000);
        if (element.isConnected && left > 0) fill(element, text(left));
        else clearInterval(timer);
        if (element.isConnected && left <= 0) done();
    }, 200);
    fill(element, text(seconds));
}

/* What was asked for goes out when the rate limit lets it. */
export function tellWaiting({ retryAfter }) {
    const said = h("span", { "aria-live": "off" });
    const note = h("div", { class: "toast" }, icon("clock"), said);
    document.getElementById("toasts").append(note);
    countDown(
        said,
        retryAfter,
        (left) => `The plan's rate limit is used up. Goes on in ${left} s.`,
        () => note.remove(),
    );
}

/* "what; hint" */
function halves(message) {
    const at = message.indexOf("; ");
    return at < 0 ? [message, ""] : [message.slice(0, at), message.slice(at + 2)];
}

const sentence = (text) => (text.startsWith("emit8") ? text : text.charAt(0).toUpperCase() + text.slice(1));

const ended = (text) => (text ? `${sentence(text)}${/[.?!]$/.test(text) ? "" : "."}` : "");

/* What a field of the API is called on these pages; "": it needs no name. */
const FIELDS = { text: "", webhook: "Endpoint", test: "Kind", since: "From" };
const fieldName = (field) => FIELDS[field] ?? sentence(String(field).replace(/[._]/g, " "));

/* [name of the field, what is wrong, what would be right] for each fault; the message is that of the first. */
const faultsOf = (error) =>
    error.details?.length
        ? error.details.map(({ field: name, message }) => [fieldName(name), ...halves(message)])
        : [["", ...halves(String(error.message ?? error))]];

/* Where the dashboard shows what the API would list. */
const LISTS = {
    webhooks: ["#/endpoints", "the endpoints"],
    deliveries: ["#/deliveries", "the deliveries"],
    events: ["#/test", "the types of events"],
    scenarios: ["#/scenarios", "the scenarios"],
};
const LISTED = new RegExp(`^GET /v1/(${Object.keys(LISTS).join("|")}) lists [^;]*`);

function hintParts(hint) {
    const found = LISTED.exec(hint);
    if (!found) return clipped(ended(hint), 600);
    const [href, name] = LISTS[found[1]];
    return ["See ", h("a", { href }, name), `${hint.slice(found[0].length)}.`];
}

function advice(error, hint) {
    if (hint) return hintParts(hint);
    return error.status >= 500 ? "Look at what emit8 serve has printed." : null;
}

const faultTitle = ([name, what]) => (name ? `${name}: ${what}` : sentence(what));

function faultItem(fault) {
    const [, , hint] = fault;
    return h("li", null, clipped(`${faultTitle(fault)}${hint ? ". " : ""}`, 600), hint ? hintParts(hint) : null);
}

/* The rate limit says when: then it is tried again without being asked. */
function tryLater(error, again) {
    const place = h("p", { class: "error-hint", "aria-live": "off" });
    countDown(
        place,
        error.retryAfter,
        (left) => `The plan's rate limit is used up. ${again ? "Trying again" : "It can be tried again"} in ${left} s.`,
        () => {
            fill(place, again ? "Trying again…" : "It can be tried again now.");
            again?.();
        },
    );
    return place;
}

/* A server that does not answer may come back: then it is tried again without being asked. */
function tryWhenBack(box, again) {
    const end = listen((name, state) => {
        if (!isBack(name, state)) return;
        end();
        if (box.isConnected) again();
    });
}

/* What happened, and what to do. */
export function errorBox(error, again, name = "Try again") {
    const faults = faultsOf(error);
    const one = faults.length === 1;
    const box = h(
        "div",
        { class: "error-box", role: "alert" },
        icon("warn"),
        h(
            "div",
            null,
            h("p", { class: "error-what" }, one ? clipped(faultTitle(faults[0]), 600) : `${faults.length} things are wrong`),
            error.status === 429 && error.retryAfter !== null
                ? tryLater(error, again)
                : one
                  ? h("p", { class: "error-hint" }, advice(error, faults[0][2]))
                  : h("ul", { class: "error-list" }, faults.map(faultItem)),
            again ? h("button", { type: "button", onclick: again }, name) : null,
        ),
    );
    if (error.code === "UNREACHABLE" && again) tryWhenBack(box, again);
    return box;
}

export function empty(title, text, ...actions) {
    return h(
        "div",
        { class: "empty" },
        h("h2", null, title),
        h("p", null, text),
        actions.length ? h("div", { class: "row center" }, actions) : null,
    );
}

export const loading = () => h("div", { class: "loading", role: "status" }, "Loading…");

/* What one has asked for; of what is high, its top. */
export function bringIntoView(element) {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const high = 2 * element.offsetHeight > innerHeight;
    element.scrollIntoView({ block: high ? "start" : "nearest", behavior: still ? "auto" : "smooth" });
}

/* ---- acting ---- */
export function button(label, onclick, { kind = "", name = null, title = null, disabled = false } = {}) {
    return h(
        "button",
        { type: "button", class: kind || null, onclick, title, disabled, "aria-label": title && !label ? title : null },
        name ? icon(name) : null,
        label ? h("span", null, label) : null,
    );
}

/* In one line: the first fault. */
function told(error) {
    const [fault] = faultsOf(error);
    const found = LISTED.exec(fault[2]);
    return [faultTitle(fault), sentence(found ? `see ${LISTS[found[1]][1]}` : fault[2])].filter(Boolean).join(". ");
}

/* While it runs the button is busy; a failure is told. */
export async function busy(control, task) {
    const focused = document.activeElement === control; /* which a button that is disabled loses */
    control.disabled = true;
    control.setAttribute("aria-busy", "true");
    try {
        return await task();
    } catch (error) {
        if (error.status !== 401 && error.name !== "AbortError") toast(told(error), "bad"); /* its page has ended */
        return undefined;
    } finally {
        control.disabled = false;
        control.removeAttribute("aria-busy");
        if (focused && control.isConnected && document.activeElement === document.body) control.focus();
    }
}

async function copy(text) {
    try {
        await navigator.clipboard.writeText(text);
        return true;
    } catch {
        return copyOld(text);
    }
}

/* Without a secure context there is no clipboard but this one. */
function copyOld(text) {
    const area = h("textarea", { class: "away", readonly: true, "aria-hidden": "true" });
    area.value = text;
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
}

export function copyButton(text, label = "Copy", kind = "quiet small") {
    const word = h("span", null, label);
    const control = h(
        "button",
        { type: "button", class: kind, "aria-label": label ? null : "Copy", title: label ? null : "Copy" },
        icon("copy"),
        word,
    );
    control.addEventListener("click", async () => {
        const done = await copy(typeof text === "function" ? text() : text);
        word.textContent = done ? "Copied" : "Not copied; select and copy by hand";
        setTimeout(() => (word.textContent = label), 2000);
    });
    return control;
}

/* ---- dialogs ---- */
let dialogs = 0;
const questions = new Set(); /* dialogs that ask something of the page they stand over */

/* They go with their page; a secret, which is shown once, stays. */
export const endQuestions = () => questions.forEach((box) => box.close());

/* Browsers close it at the second wish to, whatever the page says to the first: where it may not go yet, it comes back. */
function dialog(title, content, mayGo = () => true) {
    const id = `dialog-${++dialogs}`;
    const box = h("dialog", { "aria-labelledby": id }, h("h2", { id }, title), content);
    const before = document.activeElement;
    box.addEventListener("close", () => {
        if (!mayGo()) {
            box.showModal();
            return;
        }
        box.remove();
        if (before?.isConnected) before.focus();
    });
    document.body.append(box);
    box.showModal();
    return box;
}

export function confirm({ title, text, action, danger = true }) {
    return new Promise((resolve) => {
        const yes = h("button", { type: "button", class: danger ? "danger" : "primary" }, action);
        const no = h("button", { type: "button", autofocus: true }, "Cancel");
        const box = dialog(title, [h("div", { class: "dialog-text" }, text), h("div", { class: "row end" }, no, yes)]);
        let answer = false;
        questions.add(box);
        yes.addEventListener("click", () => {
            answer = true;
            box.close();
        });
        no.addEventListener("click", () => box.close());
        box.addEventListener("close", () => {
            questions.delete(box);
            resolve(answer);
        });
    });
}

const askFirst = (event) => event.preventDefault();

/* A secret, for the one time that it can be seen: whatever becomes of the page below, it stays until one says that it is stored, and who
 * leaves the dashboard is asked. */
export function showSecret(secret, title, url, text) {
    return new Promise((resolve) => {
        const value = h("code", { class: "secret", id: "secret" }, secret);
        let stored = false;
        const done = h("button", { type: "button", class: "primary" }, "I have stored it");
        const box = dialog(
            title,
            [
                h("p", { class: "mono cut", title: short(url, 500) }, short(url)),
                h("p", null, text),
                h("div", { class: "secret-box" }, value, copyButton(secret, "Copy the secret", "")),
                h("p", { class: "note" }, icon("warn"), h("span", null, "It is not shown again. Lost, it can only be rotated.")),
                h("div", { class: "row end" }, done),
            ],
            () => stored,
        );
        box.addEventListener("cancel", askFirst);
        addEventListener("beforeunload", askFirst);
        done.addEventListener("click", () => {
            stored = true;
            removeEventListener("beforeunload", askFirst);
            box.close();
            resolve();
        });
    });
}

/* ---- fields ---- */
let fields = 0;

/* What is wrong with a fieldset as a whole stands below its legend; `first`: finds the control that should be looked at. */
export function complaining(whole, first) {
    const id = `field-${++fields}-wrong`;
    const wrong = h("p", { class: "field-wrong", id });
    whole.querySelector("legend").after(wrong);
    whole.setAttribute("aria-describedby", id);
    whole.complain = (text) => {
        fill(wrong, text ? [icon("warn"), h("span", null, text)] : null);
        if (text) whole.dataset.wrong = "";
        else delete whole.dataset.wrong;
    };
    whole.focusWrong = () => first()?.focus();
    return whole;
}

/* What cannot be seen in a line of text, or makes it read otherwise than it is, stands below it by name. */
function unseenIn(input, id) {
    const place = h("p", { class: "hint", id });
    const tell = () => fill(place, hasUnseen(input.value) ? ["It reads: ", clipped(input.value, 400)] : null);
    input.addEventListener("input", tell);
    tell();
    return place;
}

/* A label, its control, a hint, a place for what is wrong. */
export function field(label, control, hint = null) {
    const id = control.id || `field-${++fields}`;
    const wrong = h("p", { class: "field-wrong", id: `${id}-wrong` });
    control.id = id;
    const unseen = control.type === "text" ? unseenIn(control, `${id}-unseen`) : null;
    control.setAttribute("aria-describedby", [hint && `${id}-hint`, unseen?.id, `${id}-wrong`].filter(Boolean).join(" "));
    const whole = h(
        "div",
        { class: "field" },
        h("label", { for: id }, label),
        control,
        hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null,
        unseen,
        wrong,
    );
    whole.complain = (text) => {
        fill(wrong, text ? [icon("warn"), h("span", null, text)] : null);
        if (text) control.setAttribute("aria-invalid", "true");
        else control.removeAttribute("aria-invalid");
    };
    control.addEventListener("input", () => wrong.firstChild && whole.complain("")); /* it was said of what was written before */
    return whole;
}

export const options = (list, value) => list.map(([key, label]) => h("option", { value: key, selected: key === value }, short(label, 90)));

export const select = (list, value = "", props = {}) => h("select", props, options(list, value));

/* What a click on a link does in another tab or window leaves this one as it is. */
export const opensElsewhere = (event) => event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;

/* ---- times ---- */
const TIMES = { stamp, away, row: (iso) => stamp(iso, "today") };

export const time = (iso, kind = "stamp") =>
    iso ? h("time", { datetime: iso, title: `${iso} (UTC)` }, TIMES[kind](iso)) : h("span", { class: "muted" }, "–");

/* ---- states: a colour, a shape, and a word ---- */
/* What has become of an attempt, and in a word, where there is little room and the outcome is not told by a status. */
const OUTCOMES = {
    delivered: ["delivered"],
    connect_refused: ["connection refused", "refused"],
    connect_failed: ["not reachable", "unreachable"],
    connect_timeout: ["no connection in time", "no connection"],
    dns_failed: ["name not found (DNS)", "no such name"],
    gen_fd: ["emit8 is out of file descriptors", "not sent"],
    gen_port: ["emit8 is out of local ports", "not sent"],
    gen_memory: ["emit8 is out of memory", "not sent"],
    no_response: ["closed without an answer", "no answer"],
    reset: ["connection reset", "reset"],
    stale_connection: ["connection was closed already", "stale"],
    truncated: ["answer broken off", "broken off"],
    reset_in_body: ["reset within the answer", "reset"],
    timeout_first_byte: ["no answer in time", "timeout"],
    timeout_body: ["answer not complete in time", "timeout"],
    not_http: ["answer is not HTTP", "not HTTP"],
    bad_status: ["answer with an invalid status", "bad answer"],
    bad_framing: ["answer with an invalid length", "bad answer"],
    bad_header: ["answer with an invalid header", "bad answer"],
    too_many_interim: ["too many interim answers (1xx)", "bad answer"],
    unexpected_101: ["change of protocol, unasked for (101)", "bad answer"],
    redirect: ["redirect (3xx), not followed"],
    http_4xx: ["refused (4xx)"],
    gone: ["gone (410)"],
    throttled: ["too many requests (429)"],
    http_5xx: ["server error (5xx)"],
    tls_untrusted: ["certificate is not trusted", "certificate"],
    tls_expired: ["certificate has expired", "certificate"],
    tls_name: ["certificate is for another name", "certificate"],
    tls_handshake: ["TLS handshake failed", "TLS failed"],
    tls_timeout: ["TLS handshake not in time", "TLS timeout"],
    desync: ["bytes that answer nothing", "bad answer"],
    forbidden_target: ["target is not permitted", "forbidden"],
    unknown: ["unknown, may have been sent", "unknown"],
    aborted: ["stopped before it ended", "stopped"],
};

const named = (outcome) => OUTCOMES[outcome] ?? [String(outcome ?? "").replaceAll("_", " ")];
export const outcomeText = (outcome) => named(outcome)[0];
const outcomeWord = (outcome) => named(outcome).at(-1);

/* What an error says beside the status. */
export const errorText = ({ error, status }) => (error === `HTTP ${status}` ? null : error);

/* `more`: what the shape tells, for those who do not see it */
export function badge(kind, name, text, more = null) {
    return h(
        "span",
        { class: "badge", data: { kind }, title: more },
        icon(name),
        h("span", null, short(text, 60), more ? h("span", { class: "away" }, `, ${more}`) : null),
    );
}

const statusText = (row) => (row.status ? String(row.status) : outcomeWord(row.outcome) || "no answer");

export const kindTag = (row) => (row.test || row.run_id ? h("span", { class: "tag" }, row.test ? "test" : "run") : null);

export function deliveryBadge(row) {
    /* a copy that follows the delivery may have another status */
    if (row.state === "delivered") return badge("ok", "check", row.outcome === "delivered" ? statusText(row) : "delivered", "delivered");
    if (row.state === "failed") return badge("bad", "cross", statusText(row), "failed");
    if (row.state === "cancelled") return badge("idle", "minus", "cancelled");
    if (row.waiting_for) return badge("idle", "clock", "waiting", "until its endpoint is enabled");
    return row.outcome ? badge("warn", "retry", statusText(row), "retrying") : badge("idle", "clock", "pending");
}

export function attemptBadge(attempt) {
    if (attempt.outcome === "delivered") return badge("ok", "check", String(attempt.status ?? "delivered"));
    return badge("bad", "cross", statusText(attempt));
}

export function stateText(row) {
    if (row.state === "delivered") return row.attempts > 1 ? `Delivered by attempt ${row.attempts}` : "Delivered";
    if (row.state === "failed") return `Failed for good after ${row.attempts === 1 ? "one attempt" : `${row.attempts} attempts`}`;
    if (row.state === "cancelled") return "Cancelled";
    if (row.waiting_for) return "Waits until its endpoint is enabled";
    return row.outcome ? "Retrying" : "Pending";
}

const withoutScheme = (url) => url.replace(/^https?:\/\//, "");

/* An endpoint in few words: its host and path. */
export const endpointText = (url) => (url ? short(withoutScheme(url), 160) : "deleted endpoint");

/* In a list of choices. */
const choice = (hook) => (hook.description ? `${endpointText(hook.url)} · ${short(hook.description, 40)}` : endpointText(hook.url));

/* Those that are alike are told apart by their ids. */
const apart = (names, ids) => names.map((name, i) => (names.indexOf(name) === names.lastIndexOf(name) ? name : `${short(name, 50)} · ${ids[i]}`));

export const endpointChoices = (hooks) =>
    apart(
        hooks.map(choice),
        hooks.map(({ id }) => id),
    );

/* The same for rows of a table: { name: its id, url }. */
export const endpointNames = (rows) =>
    apart(
        rows.map(({ url }) => endpointText(url)),
        rows.map(({ name }) => name),
    );

/* Where there is little room, what stands before the place is cut at its end, and the rest stays whole as far as it can. */
const cutAt = (text, at, kind) =>
    at > 0 && at < text.length
        ? h("span", { class: `halves ${kind}` }, h("span", { class: "first" }, short(text.slice(0, at), 160)), h("span", null, text.slice(at)))
        : text;

const END = 12; /* characters of a long address */

/* Its host, and the end of its path, tell endpoints apart. */
export function endpointCut(url) {
    if (!url) return endpointText(url);
    const text = withoutScheme(url);
    const last = text.search(/\/[^/]*\/?$/);
    return cutAt(text, Math.max(last, text.length - END), "of-url");
}

export const typeCut = (type) => cutAt(short(type, 80), type.indexOf("."), "of-type");

export const code = (text, limit = 300) => h("code", null, clipped(text, limit));

/* What is said, with a value: a row of <dl>. */
export const fact = (name, ...value) => h("div", { class: "fact" }, h("dt", null, name), h("dd", null, value));

/* What a table that folds on a narrow page is, whatever is made of its rows there. */
const ROLES = { table: "table", thead: "rowgroup", tbody: "rowgroup", tr: "row", td: "cell" };

/* On a narrow page the head of a row stands above its figures, each under its name. */
function foldable(wrap) {
    const names = [...wrap.querySelectorAll("thead th")].map((cell) => cell.textContent);
    for (const row of wrap.querySelectorAll("tbody tr")) [...row.cells].forEach((cell, i) => (cell.dataset.label = names[i]));
    for (const [name, role] of Object.entries(ROLES)) for (const each of wrap.querySelectorAll(name)) each.setAttribute("role", role);
    for (const each of wrap.querySelectorAll("th")) each.setAttribute("role", each.scope === "row" ? "rowheader" : "columnheader");
    return wrap;
}

export const foldTable = (head, rows, props = {}) => foldable(table(head, rows, { ...props, class: `${props.class} fold` }));

/* head: texts, or {text, class}, or {away}: a text for those who do not see the table */
export const table = (head, rows, props = {}) =>
    h(
        "div",
        { class: "table-wrap", tabindex: 0, role: "region", "aria-label": props.label },
        h(
            "table",
            { class: props.class },
            h(
                "thead",
                null,
                h(
                    "tr",
                    null,
                    head.map((cell) =>
                        h(
                            "th",
                            { scope: "col", class: cell.class ?? null },
                            cell.away ? h("span", { class: "away" }, cell.away) : (cell.text ?? cell),
                        ),
                    ),
                ),
            ),
            h("tbody", null, rows),
        ),
    );

/* A bar behind a number: how much of the whole. */
export const bar = (share, kind = "accent") =>
    h("span", {
        class: "bar",
        data: { kind },
        vars: { "--share": `${(100 * Math.min(Math.max(share, 0), 1)).toFixed(2)}%` },
        "aria-hidden": "true",
    });
