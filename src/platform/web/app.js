/* The frame: which page is shown, the theme, the key, whether the stream lives. */
import { h, fill, icon, plain } from "./dom.js";
import * as api from "./api.js";
import * as tabs from "./tabs.js";
import { errorBox, loading, field, tellWaiting, endQuestions } from "./ui.js";
import { forgetDrafts } from "./drafts.js";
import { repaint } from "./charts.js";
import overview from "./overview.js";
import deliveries from "./deliveries.js";
import delivery from "./delivery.js";
import { endpoints, endpoint } from "./endpoints.js";
import { newEndpoint, editEndpoint } from "./endpoint_form.js";
import testEvents from "./test_events.js";
import scenarios from "./scenarios.js";

const ROUTES = [
    ["/overview", "Overview", overview],
    ["/deliveries", "Deliveries", deliveries],
    ["/deliveries/:id", "Delivery", delivery],
    ["/endpoints", "Endpoints", endpoints],
    ["/endpoints/new", "New endpoint", newEndpoint],
    ["/endpoints/:id", "Endpoint", endpoint],
    ["/endpoints/:id/edit", "Edit endpoint", editEndpoint],
    ["/test", "Test events", testEvents],
    ["/scenarios", "Scenarios", scenarios],
];

const main = document.getElementById("main");
let page = null;

/* ---- pages ---- */
function matchRoute(path) {
    const parts = path.split("/");
    for (const [pattern, title, view] of ROUTES) {
        const wanted = pattern.split("/");
        if (wanted.length !== parts.length) continue;
        const params = {};
        if (wanted.every((part, i) => (part.startsWith(":") ? (params[part.slice(1)] = decodeURIComponent(parts[i])) : part === parts[i])))
            return { title, view, params };
    }
    return null;
}

/* What a page gets: a place, its parameters, and helpers that end with it. */
function makePage(route, search, more = null) {
    const controller = new AbortController();
    const ended = [];
    const made = {
        root: h("div", { class: "page" }),
        params: route.params,
        query: new URLSearchParams(search),
        signal: controller.signal,
        title: (text) => (document.title = `${plain(text)} · emit8`),
        heading: (text, ...actions) => heading(made, text, actions),
        on: (listener) => ended.push(api.listen(listener)),
        every: (time, task) => {
            const timer = setInterval(() => document.hidden || task(), time);
            ended.push(() => clearInterval(timer));
        },
        atEnd: (task) => ended.push(task),
        more, /* what it had kept, where one comes back to it */
        kept: () => null,
        end: () => {
            controller.abort();
            ended.forEach((task) => task());
        },
    };
    return made;
}

function heading(of, text, actions) {
    of.title(text);
    return h("div", { class: "heading" }, h("h1", { tabindex: -1 }, text), h("div", { class: "row" }, actions));
}

