/* What arrives, as a scenario that `emit8 run` can play and `emit8 replay` can play again. Private to sink. */
#ifndef E8_SINK_RECORD_H
#define E8_SINK_RECORD_H

#include "http1/http1.h"
#include "httpd/httpd.h"

/* A copy of a request; one block of memory: free() it. */
struct e8_arrival {
    e8_mono_ns at; /* its last byte had been read */
    e8_wall_ns wall;
    struct e8_str type, delivery; /* of the headers; empty: it names none */
    struct e8_str path;           /* empty: not known */
    struct e8_str body;
    bool other; /* no POST: it is only counted */
    const struct e8_header *headers;
    size_t header_count;
    size_t size; /* of the block */
};
struct e8_arrival *e8_arrival_new(const struct e8_request *request, struct e8_str type,
                                  struct e8_str delivery);

/* The file. One thread at a time. `secrets` must not stand in it: what holds one is left out, and the end of the file says so. */
struct e8_recording;
enum e8_rc e8_recording_open(const char *path, bool force, const char *const *secrets, size_t secret_count,
                             struct e8_recording **out, struct e8_err *err);
/* The head of the file, with the sink's URL as the default target. Before anything else. What is closed without it leaves no file behind,
 * and one that was there as it was. */
enum e8_rc e8_recording_begin(struct e8_recording *recording, const char *url, struct e8_err *err);
/* After the first failure everything fails, so that the file has no gap but an end. */
enum e8_rc e8_recording_put(struct e8_recording *recording, const struct e8_arrival *arrival,
                            struct e8_err *err);
enum e8_rc e8_recording_flush(struct e8_recording *recording, struct e8_err *err);
/* Writes down what was left out, there and to stderr, and closes. NULL inside is allowed. */
enum e8_rc e8_recording_close(struct e8_recording **recording, struct e8_err *err);

/* Is it left out of recordings: it belongs to one connection alone, or its name says that it is secret. */
bool e8_record_is_hop(struct e8_str name);
bool e8_record_is_secret(struct e8_str name);
/* A JSON string that is also YAML on one line, in quotes; `${` is written so that it stays what it is. The text is UTF-8. */
void e8_record_put_text(struct e8_buf *out, struct e8_str text);

#endif
