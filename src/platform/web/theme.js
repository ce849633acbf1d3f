/* Before anything is drawn: the theme that was chosen. Without a choice the system's holds. */
"use strict";

/* "light", "dark", or anything else for the system's. */
globalThis.applyTheme = function (name) {
    const media = { light: "not all", dark: "all" }[name];
    const { dataset } = document.documentElement;
    if (media) dataset.theme = name;
    else delete dataset.theme;
    document.getElementById("dark").media = media ?? "(prefers-color-scheme: dark)";
};

(function () {
    try {
        applyTheme(localStorage.getItem("emit8.theme"));
    } catch {
        /* storage may be forbidden; the system's theme it is */
    }
})();
