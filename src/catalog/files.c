#include "catalog/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "catalog/catalog.h"
#include "catalog/embed.h"
#include "digest/digest.h"

#define FIXTURES "fixtures/"

static const char *const folders[] = {"", "events/", "schemas/", "words/"};

static struct e8_fixture_file *find_slot(struct e8_fixture_files *files, const char *path)
{
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files->list[i].path, path) == 0) {
            return &files->list[i];
        }
    }
    return NULL;
}

static struct e8_fixture_file *add_slot(struct e8_fixture_files *files, const char *path)
{
    files->list = e8_resize(files->list, files->count + 1, sizeof *files->list);
    struct e8_fixture_file *file = &files->list[files->count++];
    memset(file, 0, sizeof *file);
    file->path = e8_dup(path);
    return file;
}

static void add_builtin(struct e8_fixture_files *files)
{
    for (size_t i = 0; i < e8_embedded_count; i++) {
        const struct e8_embedded_file *embedded = &e8_embedded_files[i];
        if (strncmp(embedded->path, FIXTURES, sizeof FIXTURES - 1) == 0) {
            struct e8_fixture_file *file = add_slot(files, embedded->path + sizeof FIXTURES - 1);
            file->shown = e8_dup(embedded->path);
            file->text = (struct e8_str){embedded->begin, (size_t)(embedded->end - embedded->begin)};
        }
    }
}

static bool is_json(const char *name)
{
    size_t n = strlen(name);
    return n > 5 && name[0] != '.' && strcmp(name + n - 5, ".json") == 0;
}

static void add_from_disk(struct e8_fixture_files *files, const char *path, const char *shown,
                          struct e8_errs *errs)
{
    struct e8_err err = {0};
    struct e8_buf read;
    if (e8_file_read(shown, E8_FILE_MAX, &read, &err)) {
        e8_errs_add(errs, &err);
        e8_buf_fini(&read);
        return;
    }
    struct e8_fixture_file *file = find_slot(files, path);
    if (file) {
        free(file->shown);
    } else {
        file = add_slot(files, path);
    }
    file->shown = e8_dup(shown);
    file->from_disk = true;
    file->read = read;
    file->text = e8_buf_str(&file->read);
}

static void add_folder(struct e8_fixture_files *files, const char *overlay, const char *folder,
                       struct e8_errs *errs)
{
    struct e8_arena *arena = e8_arena_new();
    const char *path = e8_arena_printf(arena, "%s/%s", overlay, folder);
    DIR *dir = opendir(path);
    struct dirent *entry;
    if (!dir && errno != ENOENT) {
        struct e8_err err = {0};
        e8_fail_at(&err, path, 0, 0, NULL, "%s", strerror(errno));
        e8_errs_add(errs, &err);
    }
    while (dir && (entry = readdir(dir)) != NULL) {
        if (is_json(entry->d_name)) {
            add_from_disk(files, e8_arena_printf(arena, "%s%s", folder, entry->d_name),
                          e8_arena_printf(arena, "%s/%s%s", overlay, folder, entry->d_name), errs);
        }
    }
    if (dir) {
        closedir(dir);
    }
    e8_arena_free(&arena);
}

static enum e8_rc add_overlay(struct e8_fixture_files *files, const char *overlay, struct e8_errs *errs)
{
    struct stat st;
    struct e8_err err = {0};
    if (stat(overlay, &st) != 0) {
        e8_fail_at(&err, overlay, 0, 0, "give a directory in the layout of fixtures/", "%s", strerror(errno));
        return e8_errs_add(errs, &err);
    }
    if (!S_ISDIR(st.st_mode)) {
        e8_fail_at(&err, overlay, 0, 0, "give a directory in the layout of fixtures/", "is not a directory");
        return e8_errs_add(errs, &err);
    }
    size_t before = errs->total, builtin = files->count;
    bool any = false;
    for (size_t i = 0; i < E8_COUNT(folders); i++) {
        add_folder(files, overlay, folders[i], errs);
    }
    for (size_t i = 0; i < files->count; i++) {
        any = any || i >= builtin || files->list[i].from_disk;
    }
    if (!any && errs->total == before) {
        e8_fail_at(&err, overlay, 0, 0,
                   "it wants catalog.json, events/TYPE.json, schemas/TYPE.json, words/NAME.json, …",
                   "has no fixture files");
        return e8_errs_add(errs, &err);
    }
    return E8_OK;
}

static int by_path(const void *a, const void *b)
{
    const struct e8_fixture_file *x = a, *y = b;
    return strcmp(x->path, y->path);
}

enum e8_rc e8_fixture_files_load(const char *overlay, struct e8_fixture_files *out, struct e8_errs *errs)
{
    memset(out, 0, sizeof *out);
    add_builtin(out);
    enum e8_rc rc = overlay ? add_overlay(out, overlay, errs) : E8_OK;
    if (out->count) {
        qsort(out->list, out->count, sizeof *out->list, by_path);
    }
    return rc;
}

void e8_fixture_files_fini(struct e8_fixture_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->list[i].path);
        free(files->list[i].shown);
        e8_buf_fini(&files->list[i].read);
    }
    free(files->list);
    memset(files, 0, sizeof *files);
}

const struct e8_fixture_file *e8_fixture_files_find(const struct e8_fixture_files *files, const char *path)
{
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files->list[i].path, path) == 0) {
            return &files->list[i];
        }
    }
    return NULL;
}

void e8_fixture_files_digest(const struct e8_fixture_files *files, char out[65])
{
    struct e8_sha256 *sha = e8_sha256_new();
    for (size_t i = 0; i < files->count; i++) {
        char size[32];
        struct e8_buf text;
        e8_buf_fixed(&text, size, sizeof size);
        e8_buf_printf(&text, "\n%zu\n", files->list[i].text.n);
        e8_sha256_add(sha, e8_str(files->list[i].path));
        e8_sha256_add(sha, e8_buf_str(&text));
        e8_sha256_add(sha, files->list[i].text);
    }
    uint8_t digest[32];
    e8_sha256_end(&sha, digest);
    struct e8_buf hex;
    e8_buf_fixed(&hex, out, 64);
    e8_hex_put(&hex, digest, sizeof digest);
    out[64] = '\0';
}
