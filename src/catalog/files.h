/* The set of files a catalogue is made of: built in, with a directory laid over them. Internal to catalog. */
#ifndef E8_CATALOG_FILES_H
#define E8_CATALOG_FILES_H

#include "base/base.h"

struct e8_fixture_file {
    char *path;  /* below fixtures/: "events/message.sent.json" */
    char *shown; /* what errors call it: "fixtures/…" or the path on disk */
    struct e8_str text;
    bool from_disk; /* text points into read */
    struct e8_buf read;
};
struct e8_fixture_files {
    struct e8_fixture_file *list; /* sorted by path */
    size_t count;
};

/* overlay may be NULL. Faults of single files go to errs. */
enum e8_rc e8_fixture_files_load(const char *overlay, struct e8_fixture_files *out, struct e8_errs *errs);
void e8_fixture_files_fini(struct e8_fixture_files *files);
const struct e8_fixture_file *e8_fixture_files_find(const struct e8_fixture_files *files, const char *path);
/* SHA-256 over all paths and contents, 64 hex digits. */
void e8_fixture_files_digest(const struct e8_fixture_files *files, char out[65]);

#endif
