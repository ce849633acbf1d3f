/* The endpoints: all of them, and one with what can be done to it. */
import { h, fill, icon, clipped, short } from "./dom.js";
import { get, post, remove, webhooks, info, forget, isBack } from "./api.js";
import { badge, button, busy, confirm, showSecret, empty, errorBox, fact, time, code, foldTable, toast } from "./ui.js";
import { rough, span, stamp, away, count, plural, percent, zone } from "./format.js";
import { recent } from "./deliveries.js";

/* Where it is in the API, and among these pages. */
export const apiOf = (hook, rest = "") => `/v1/webhooks/${encodeURIComponent(hook.id)}${rest}`;
export const pageOf = (hook, rest = "") => `#/endpoints/${encodeURIComponent(hook.id)}${rest}`;

const chips = (list, most = Infinity) =>
    h(
        "span",
        { class: "chips" },
        list.slice(0, most).map((each) => h("code", { class: "chip" }, short(each, 60))),
        list.length > most ? h("span", { class: "muted" }, `and ${list.length - most} more`) : null,
    );

function hookBadge(hook) {
    if (!hook.enabled) return badge("idle", "minus", "disabled");
    return hook.failing_since ? badge("warn", "warn", "failing") : badge("ok", "check", "enabled");
}

/* The secret from before the rotation is valid still: it signs as well, or, where the scheme has room for one signature, what is older. */
const inGrace = (hook) => hook.grace_until && Date.parse(hook.grace_until) > Date.now();

/* What one should know of its state, in a sentence. */
function remark(hook) {
    if (!hook.enabled)
        return h(
            "p",
            { class: "why" },
            icon("minus"),
            h(
                "span",
                null,
                "Disabled ",
                hook.disabled_at ? away(hook.disabled_at) : "",
                hook.disabled_reason ? [": ", clipped(hook.disabled_reason, 200)] : "",
            ),
        );
    if (hook.failing_since)
        return h(
            "p",
            { class: "why" },
            icon("warn"),
            h("span", null, "No success since ", stamp(hook.failing_since, false), ` (${away(hook.failing_since)})`),
        );
    return null;
}

/* ---- what can be done ---- */
const setEnabled = (hook, on) => post(apiOf(hook, on ? "/enable" : "/disable"));

async function disable(hook) {
    const sure = await confirm({
        title: "Disable this endpoint?",
        text: [
            h("p", { class: "mono cut" }, short(hook.url)),
            h(
                "p",
                null,
                "It gets no events until it is enabled again. Deliveries that wait for it go on then. Test events go out all the same.",
            ),
        ],
        action: "Disable",
    });
    if (sure) await setEnabled(hook, false);
    return sure;
}

async function rotate(hook) {
    const { overlapping_schemes: overlapping, defaults } = await info();
    const overlaps = overlapping.includes(hook.scheme);
    const grace = span(defaults.grace_ms);
    const sure = await confirm({
        title: "Rotate the secret?",
        text: [
            h("p", null, "A new secret is made, and shown once. From then on deliveries are signed with it."),
            h(
                "p",
                null,
                `The present one${hook.secret_end ? `, which ends in ${short(hook.secret_end)},` : ""} `,
                !defaults.grace_ms
                    ? "signs nothing more, retries of what was accepted before included: there is no grace."
                    : overlaps
                      ? `signs as well for ${grace}: time to change your receivers.`
                      : `signs what was accepted before, and its retries, for ${grace}: let your receivers take both for so long.`,
            ),
            inGrace(hook) ? h("p", null, "The one from before the last rotation signs nothing more from then on.") : null,
        ],
        action: "Rotate",
        danger: false,
    });
    if (!sure) return false;
    const made = await post(apiOf(hook, "/rotate"));
    await showSecret(
        made.secret,
        "The new secret",
        hook.url,
        made.grace_until
            ? `The one before signs ${overlaps ? "as well" : "what was accepted before"} until ${stamp(made.grace_until, false)}.`
            : "The one before signs nothing more.",
    );
    return true;
}

