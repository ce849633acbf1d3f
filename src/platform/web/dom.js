/* Elements from data. Text goes in as text nodes and nothing else; characters that cannot be seen, or that change the order of
 * others, are shown by name. */

const SVG = "http://www.w3.org/2000/svg";

/* Controls, soft hyphen, zero width, bidi, line and paragraph separators, tags, lone surrogates. */
const UNSEEN =
    /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb\ud800-\udfff\u{e0000}-\u{e007f}]/gu;
const UNSEEN_IN_LINES =
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb\ud800-\udfff\u{e0000}-\u{e007f}]/gu;
const JOINED = /^[\p{Extended_Pictographic}\ufe0f\u{1f3fb}-\u{1f3ff}]/u;

const CONTROLS =
    "NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US".split(" ");

function nameOf(character) {
    const code = character.codePointAt(0);
    if (code < 0x20) return CONTROLS[code];
    if (code === 0x7f) return "DEL";
    return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/* The joiner within one emoji belongs to it. */
function joins(text, at) {
    if (text[at] !== "\u200d") return false;
    const before = [...text.slice(Math.max(0, at - 2), at)].at(-1) ?? "";
    return JOINED.test(before) && JOINED.test(text.slice(at + 1, at + 3));
}

export const hasUnseen = (text) => text.search(UNSEEN) >= 0;

/* Text for where only text can stand: attributes, options, the title. */
export function plain(text) {
    return String(text).replace(UNSEEN, (c, at) => (joins(text, at) ? c : c === "\n" || c === "\t" ? " " : `⟨${nameOf(c)}⟩`));
}

/* Text as nodes; with `lines`, line breaks and tabs stay what they are. */
export function visible(text, lines = false) {
    text = String(text);
    const unseen = lines ? UNSEEN_IN_LINES : UNSEEN;
    unseen.lastIndex = 0;
    if (!unseen.test(text)) return document.createTextNode(text);
    const out = document.createDocumentFragment();
    let from = 0;
    unseen.lastIndex = 0;
    for (const match of text.matchAll(unseen)) {
        if (joins(text, match.index)) continue;
        if (match.index > from) out.append(text.slice(from, match.index));
        const mark = document.createElement("span");
        mark.className = "unseen";
        mark.textContent = nameOf(match[0]);
        out.append(mark);
        from = match.index + match[0].length;
    }
    out.append(text.slice(from));
    return out;
}

export function append(element, child, lines = false) {
    if (child === null || child === undefined || child === false) return;
    if (Array.isArray(child)) child.forEach((each) => append(element, each, lines));
    else if (child instanceof Node) element.append(child);
    else if (element instanceof HTMLOptionElement || element instanceof HTMLTextAreaElement) element.append(plain(child));
    else element.append(visible(child, lines));
}

const SPOKEN = new Set(["title", "aria-label", "placeholder", "alt"]);

function set(element, name, value) {
    if (value === null || value === undefined || value === false) return;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.setAttribute("class", value);
    else if (name === "data")
        Object.entries(value).forEach(([key, each]) => each === null || each === undefined || (element.dataset[key] = each));
    else if (name === "vars") Object.entries(value).forEach(([key, each]) => element.style.setProperty(key, each));
    else if (name === "value" || name === "checked" || name === "disabled" || name === "hidden" || name === "selected")
        element[name] = value;
    else element.setAttribute(name, value === true ? "" : SPOKEN.has(name) ? plain(value) : value);
}

/* h("a", {href: "#/x", onclick: fn, data: {state: "ok"}}, "text", node, [nodes], null) */
export function h(name, props, ...children) {
    const element = document.createElement(name);
    const lines = name === "pre";
    for (const child of children) append(element, child, lines);
    for (const [key, value] of Object.entries(props ?? {})) set(element, key, value);
    return element;
}

export function svg(name, props, ...children) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(props ?? {})) if (value !== null && value !== undefined) element.setAttribute(key, value);
    for (const child of children) append(element, child, false);
    return element;
}

