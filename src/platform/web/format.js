/* Numbers, durations and times as people read them. */

const whole = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const year = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

export const count = (n) => whole.format(n);

/* In few characters; all those of one axis in one form, which its greatest has. */
export const few = (n, most = n) => (most < 10000 ? whole.format(n) : compact.format(n));
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

const decimals = (value) => (value < 10 || value > 99 ? (value % 1 ? 2 : 0) : 1);

/* The shares of one whole that stand beside each other: all with as many decimals as one of them needs. A share that is not nothing is
 * never shown as nothing, nor one that is not all as all. */
export function percents(parts, all) {
    if (!all) return parts.map(() => "–");
    const values = parts.map((part) => (100 * part) / all);
    const most = Math.max(...values.map(decimals));
    return values.map((value) => {
        if (value > 0 && value < 0.01) return "<\u00a00.01\u00a0%";
        if (value < 100 && value > 99.99) return ">\u00a099.99\u00a0%";
        return `${value.toFixed(most)}\u00a0%`;
    });
}

export const percent = (part, all) => percents([part], all)[0];

export function ms(value) {
    if (value === null || value === undefined) return "–";
    if (value < 0.01) return "0\u00a0ms";
    if (value < 10) return `${value.toFixed(value < 1 ? 2 : 1)}\u00a0ms`;
    if (value < 1000) return `${Math.round(value)}\u00a0ms`;
    if (value < 60000) return `${(value / 1000).toFixed(value < 10000 ? 2 : 1)}\u00a0s`;
    return span(value);
}

/* What is known to some 6 %, as a percentile of the overview: in two digits. */
export function rough(value) {
    if (value === null || value === undefined || value < 0.01) return ms(value);
    const two = Number(value.toPrecision(2));
    if (two < 1000) return `${two < 10 ? two.toFixed(two < 1 ? 2 : 1) : two}\u00a0ms`;
    return two < 60000 ? `${(two / 1000).toFixed(two < 10000 ? 1 : 0)}\u00a0s` : span(two);
}

/* A power of ten of an axis, in ms. */
export const decade = (value) => (value < 1000 ? `${Number(value.toPrecision(1))}\u00a0ms` : `${whole.format(value / 1000)}\u00a0s`);

/* Was most of it time in which emit8 had not begun yet? Then it says little of the receiver. */
export const mostlyWaited = (response, waited) => waited >= 100 && 2 * waited >= response;

/* Longer: 1 h 04 min */
export function span(value) {
    if (value > 0 && value < 100) return `${Math.max(1, Math.round(value))}\u00a0ms`;
    if (value < 9950) return `${Number((value / 1000).toFixed(1))}\u00a0s`;
    const seconds = Math.round(value / 1000);
    if (seconds < 60) return `${seconds}\u00a0s`;
    if (seconds < 3600) return seconds % 60 ? `${Math.floor(seconds / 60)}\u00a0min\u00a0${seconds % 60}\u00a0s` : `${seconds / 60}\u00a0min`;
    const minutes = Math.round(seconds / 60);
    if (minutes < 2880) return minutes % 60 ? `${Math.floor(minutes / 60)}\u00a0h\u00a0${minutes % 60}\u00a0min` : `${minutes / 60}\u00a0h`;
    return `${Math.round(minutes / 1440)}\u00a0days`;
}

export function bytes(n) {
    if (n < 1000) return plural(n, "byte");
    if (n < 1e6) return `${(n / 1000).toFixed(n < 1e4 ? 1 : 0)} kB`;
    return `${(n / 1e6).toFixed(1)} MB`;
}

const sameDay = (a, b) => a.toDateString() === b.toDateString();

/* 14:03:22.418, with the day where it is another than today's. millis: true, false, or "today" */
export function stamp(iso, millis = true) {
    const at = new Date(iso);
    if (Number.isNaN(at.getTime())) return String(iso);
    const today = sameDay(at, new Date());
    const time =
        clock.format(at) + (millis === true || (millis === "today" && today) ? `.${String(at.getMilliseconds()).padStart(3, "0")}` : "");
    if (today) return time;
    return `${(at.getFullYear() === new Date().getFullYear() ? day : year).format(at)}, ${time}`;
}

/* 3 min ago, in 20 h */
export function away(iso, now = Date.now()) {
    const gap = new Date(iso).getTime() - now;
    const size = Math.abs(gap);
    if (Number.isNaN(gap)) return String(iso);
    if (size < 1500) return "now";
    const text =
        size < 60000
            ? `${Math.round(size / 1000)} s`
            : size < 3600000
              ? `${Math.round(size / 60000)} min`
              : size < 172800000
                ? `${Math.round(size / 3600000)} h`
                : `${Math.round(size / 86400000)} days`;
    return gap < 0 ? `${text} ago` : `in ${text}`;
}

export const zone =
    new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(new Date()).find((part) => part.type === "timeZoneName")
        ?.value ?? "";