async function revoke(hook) {
    const { overlapping_schemes: overlapping } = await info();
    const sure = await confirm({
        title: "Revoke the secret from before the rotation?",
        text: [
            h(
                "p",
                null,
                overlapping.includes(hook.scheme)
                    ? "It signs nothing more; the present one alone does, retries included."
                    : "It signs nothing more. What was accepted before the rotation and is sent from now on, retries included, is signed with the present one.",
            ),
            h("p", null, "Receivers that know only the old one refuse that."),
        ],
        action: "Revoke",
    });
    if (sure) await post(apiOf(hook, "/revoke"));
    return sure;
}

async function erase(hook) {
    const sure = await confirm({
        title: "Delete this endpoint?",
        text: [
            h("p", { class: "mono cut" }, short(hook.url)),
            h(
                "p",
                null,
                "Its waiting deliveries are cancelled, and its secret is gone. The log keeps what was sent. This cannot be undone.",
            ),
        ],
        action: "Delete",
    });
    if (!sure) return false;
    await remove(apiOf(hook));
    forget("/v1/webhooks");
    toast("The endpoint is deleted");
    location.hash = "#/endpoints";
    return true;
}

/* What an element is found again by when the page is drawn anew. */
function sameAs(element) {
    const href = element.getAttribute("href");
    if (href) return `main a[href="${CSS.escape(href)}"]`;
    return element.dataset.act ? `main [data-act="${CSS.escape(element.dataset.act)}"]` : null;
}

/* Where what had the focus is gone, what stands in its place has it, or the page's heading. */
function focusAgain(element) {
    if (element.isConnected) return element.focus({ preventScroll: true });
    const same = sameAs(element);
    return ((same && document.querySelector(same)) ?? document.querySelector("main h1"))?.focus({ preventScroll: true });
}

function keepingFocus(root, draw) {
    const focused = root.contains(document.activeElement) ? document.activeElement : null;
    draw();
    if (focused && document.activeElement !== focused) focusAgain(focused);
}

/* `name`: of what it does, or undoes. */
function act(label, name, task, hook, changed, more) {
    const control = button(
        label,
        async () => {
            await busy(control, async () => {
                if ((await task(hook)) === false) return;
                forget("/v1/webhooks");
                await changed();
            });
            if (document.activeElement === document.body) focusAgain(control);
        },
        more,
    );
    control.dataset.act = `${name} ${hook.id}`;
    return control;
}

const enabling = (hook, changed) =>
    hook.enabled
        ? act("Disable", "enable", disable, hook, changed)
        : act("Enable", "enable", (each) => setEnabled(each, true), hook, changed, { kind: "primary" });

/* ---- all of them ---- */
function row(hook, share, changed) {
    return h(
        "li",
        { class: "card", data: { id: hook.id, off: hook.enabled ? null : "" } },
        h(
            "div",
            { class: "card-head" },
            h("h2", { class: "mono cut" }, h("a", { href: pageOf(hook), title: short(hook.url, 500) }, short(hook.url, 200))),
            hookBadge(hook),
        ),
        hook.description ? h("p", { class: "muted" }, short(hook.description, 200)) : null,
        remark(hook),
        h(
            "dl",
            { class: "facts" },
            fact("Events", chips(hook.events, 6)),
            fact("Environments", hook.environments?.length ? short(hook.environments.join(", ")) : "all"),
            fact(
                "Secret",
                h("span", { class: "mono" }, short(hook.secret_end ?? "–", 10)),
                inGrace(hook) ? h("span", { class: "tag" }, "two valid") : null,
            ),
            fact(
                "Last 24 hours",
                share?.attempts
                    ? [
                          `${plural(share.attempts, "attempt")}, `,
                          `${percent(share.attempts - share.delivered, share.attempts)} errors, p99\u00a0${rough(share.p99_ms)}`,
                      ]
                    : h("span", { class: "muted" }, "nothing sent"),
            ),
        ),
        h(
            "div",
            { class: "row" },
            h(
                "a",
                { class: "button", href: `#/test?${new URLSearchParams({ webhook: hook.id })}` },
                icon("test"),
                h("span", null, "Send a test"),
            ),
            h("a", { class: "button", href: pageOf(hook, "/edit") }, icon("edit"), h("span", null, "Edit")),
            enabling(hook, changed),
        ),
    );
}

