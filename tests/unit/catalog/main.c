#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests.h"

static struct e8_catalog *loaded;

const struct e8_catalog *builtin(void)
{
    struct e8_errs errs;
    e8_errs_init(&errs);
    if (!loaded && e8_catalog_load(NULL, &loaded, &errs)) {
        e8_errs_print(&errs, stderr);
    }
    e8_errs_fini(&errs);
    assert_non_null(loaded);
    return loaded;
}

void builtin_free(void)
{
    e8_catalog_free(&loaded);
}

void place_make(struct place *place)
{
    *place = (struct place){"/tmp/e8-catalog-XXXXXX"};
    assert_non_null(mkdtemp(place->path));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

void place_remove(struct place *place)
{
    nftw(place->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void place_put(struct place *place, const char *file, const char *text)
{
    char path[256];
    const char *slash = strchr(file, '/');
    if (slash) {
        snprintf(path, sizeof path, "%s/%.*s", place->path, (int)(slash - file), file);
        mkdir(path, 0700);
    }
    snprintf(path, sizeof path, "%s/%s", place->path, file);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

void print_errors(const struct e8_errs *errs)
{
    e8_errs_print(errs, stderr);
}

bool has_error(const struct e8_errs *errs, const char *file, int line, int col, const char *what)
{
    for (size_t i = 0; i < errs->count; i++) {
        const struct e8_err *err = &errs->list[i];
        size_t n = strlen(err->file), m = strlen(file);
        if (err->line == line && err->col == col && n >= m && strcmp(err->file + n - m, file) == 0 &&
            strstr(err->what, what)) {
            return true;
        }
    }
    print_errors(errs);
    print_error("no error at %s:%d:%d with \"%s\"\n", file, line, col, what);
    return false;
}

void expect_error(const struct e8_errs *errs, const char *file, int line, int col, const char *what)
{
    assert_true(has_error(errs, file, line, col, what));
}

int main(void)
{
    int failed = test_catalog() + test_faults() + test_edits() + test_schema() + test_shapes();
    builtin_free();
    return failed != 0;
}