export function fill(element, ...children) {
    element.replaceChildren();
    for (const child of children) append(element, child, element.tagName === "PRE");
    return element;
}

/* Not in the middle of a pair of surrogates. */
export function cut(text, limit) {
    if (text.length <= limit) return text;
    const code = text.charCodeAt(limit - 1);
    return text.slice(0, code >= 0xd800 && code <= 0xdbff ? limit - 1 : limit);
}

/* Long text is cut, with a button that shows the rest. */
export function clipped(text, limit, lines = false) {
    text = String(text);
    if (text.length <= limit) return visible(text, lines);
    const whole = h("span", null, visible(cut(text, limit), lines), "… ");
    const more = h("button", { type: "button", class: "more" }, `show all ${text.length.toLocaleString("en")} characters`);
    more.addEventListener("click", () => whole.replaceChildren(...inPieces(text, lines)));
    whole.append(more);
    return whole;
}

/* A megabyte in one text node makes each layout slow. */
function inPieces(text, lines) {
    const pieces = [];
    for (let at = 0; at < text.length;) {
        const piece = cut(text.slice(at, at + 20000), 19999);
        pieces.push(h("span", { class: "piece" }, visible(piece, lines)));
        at += piece.length;
    }
    return pieces;
}

/* Short text in one line: cut without a button, for tables and options. */
export function short(text, limit = 200) {
    text = String(text);
    return text.length > limit ? `${cut(text, limit)}…` : text;
}

/* Names and addresses may be broken where they have a mark, before they are broken anywhere. */
export function soft(text) {
    return short(text)
        .split(/(?<=[./_?&])/)
        .map((part) => [part, h("wbr")]);
}

const PATHS = {
    overview: "M3 12h3l2-6 4 10 2-6 1.5 2H17",
    deliveries: "M3 5h14M3 10h14M3 15h9",
    endpoints: "M10 10m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0M10 3v4.5M10 12.5V17M3 10h4.5M12.5 10H17",
    test: "M3 10l14-6-5 13-3-5.5zM9 11.5l4-4",
    scenarios: "M6 4l9 6-9 6z",
    check: "M4 10.5l4 4 8-9",
    cross: "M5 5l10 10M15 5L5 15",
    clock: "M10 3a7 7 0 1 0 .01 0M10 6v4l3 2",
    retry: "M15.5 8A6 6 0 1 0 16 11M16 4v4h-4",
    minus: "M4 10h12",
    copy: "M7 7h9v9H7zM13 7V4H4v9h3",
    sun: "M10 6.5a3.5 3.5 0 1 0 .01 0M10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1.1 1.1M14.6 14.6l1.1 1.1M4.3 15.7l1.1-1.1M14.6 5.4l1.1-1.1",
    moon: "M16 11.5A6.5 6.5 0 1 1 8.5 4a5 5 0 0 0 7.5 7.5z",
    auto: "M10 3a7 7 0 1 0 .01 0M10 3v14",
    key: "M12.5 4a3.5 3.5 0 1 0 .01 0M10 10l-6 6M5 15l2 2",
    plus: "M10 4v12M4 10h12",
    back: "M12 4l-6 6 6 6",
    down: "M5 8l5 5 5-5",
    warn: "M10 3l7.5 13.5h-15zM10 8v4M10 14v.5",
    stop: "M5 5h10v10H5z",
    shield: "M10 3l6 2v5c0 4-3 6-6 7-3-1-6-3-6-7V5z",
    edit: "M4 16l1-4 8-8 3 3-8 8z",
};

export function icon(name) {
    return svg(
        "svg",
        { class: "icon", viewBox: "0 0 20 20", width: 16, height: 16, "aria-hidden": "true", focusable: "false" },
        svg("path", {
            d: PATHS[name],
            fill: "none",
            stroke: "currentColor",
            "stroke-width": "1.6",
            "stroke-linecap": "round",
            "stroke-linejoin": "round",
        }),
    );
}