async function lastDay(signal) {
    const until = Math.ceil(Date.now() / 60000) * 60000;
    const data = await get(
        "/v1/overview",
        { since: new Date(until - 864e5).toISOString(), until: new Date(until).toISOString(), step: "60m" },
        signal,
    );
    return new Map(data.webhooks.map((each) => [each.name, each]));
}

export async function endpoints(page) {
    const list = h("ul", { class: "cards" });

    async function refresh() {
        forget("/v1/webhooks");
        const [hooks, shares] = await Promise.all([webhooks(), lastDay(page.signal)]);
        if (hooks.length)
            fill(
                list,
                hooks.map((hook) => row(hook, shares.get(hook.id), refresh)),
            );
        else
            fill(
                list,
                h(
                    "li",
                    null,
                    empty(
                        "No endpoint yet",
                        "An endpoint is the URL of a receiver, the events it wants, and a secret that proves they are from here.",
                        h("a", { class: "button primary", href: "#/endpoints/new" }, icon("plus"), h("span", null, "New endpoint")),
                    ),
                ),
            );
    }

    await refresh();
    fill(
        page.root,
        page.heading(
            "Endpoints",
            h("a", { class: "button primary", href: "#/endpoints/new" }, icon("plus"), h("span", null, "New endpoint")),
        ),
        list,
    );
    page.on((name, data) => (name === "webhook" || isBack(name, data)) && !list.contains(document.activeElement) && refresh().catch(() => {}));
}

/* ---- one ---- */
function retryText(retry) {
    if (retry.attempts <= 1) return "none: one attempt in all";
    const waits = [];
    for (let n = 0; n < Math.min(retry.attempts - 1, 6); n++) waits.push(span(Math.min(retry.base_ms * retry.factor ** n, retry.cap_ms)));
    return `${retry.attempts} attempts in all; between them ${retry.jitter === "none" ? "" : "up to "}${waits.join(", ")}${retry.attempts > 7 ? ", …" : ""}`;
}

function settings(hook) {
    const headers = Object.entries(hook.headers ?? {});
    return h(
        "section",
        { class: "panel" },
        h("h2", null, "Settings"),
        h(
            "dl",
            { class: "facts long" },
            fact("Events", chips(hook.events)),
            fact("Environments", hook.environments?.length ? short(hook.environments.join(", ")) : "all"),
            fact("Timeout", span(hook.timeout_ms)),
            fact("Retries", retryText(hook.retry)),
            fact("Signed as", short(hook.scheme)),
            headers.length
                ? fact(
                      "Headers",
                      headers.map(([name, value]) => h("div", null, code(`${name}: ${value}`, 200))),
                  )
                : null,
            hook.notify_url ? fact("Failure notices to", code(hook.notify_url)) : null,
            fact("Id", code(hook.id)),
            fact(zone ? `Created (${zone})` : "Created", time(hook.created_at)),
        ),
    );
}

function secretPanel(hook, { overlapping_schemes: overlapping, defaults }, changed) {
    const overlaps = overlapping.includes(hook.scheme);
    return h(
        "section",
        { class: "panel" },
        h("h2", null, "Secret"),
        h(
            "dl",
            { class: "facts long" },
            fact("Ends in", h("span", { class: "mono" }, hook.secret_end ? short(hook.secret_end, 10) : "not told of a short one")),
            fact("Rotated", hook.rotated_at ? time(hook.rotated_at, "away") : "never"),
            inGrace(hook)
                ? fact(
                      "The one before",
                      `signs ${overlaps ? "as well" : "what is older"} until ${stamp(hook.grace_until, false)} (${away(hook.grace_until)})`,
                  )
                : fact(
                      "When rotated",
                      !defaults.grace_ms
                          ? "the one before signs nothing more"
                          : overlaps
                          ? `both secrets sign for ${span(defaults.grace_ms)}`
                          : `the one before signs what is older for ${span(defaults.grace_ms)}`,
                  ),
        ),
        h(
            "div",
            { class: "row" },
            act("Rotate", "rotate", rotate, hook, changed, { name: "retry" }),
            inGrace(hook) ? act("Revoke the old secret", "revoke", revoke, hook, changed) : null,
        ),
    );
}

