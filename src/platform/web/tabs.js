/* The tabs of one browser: who is signed in lets the others in, and who signs out takes them along. What they say to each other reaches
 * pages of this origin alone, and is kept nowhere. */

const PATIENCE = 250; /* ms that a new tab waits for the others */

const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("emit8") : null;

/* key(): this tab's, once the server has taken it; else null. given(key): another tab has one. left(): another has signed out. */
export function listen({ key, given, left }) {
    channel?.addEventListener("message", ({ data }) => {
        if (data.what === "ask" && key()) give(key());
        else if (data.what === "key") given(data.key);
        else if (data.what === "left") left();
    });
}

export const give = (key) => channel?.postMessage({ what: "key", key });
export const leave = () => channel?.postMessage({ what: "left" });

/* A key of another tab; null: none has answered. */
export function ask() {
    if (!channel) return Promise.resolve(null);
    return new Promise((resolve) => {
        const answer = ({ data }) => data.what === "key" && end(data.key);
        const end = (key) => {
            clearTimeout(timer);
            channel.removeEventListener("message", answer);
            resolve(key);
        };
        const timer = setTimeout(end, PATIENCE, null);
        channel.addEventListener("message", answer);
        channel.postMessage({ what: "ask" });
    });
}
