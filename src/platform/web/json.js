/* JSON for reading, without changing it: numbers and strings stay as they were written. */
import { h, clipped } from "./dom.js";

const LINES = 400; /* shown at first */
const STRING = 600;

/* [kind, text] of each token; the text is known to be JSON. Without regular expressions over strings: they may have megabytes. */
function* tokens(text) {
    for (let at = 0; at < text.length; ) {
        const c = text[at];
        if (c === " " || c === "\t" || c === "\n" || c === "\r") at++;
        else if ("{}[],:".includes(c)) {
            yield [c, c];
            at++;
        } else {
            const end = c === '"' ? stringEnd(text, at) : wordEnd(text, at);
            yield [c === '"' ? "string" : /[tfn]/.test(c) ? "word" : "number", text.slice(at, end)];
            at = end;
        }
    }
}

function stringEnd(text, start) {
    for (let at = start + 1; ; ) {
        const quote = text.indexOf('"', at);
        if (quote < 0) return text.length;
        let slashes = 0;
        while (text[quote - 1 - slashes] === "\\") slashes++;
        if (slashes % 2 === 0) return quote + 1;
        at = quote + 1;
    }
}

function wordEnd(text, at) {
    while (at < text.length && !" \t\n\r{}[],:".includes(text[at])) at++;
    return at;
}

/* Lines of [depth, [[kind, text], …]]. */
export function layOut(text) {
    const all = [...tokens(text)];
    const lines = [];
    let depth = 0;
    let line = [];
    const end = () => {
        if (line.length) lines.push([depth, line]);
        line = [];
    };
    all.forEach(([kind, token], i) => {
        const next = all[i + 1]?.[0];
        if (kind === "{" || kind === "[") {
            line.push(["mark", token]);
            if (next === "}" || next === "]") return;
            end();
            depth++;
        } else if (kind === "}" || kind === "]") {
            const before = all[i - 1]?.[0];
            if (before !== "{" && before !== "[") {
                end();
                depth--;
            }
            line.push(["mark", token]);
        } else if (kind === ",") {
            line.push(["mark", ","]);
            end();
        } else if (kind === ":") line.push(["mark", ": "]);
        else line.push([kind === "string" && next === ":" ? "key" : kind, token]);
    });
    end();
    return lines;
}

/* The same as plain text, to be edited. */
export const indent = (text) =>
    layOut(text)
        .map(([depth, line]) => "  ".repeat(depth) + line.map(([, token]) => token).join(""))
        .join("\n");

function drawn(lines) {
    return lines.map(([depth, line]) => [
        "  ".repeat(Math.min(depth, 40)),
        line.map(([kind, token]) => (kind === "mark" ? token : h("span", { class: `json-${kind}` }, clipped(token, STRING)))),
        "\n",
    ]);
}

export function isJson(text) {
    try {
        JSON.parse(text);
        return true;
    } catch {
        return false;
    }
}

/* Where it stops being JSON: {message, line, column}; null: nowhere. */
export function fault(text) {
    try {
        JSON.parse(text);
        return null;
    } catch (error) {
        const at = /position (\d+)/.exec(error.message);
        const before = text.slice(0, at ? Number(at[1]) : text.length).split("\n");
        const message = error.message.replace(/ in JSON at position.*| \(line.*|,? ?"?\.\.\..*$/s, "").replace(/^Unexpected end of JSON input$/, "it ends too early");
        return { message, line: before.length, column: before.at(-1).length + 1 };
    }
}

/* Pretty where it is JSON, else as it is. */
export function jsonView(text, label) {
    const pre = h("pre", { class: "code", tabindex: 0, role: "region", "aria-label": label });
    if (!isJson(text)) {
        pre.append(clipped(text, 20000, true));
        return pre;
    }
    const lines = layOut(text);
    pre.append(...[drawn(lines.slice(0, LINES))].flat(3));
    if (lines.length > LINES) {
        const more = h("button", { type: "button", class: "more" }, `show all ${lines.length.toLocaleString("en")} lines`);
        more.addEventListener("click", () => more.replaceWith(...drawn(lines.slice(LINES)).flat(3)));
        pre.append(more);
    }
    return pre;
}

export function textView(text, label) {
    return h("pre", { class: "code", tabindex: 0, role: "region", "aria-label": label }, clipped(text, 20000, true));
}
