/* The API of `emit8 serve`: calls, the stream of what happens, and what is asked often. */

const KEY = "emit8.key";

export class ApiError extends Error {
    constructor(status, code, message, details = [], retryAfter = null) {
        super(message);
        Object.assign(this, { status, code, details, retryAfter });
    }
}

/* The key stands behind the # of the address that `emit8 serve` prints, for one page view. */
export function takeKey() {
    const given = /^#key=([^&]+)/.exec(location.hash);
    if (!given) return;
    setKey(decodeURIComponent(given[1]));
    history.replaceState(history.state, "", `${location.pathname}#/overview`);
}

let memory = null; /* where storage is forbidden */
let accepted = false; /* has the server taken the key? */

export function getKey() {
    try {
        return sessionStorage.getItem(KEY) ?? memory;
    } catch {
        return memory;
    }
}

/* Another tab may have it. */
export const goodKey = () => (accepted ? getKey() : null);

function accept() {
    if (accepted || !getKey()) return;
    accepted = true;
    dispatchEvent(new CustomEvent("emit8:accepted"));
}

export function setKey(key) {
    memory = key;
    accepted = false;
    try {
        if (key) sessionStorage.setItem(KEY, key);
        else sessionStorage.removeItem(KEY);
    } catch {
        /* it lasts as long as the page then */
    }
    forget();
}

function headers(body) {
    const out = { "X-Emit8-Client": "dashboard" }; /* not counted by the plan's limit */
    const key = getKey();
    /* Header values are bytes: a key with other characters is wrong, and the server shall say so. */
    if (key) out.Authorization = `Bearer ${key.replace(/[^\x21-\x7e]/g, "?")}`;
    if (body !== undefined) out["Content-Type"] = "application/json";
    return out;
}

function address(path, query) {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query ?? {})) {
        for (const each of [value].flat()) if (each !== null && each !== undefined && each !== "") search.append(name, each);
    }
    const text = search.toString();
    return text ? `${path}?${text}` : path;
}

async function reach(path, options) {
    try {
        return await fetch(path, { cache: "no-store", credentials: "omit", redirect: "error", ...options });
    } catch (error) {
        if (error.name === "AbortError") throw error;
        throw new ApiError(0, "UNREACHABLE", "emit8 serve does not answer; is it still running?");
    }
}

async function failure(response) {
    let error = {};
    try {
        error = (await response.json()).error ?? {};
    } catch {
        /* whoever answered was not the API */
    }
    const wait = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
    const made = new ApiError(
        response.status,
        error.code ?? "HTTP",
        error.message ?? `the server answered ${response.status} without saying why; look at what emit8 serve has printed`,
        error.details ?? [],
        Number.isNaN(wait) ? null : wait,
    );
    if (made.status === 401) dispatchEvent(new CustomEvent("emit8:unauthorized", { detail: made }));
    return made;
}

const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

const PATIENCE = 60; /* seconds that what was asked for waits for a rate limit */

/* A refusal by the rate limit has done nothing: what shall change something waits, and is tried again. Reading is up to the page. */
const waits = (method, { status, retryAfter }) => method !== "GET" && status === 429 && retryAfter !== null && retryAfter <= PATIENCE;

/* The whole answer: {data, page}. */
export async function ask(method, path, { query, body, signal } = {}) {
    const options = { method, signal, headers: headers(body), body: body === undefined ? undefined : JSON.stringify(body) };
    for (;;) {
        const response = await reach(address(path, query), options);
        if (response.ok) {
            accept();
            again?.(); /* it is there: the stream need not wait */
            return response.json();
        }
        const error = await failure(response);
        if (!waits(method, error)) throw error;
        dispatchEvent(new CustomEvent("emit8:waiting", { detail: error }));
        await pause(1000 * error.retryAfter);
    }
}

export const get = async (path, query, signal) => (await ask("GET", path, { query, signal })).data;
export const post = async (path, body = {}, signal) => (await ask("POST", path, { body, signal })).data;
export const patch = async (path, body) => (await ask("PATCH", path, { body })).data;
export const remove = async (path) => (await ask("DELETE", path)).data;

/* What is asked often, and changes seldom. */
const kept = new Map();

function keep(path) {
    if (!kept.has(path)) {
        const asked = get(path);
        kept.set(path, asked);
        asked.catch(() => kept.delete(path));
    }
    return kept.get(path);
}

export const forget = (path) => (path ? kept.delete(path) : kept.clear());
export const info = () => keep("/v1/info");
export const catalogue = () => keep("/v1/events");
export const webhooks = () => keep("/v1/webhooks");

/* ---- the stream ---- */
const listeners = new Set();
let stream = null; /* its AbortController while it is wanted */
let state = "off";
let again = null; /* ends the wait before the stream is asked for once more */

export function listen(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
}

/* What happened while there was no stream is not told again. */
export const isBack = (name, state) => name === "state" && state === "live";

function tell(name, data) {
    for (const listener of [...listeners]) listener(name, data);
}

function become(next) {
    if (next === state) return;
    if (next === "live" && state === "lost") forget(); /* it may be another server, or the same with other endpoints */
    state = next;
    tell("state", next);
}

/* One event of text/event-stream. */
function parseEvent(text) {
    let name = "message";
    const data = [];
    for (const line of text.split("\n")) {
        if (line.startsWith("event:")) name = line.slice(6).trim();
        else if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
    }
    return data.length ? { name, data: data.join("\n") } : null;
}

function take(text) {
    const event = parseEvent(text);
    if (!event) return;
    let data;
    try {
        data = JSON.parse(event.data);
    } catch {
        return; /* not ours */
    }
    if (event.name === "webhook") forget("/v1/webhooks");
    tell(event.name, data);
}

async function read(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        const parts = (rest + value).replace(/\r\n?/g, "\n").split("\n\n");
        rest = parts.pop();
        parts.forEach(take);
    }
}

async function follow(controller) {
    for (let wait = 500; stream === controller; wait = Math.min(wait * 2, 15000)) {
        let refused = false; /* it is there, and wants to be left alone */
        try {
            const response = await reach("/v1/stream", { headers: headers(), signal: controller.signal });
            if (!response.ok) throw await failure(response);
            become("live");
            wait = 500;
            await read(response.body);
        } catch (error) {
            if (error.status === 401) return become("off");
            refused = error.status > 0;
        }
        if (stream !== controller) return undefined;
        become("lost");
        await Promise.race([pause(wait), new Promise((resolve) => (again = refused ? null : resolve))]);
        again = null;
    }
    return undefined;
}

/* Browsers give a server six connections: a tab that nobody sees gives its own back. */
export function openStream() {
    closeStream();
    if (document.hidden) return;
    stream = new AbortController();
    follow(stream);
}

export function closeStream() {
    stream?.abort();
    stream = null;
    become("off");
}
