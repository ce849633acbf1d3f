/* Before anything is drawn: the theme that was chosen. Without a choice the system's holds. */
"use strict";
(function () {
    let theme = null;
    try {
        theme = localStorage.getItem("emit8.theme");
    } catch {
        /* storage may be forbidden; the system's theme it is */
    }
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
