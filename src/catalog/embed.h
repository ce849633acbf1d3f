/* The files of fixtures/ and scenarios/ that the build put into the binary (cmake/embed.cmake). */
#ifndef E8_CATALOG_EMBED_H
#define E8_CATALOG_EMBED_H

#include <stddef.h>

struct e8_embedded_file {
    const char *path;  /* as in the repository: "fixtures/catalog.json" */
    const char *begin; /* not NUL-terminated within [begin, end); *end is 0 */
    const char *end;
};

/* Sorted by path. Constant data, for any thread. */
extern const struct e8_embedded_file e8_embedded_files[];
extern const size_t e8_embedded_count;

#endif
