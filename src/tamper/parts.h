/* What the files of tamper share; not for other modules. */
#ifndef E8_TAMPER_PARTS_H
#define E8_TAMPER_PARTS_H

#include "doc/json.h"
#include "tamper/tamper.h"

#define E8_TAMPER_DEPTH_MAX 1000000u
#define E8_TAMPER_VALUES_MAX                                                                                 \
    ((size_t)512 << 10) /* of all headers that are set or added; libcurl sends 1 MiB of head */

enum e8_signature {
    E8_SIGNATURE_RIGHT,
    E8_SIGNATURE_NONE,
    E8_SIGNATURE_OTHER_SECRET,
    E8_SIGNATURE_PREVIOUS_SECRET,
    E8_SIGNATURE_NEXT_SECRET,
    E8_SIGNATURE_EMPTY,
    E8_SIGNATURE_TRUNCATED,
    E8_SIGNATURE_NOT_HEX,
    E8_SIGNATURE_NO_PREFIX,
    E8_SIGNATURE_DOUBLE_PREFIX,
    E8_SIGNATURE_UPPERCASE,
    E8_SIGNATURE_RESERIALISED,
    E8_SIGNATURE_WRONG_FIRST,
    E8_SIGNATURE_WRONG_LAST,
};

enum e8_stamp { E8_STAMP_RIGHT, E8_STAMP_SHIFT, E8_STAMP_OLDER, E8_STAMP_NEWER, E8_STAMP_TEXT };

enum e8_flip { E8_FLIP_NONE, E8_FLIP_AT, E8_FLIP_RANDOM };

/* A form of JSON: what is changed in the tree, how it is written, what comes behind. */
struct e8_form;
const struct e8_form *e8_form_find(struct e8_str name); /* NULL if unknown */
const char *const *e8_form_names(void);                 /* NULL-terminated */
const char *e8_form_text(const struct e8_form *form);   /* "written with spaces": for people */
/* False: the body is no JSON, and nothing was written. */
bool e8_form_apply(const struct e8_form *form, struct e8_str body, struct e8_buf *out);

struct e8_names {
    const struct e8_str *list;
    size_t count;
};
struct e8_headers {
    const struct e8_header *list;
    size_t count;
};

struct e8_tamper {
    enum e8_signature signature;
    enum e8_stamp stamp;
    e8_dur_ns shift; /* of the timestamp, or how far it is outside of the tolerance */
    struct e8_str stamp_text;
    /* The body, in this order. */
    struct e8_str replacement; /* p NULL: none */
    const struct e8_form *form;
    uint64_t depth, size; /* 0: as it is */
    enum e8_flip flip;
    uint64_t flip_at, truncate;
    bool is_signed, is_unsigned; /* said so */
    /* The headers, in this order. */
    struct e8_str content_type; /* p NULL: as it is */
    bool no_content_type;
    struct e8_names removed;
    struct e8_headers set, added;
    bool lower;
    struct e8_str method; /* p NULL: as it is */
    bool bodiless;        /* a method without a body, and nothing was said about the body */
    bool unusual;         /* wire holds */
    struct e8_wire wire;
};

/* What signatures and timestamps are called in scenarios, and in words. */
struct e8_word {
    const char *name, *text;
};
extern const struct e8_word
    e8_signature_words[]; /* by enum e8_signature, from E8_SIGNATURE_NONE; ends with a NULL name */

/* Changes the value of a signature header as it was asked. False: it does not change. */
bool e8_signature_change(const struct e8_tamper *tamper, const struct e8_scheme *scheme, struct e8_str value,
                         struct e8_buf *out);

#endif