function parseHash() {
    const [path, search = ""] = location.hash.replace(/^#/, "").split("?");
    return [!path || path === "/" ? "/overview" : path, search];
}

function markNav(path) {
    for (const link of document.querySelectorAll("#nav a")) {
        const own = link.getAttribute("href").slice(1);
        if (path === own || path.startsWith(`${own}/`)) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
    }
}

/* ---- back to where one was ---- */
history.scrollRestoration = "manual"; /* before its rows are there again, a page has no place to scroll to */
const entries = new Map(); /* what was left of the pages of the history: by the id that its entry bears */
let entry = null;
let numbered = 0;

/* Of the entry that is entered. */
function enterEntry() {
    entry = history.state?.entry ?? `${performance.timeOrigin} ${++numbered}`;
    history.replaceState({ entry }, "");
    return entries.get(entry) ?? null;
}

function leaveEntry() {
    const link = page.root.contains(document.activeElement) ? document.activeElement.closest("a[href]") : null;
    entries.set(entry, {
        top: scrollY,
        href: link?.getAttribute("href"),
        linkTop: link?.getBoundingClientRect().top,
        more: page.kept(),
    });
}

/* The link that led away has the focus again, and stands where it stood. */
function putBack({ top, href, linkTop }) {
    const link = href ? page.root.querySelector(`a[href="${CSS.escape(href)}"]`) : null;
    scrollTo(0, link ? scrollY + link.getBoundingClientRect().top - linkTop : top);
    link?.focus({ preventScroll: true });
    return link !== null;
}

/* The page that is shown ends, with all that it asks. */
function leave() {
    if (page) leaveEntry();
    page?.end();
    page = null;
    endQuestions();
}

async function show(focus = true) {
    const [path, search] = parseHash();
    leave();
    const before = enterEntry();
    const route = matchRoute(path) ?? { title: "Not found", view: notFound, params: {} };
    const own = (page = makePage(route, search, before?.more));
    markNav(path);
    own.title(route.title);
    fill(own.root, loading());
    fill(main, own.root);
    scrollTo(0, 0);
    try {
        await route.view(own);
    } catch (error) {
        if (own !== page || error.name === "AbortError") return;
        const gone = error.status === 404;
        fill(own.root, gone ? wayBack(path) : null, own.heading(route.title), errorBox(error, gone ? null : () => show()));
    }
    if (own !== page) return;
    const there = before && putBack(before);
    if (focus && !there && !document.querySelector("dialog[open]")) own.root.querySelector("h1")?.focus({ preventScroll: true });
}

/* From something that is gone to the list that it stood in. */
function wayBack(path) {
    const list = `/${path.split("/")[1]}`;
    const [, title] = ROUTES.find(([pattern]) => pattern === list);
    return h("p", { class: "crumb" }, h("a", { href: `#${list}` }, icon("back"), title));
}

function notFound(own) {
    fill(
        own.root,
        own.heading("There is no such page"),
        h("p", null, "The address has changed or was mistyped. ", h("a", { href: "#/overview" }, "To the overview")),
    );
}

/* ---- the key ---- */
const isLocked = () => document.body.dataset.locked !== undefined;

function enter(key) {
    api.setKey(key);
    start();
}

/* By another tab, where one is signed in. */
async function letIn() {
    const key = await tabs.ask();
    if (key && !api.getKey()) api.setKey(key);
}

function askKey(error) {
    api.closeStream();
    leave();
    if (!error) forgetDrafts(); /* one has signed out */
    const input = h("input", { type: "password", autocomplete: "new-password", spellcheck: "false", placeholder: "e8k_…", required: true });
    const whole = field(
        "API key",
        input,
        "It stands in the address that emit8 serve printed, and in the file api-key of its state directory. It stays in this browser's open tabs, and nowhere else.",
    );
    const form = h(
        "form",
        { class: "panel key-form" },
        h("h1", { tabindex: -1 }, "An API key, please"),
        h("p", null, "This dashboard talks to the API of emit8 serve with a key, as your own programs do."),
        whole,
        h("div", { class: "row" }, h("button", { type: "submit", class: "primary" }, "Open the dashboard")),
    );
    if (error && api.getKey()) whole.complain("This key is not accepted.");
    form.addEventListener("submit", (event) => {
        event.preventDefault();
        enter(input.value.trim());
    });
    api.setKey(null);
    document.title = "API key · emit8";
    document.getElementById("key").hidden = true;
    document.body.dataset.locked = "";
    fill(main, h("div", { class: "page" }, form));
    input.focus();
}

function setUpKey() {
    const forget = document.getElementById("key");
    fill(forget, icon("key"));
    forget.title = "Forget the API key, in all tabs";
    forget.setAttribute("aria-label", forget.title);
    forget.addEventListener("click", () => {
        tabs.leave();
        askKey(null);
    });
    addEventListener("emit8:accepted", () => tabs.give(api.goodKey()));
    tabs.listen({
        key: api.goodKey,
        given: (key) => isLocked() && enter(key),
        left: () => api.getKey() && askKey(null),
    });
    addEventListener("emit8:unauthorized", (event) => isLocked() || askKey(event.detail));
}

/* ---- the theme ---- */
const THEMES = { auto: ["auto", "Theme: as the system"], light: ["sun", "Theme: light"], dark: ["moon", "Theme: dark"] };

function setTheme(name) {
    globalThis.applyTheme(name);
    try {
        localStorage.setItem("emit8.theme", name);
    } catch {
        /* it lasts as long as the page then */
    }
    drawTheme();
    repaint();
}

function drawTheme() {
    const control = document.getElementById("theme");
    const [name, text] = THEMES[document.documentElement.dataset.theme ?? "auto"];
    fill(control, icon(name));
    control.title = text;
    control.setAttribute("aria-label", text);
}

function setUpTheme() {
    const order = Object.keys(THEMES);
    drawTheme();
    document.getElementById("theme").addEventListener("click", () => {
        const at = order.indexOf(document.documentElement.dataset.theme ?? "auto");
        setTheme(order[(at + 1) % order.length]);
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
}

/* ---- the stream ---- */
const LIVE = { live: "Live", lost: "Reconnecting", off: "Paused" };

function setUpStream() {
    const place = document.getElementById("live");
    api.listen((name, state) => {
        if (name !== "state") return;
        place.dataset.state = state;
        place.textContent = LIVE[state];
    });
    document.addEventListener("visibilitychange", () => {
        if (isLocked()) return;
        if (document.hidden) api.closeStream();
        else api.openStream();
    });
}

async function showVersion() {
    try {
        const { version, auth } = await api.info();
        document.getElementById("version").textContent = plain(`emit8 ${version}`);
        document.getElementById("key").hidden = !auth;
    } catch {
        /* the page itself tells what is wrong */
    }
}

function start() {
    delete document.body.dataset.locked;
    api.openStream();
    showVersion();
    show(false);
}

async function setUp() {
    for (const link of document.querySelectorAll("[data-icon]")) link.prepend(icon(link.dataset.icon));
    document.getElementById("skip").addEventListener("click", (event) => {
        event.preventDefault();
        main.focus();
    });
    setUpTheme();
    setUpKey();
    setUpStream();
    addEventListener("emit8:waiting", (event) => tellWaiting(event.detail));
    api.takeKey();
    addEventListener("hashchange", () => {
        if (location.hash.startsWith("#key=")) {
            api.takeKey();
            start();
        } else if (!isLocked()) show();
    });
    fill(main, loading());
    if (!api.getKey()) await letIn();
    start();
}

setUp();
