#include "cli/preview.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/plan_view.h"
#include "cli/session.h"

enum e8_rc e8_cli_preview(const struct e8_args *args, struct e8_cli_preview *out, struct e8_err *err)
{
    const char *plan = e8_arg(args, "plan");
    *out = (struct e8_cli_preview){plan || e8_arg_set(args, "dry-run"), plan, plan ? 0 : 50};
    if (plan && strcmp(plan, "json") != 0 && strcmp(plan, "ndjson") != 0) {
        return e8_fail(err, E8_INPUT, "json or ndjson", "--plan \"%s\" is not known", plan);
    }
    if (!out->dry && e8_arg_set(args, "limit")) {
        return e8_fail(err, E8_INPUT, "add --dry-run", "--limit is for --dry-run and --plan");
    }
    return e8_arg_u64(args, "limit", 0, INT64_MAX, &out->limit, err);
}

int e8_cli_preview_show(const struct e8_args *args, const struct e8_plan *plan,
                        const struct e8_catalog *catalog, e8_wall_ns clock,
                        const struct e8_cli_preview *preview)
{
    struct e8_err err = {0};
    struct e8_plan_view view = {.plan = plan,
                                .catalog = catalog,
                                .clock = clock ? clock : e8_wall_now(),
                                .limit = preview->limit,
                                .style = e8_cli_style(args, stdout),
                                .out = stdout};
    const char *columns = isatty(STDOUT_FILENO) ? NULL : getenv("COLUMNS");
    uint64_t width;
    if (columns && e8_parse_u64(e8_str(columns), &width) && width >= 60 && width <= 1000) {
        view.style.width = (int)width;
    }
    struct e8_buf note;
    e8_buf_init(&note, 64 << 10);
    enum e8_rc rc = e8_plan_check(plan, catalog, &note, &err);
    if (!rc && note.n) {
        fprintf(stderr, "emit8: %s", e8_buf_cstr(&note));
    }
    e8_buf_fini(&note);
    if (!rc) {
        rc = preview->plan ? e8_plan_json(&view, strcmp(preview->plan, "ndjson") == 0, &err)
                           : e8_plan_print(&view, &err);
    }
    return rc ? e8_exit_error(&err) : E8_EXIT_PASS;
}