function shareTable(share) {
    if (!share?.attempts) return null;
    const head = ["Attempts", "Delivered", "Errors", "p50", "p99"].map((text) => ({ text, class: "num" }));
    const cells = [
        count(share.attempts),
        count(share.delivered),
        percent(share.attempts - share.delivered, share.attempts),
        rough(share.p50_ms),
        rough(share.p99_ms),
    ];
    return h(
        "section",
        { class: "panel" },
        h("h2", null, "The last 24 hours"),
        foldTable(
            head,
            [
                h(
                    "tr",
                    null,
                    cells.map((text) => h("td", { class: "num" }, text)),
                ),
            ],
            { label: "The last 24 hours", class: "plain" },
        ),
    );
}

export async function endpoint(page) {
    const path = apiOf(page.params);
    const log = h("div");
    let leaving = false; /* it is being deleted: what the stream tells of it is old */

    async function eraseHere(hook) {
        leaving = true;
        try {
            leaving = await erase(hook);
        } catch (error) {
            leaving = false;
            throw error;
        }
        return false;
    }

    async function refresh() {
        const [hook, shares, facts] = await Promise.all([get(path, null, page.signal), lastDay(page.signal), info()]);
        const title = page.heading(
            hook.url,
            h(
                "a",
                { class: "button primary", href: `#/test?${new URLSearchParams({ webhook: hook.id })}` },
                icon("test"),
                h("span", null, "Send a test"),
            ),
            h("a", { class: "button", href: pageOf(hook, "/edit") }, icon("edit"), h("span", null, "Edit")),
            enabling(hook, refresh),
            act("Delete", "delete", eraseHere, hook, refresh, { kind: "danger quiet" }),
        );
        fill(title.firstChild, clipped(hook.url, 160));
        title.firstChild.classList.add("mono");
        title.firstChild.after(hookBadge(hook));
        keepingFocus(page.root, () =>
            fill(
                page.root,
                h("p", { class: "crumb" }, h("a", { href: "#/endpoints" }, icon("back"), "Endpoints")),
                title,
                hook.description ? h("p", { class: "muted" }, clipped(hook.description, 400)) : null,
                remark(hook),
                h(
                    "div",
                    { class: "two" },
                    settings(hook),
                    h("div", { class: "stack" }, secretPanel(hook, facts, refresh), shareTable(shares.get(hook.id))),
                ),
                h(
                    "section",
                    { class: "stack" },
                    h(
                        "div",
                        { class: "panel-head" },
                        h("h2", null, "Latest deliveries"),
                        h("a", { href: `#/deliveries?${new URLSearchParams({ webhook: hook.id })}` }, "All of them"),
                    ),
                    log,
                ),
            ),
        );
        await showLog();
    }

    async function showLog() {
        try {
            const latest = await recent({ webhook: page.params.id }, "Latest deliveries of this endpoint", page.signal);
            keepingFocus(log, () => fill(log, latest));
        } catch (error) {
            if (error.name !== "AbortError") fill(log, errorBox(error, showLog));
        }
    }

    await refresh();
    let stale = false;
    page.on((name, data) => {
        if (((name === "webhook" && data.id === page.params.id) || isBack(name, data)) && !leaving) refresh().catch(() => {});
        stale ||= name === "many" || (name === "delivery" && data.webhook_id === page.params.id);
    });
    page.every(1000, () => {
        if (!stale || log.contains(document.activeElement)) return;
        stale = false;
        showLog();
    });
}
