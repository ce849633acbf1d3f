#include "sink/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest/digest.h"
#include "doc/doc.h"
#include "match/match.h"

enum { RECORDING_MAGIC = 0x0a4e8604, LEFT_OUT_MAX = 64, PATHS_MAX = 5 };
/* What a step may have at most (scenario: E8_HEADERS_MAX, with room for what a request has beside it). */
enum { HEADERS_MAX = 32, HEADER_BYTES_MAX = 4096, FLUSH_AT = 1 << 20, ID_MAX = 39 };

/* A reason for which headers or deliveries were left out, and how often. */
struct left_out {
    char *name, *why;
    uint64_t count;
};

struct e8_recording {
    unsigned magic;
    int fd;
    char *path;
    char **secrets;
    size_t secret_count;
    struct e8_buf text; /* not written yet */
    bool made;          /* the file was not there before */
    bool headed;        /* its head is written; before that, it is as it was */
    bool begun;         /* there was an arrival */
    e8_mono_ns first;
    struct left_out left_out[LEFT_OUT_MAX];
    size_t left_out_count;
    uint64_t others; /* requests that are no POST */
    char *paths[PATHS_MAX];
    size_t path_count;
    bool more_paths;
    struct e8_err failed; /* rc E8_OK while all is well */
};

struct e8_arrival *e8_arrival_new(const struct e8_request *request, struct e8_str type,
                                  struct e8_str delivery)
{
    size_t count = e8_request_header_count(request), size = sizeof(struct e8_arrival);
    bool other = !e8_str_is(request->method, "POST");
    struct e8_str body = other ? E8_LIT("") : request->body;
    struct e8_header header;
    struct e8_buf texts;

    size += count * sizeof header + body.n + type.n + delivery.n + request->path.n;
    for (size_t i = 0; i < count; i++) {
        e8_request_header_at(request, i, &header.name, &header.value);
        size += header.name.n + header.value.n;
    }
    struct e8_arrival *arrival = e8_new(1, size);
    struct e8_header *headers = (struct e8_header *)(arrival + 1);
    char *memory = (char *)(headers + count);
    e8_buf_fixed(&texts, memory, size - (size_t)(memory - (char *)arrival));
    *arrival =
        (struct e8_arrival){.at = request->complete, .wall = request->wall, .size = size, .other = other};
    const struct {
        struct e8_str from, *to;
    } own[] = {{type, &arrival->type},
               {delivery, &arrival->delivery},
               {request->path, &arrival->path},
               {body, &arrival->body}};
    for (size_t i = 0; i < E8_COUNT(own); i++) {
        *own[i].to = (struct e8_str){memory + texts.n, own[i].from.n};
        e8_buf_putstr(&texts, own[i].from);
    }
    for (size_t i = 0; i < count; i++) {
        e8_request_header_at(request, i, &header.name, &header.value);
        headers[i].name = (struct e8_str){memory + texts.n, header.name.n};
        e8_buf_putstr(&texts, header.name);
        headers[i].value = (struct e8_str){memory + texts.n, header.value.n};
        e8_buf_putstr(&texts, header.value);
    }
    E8_ASSERT(!texts.full);
    arrival->headers = headers;
    arrival->header_count = count;
    return arrival;
}

/* What is there already is only touched with `force`, and emptied when the first delivery comes. */
static int open_file(const char *path, bool force, bool *made)
{
    const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY;
    int fd = open(path, flags | O_EXCL, 0600);
    *made = fd >= 0;
    if (fd < 0 && errno == EEXIST && force) {
        return open(path, flags, 0600);
    }
    return fd;
}

enum e8_rc e8_recording_open(const char *path, bool force, const char *const *secrets, size_t secret_count,
                             struct e8_recording **out, struct e8_err *err)
{
    bool made;
    int fd = open_file(path, force, &made);

    *out = NULL;
    if (fd < 0 && errno == EEXIST && !force)
        return e8_fail(err, E8_INPUT, "name another file, or give --force", "%.200s is there already", path);
    if (fd < 0)
        return e8_fail(err, errno == EISDIR ? E8_INPUT : E8_ENV,
                       "a file in a directory that exists and may be written", "--record %.200s: %s", path,
                       strerror(errno));
    struct e8_recording *recording = e8_new(1, sizeof *recording);
    recording->magic = RECORDING_MAGIC;
    recording->fd = fd;
    recording->made = made;
    recording->path = e8_dup(path);
    recording->secrets = e8_new(secret_count + 1, sizeof *recording->secrets);
    recording->secret_count = secret_count;
    for (size_t i = 0; i < secret_count; i++)
        recording->secrets[i] = e8_dup(secrets[i]);
    e8_buf_init(&recording->text, SIZE_MAX / 2);
    *out = recording;
    return E8_OK;
}

static enum e8_rc write_all(struct e8_recording *recording, struct e8_str text)
{
    while (text.n > 0) {
        ssize_t n = write(recording->fd, text.p, text.n);
        if (n < 0 && errno != EINTR)
            return e8_fail(&recording->failed, E8_ENV, "what was recorded before is in the file",
                           "%.200s: the recording cannot be written: %s", recording->path, strerror(errno));
        if (n > 0)
            text = (struct e8_str){text.p + n, text.n - (size_t)n};
    }
    return E8_OK;
}

enum e8_rc e8_recording_flush(struct e8_recording *recording, struct e8_err *err)
{
    enum e8_rc rc = recording->failed.rc;

    E8_CHECK_MAGIC(recording, RECORDING_MAGIC);
    rc = rc ? rc : write_all(recording, e8_buf_str(&recording->text));
    e8_buf_reset(&recording->text);
    if (rc && err)
        *err = recording->failed;
    return rc;
}

enum e8_rc e8_recording_begin(struct e8_recording *recording, const char *url, struct e8_err *err)
{
    struct e8_buf *text = &recording->text;
    bool web = strncmp(url, "http", 4) == 0;

    E8_CHECK_MAGIC(recording, RECORDING_MAGIC);
    if (ftruncate(recording->fd, 0) != 0 && errno != EINVAL) /* a device or a pipe has no length */
        return e8_fail(err, E8_ENV, NULL, "%.200s: the recording cannot be written: %s", recording->path,
                       strerror(errno));
    recording->headed = true;
    e8_buf_puts(text, E8_RECORDING_HEAD);
    e8_buf_puts(text, "\nscenario: recording\n"
                      "endpoints:\n");
    e8_buf_printf(text, "  target: {url: \"${TARGET_URL%s%s}\", retry: {attempts: 1}}\n", web ? ":-" : "",
                  web ? url : "");
    e8_buf_puts(text, "flows:\n"
                      "  recording:\n");
    return e8_recording_flush(recording, err);
}

static void leave_out(struct e8_recording *recording, struct e8_str name, const char *why)
{
    struct left_out *list = recording->left_out;

    for (size_t i = 0; i < recording->left_out_count; i++) {
        if (e8_str_ieq(name, e8_str(list[i].name)) && strcmp(list[i].why, why) == 0) {
            list[i].count++;
            return;
        }
    }
    if (recording->left_out_count < LEFT_OUT_MAX)
        list[recording->left_out_count++] = (struct left_out){e8_dup_str(name), e8_dup(why), 1};
}

/* A step goes to the endpoint's URL: where it came to is not kept. */
static void note_path(struct e8_recording *recording, struct e8_str path)
{
    if (path.n == 0 || e8_str_is(path, "/"))
        return;
    for (size_t i = 0; i < recording->path_count; i++)
        if (e8_str_is(path, recording->paths[i]))
            return;
    if (recording->path_count < PATHS_MAX)
        recording->paths[recording->path_count++] = e8_dup_str(path);
    else
        recording->more_paths = true;
}

/* Also as it stands behind a prefix that only says what it is ("whsec_…"). */
static bool holds_secret(const struct e8_recording *recording, struct e8_str text)
{
    for (size_t i = 0; i < recording->secret_count; i++) {
        const char *secret = recording->secrets[i], *bare = strchr(secret, '_');
        bare = bare && strncmp(secret, "whsec_", 6) == 0 ? bare + 1 : secret;
        if (bare[0] && text.n && memmem(text.p, text.n, bare, strlen(bare)))
            return true;
    }
    return false;
}

/* Why the header cannot be written down; NULL: it can. */
static const char *refusal(const struct e8_recording *recording, const struct e8_header *header)
{
    if (e8_record_is_secret(header->name))
        return "secret";
    if (holds_secret(recording, header->value) || holds_secret(recording, header->name))
        return "holds the secret of the sink";
    if (e8_utf8_valid(header->value) != header->value.n || !e8_header_value_valid(header->value) ||
        !e8_header_name_valid(header->name))
        return "is no text";
    return NULL;
}

static bool came_before(const struct e8_arrival *arrival, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (e8_str_ieq(arrival->headers[i].name, arrival->headers[index].name))
            return true;
    return false;
}

/* All values of a name as one (RFC 9110, 5.3): a map has each key once. */
static void join_values(struct e8_recording *recording, const struct e8_arrival *arrival, size_t index,
                        struct e8_buf *value)
{
    struct e8_str name = arrival->headers[index].name;

    for (size_t i = index; i < arrival->header_count; i++) {
        if (!e8_str_ieq(arrival->headers[i].name, name))
            continue;
        const char *why = refusal(recording, &arrival->headers[i]);
        if (why) {
            leave_out(recording, name, why);
            continue;
        }
        e8_buf_puts(value, value->n ? ", " : "");
        e8_buf_putstr(value, arrival->headers[i].value);
    }
}

static void put_headers(struct e8_recording *recording, const struct e8_arrival *arrival)
{
    struct e8_buf *text = &recording->text, value;
    size_t count = 0, bytes = 0;

    e8_buf_init(&value, SIZE_MAX / 2);
    e8_buf_puts(text, ", \"headers\": {");
    for (size_t i = 0; i < arrival->header_count; i++) {
        struct e8_str name = arrival->headers[i].name;
        if (e8_record_is_hop(name) || came_before(arrival, i))
            continue;
        bool refused = refusal(recording, &arrival->headers[i]) != NULL;
        e8_buf_reset(&value);
        join_values(recording, arrival, i, &value);
        if (refused && value.n == 0)
            continue;
        if (count == HEADERS_MAX || bytes + name.n + value.n > HEADER_BYTES_MAX) {
            leave_out(recording, name, "does not fit");
            continue;
        }
        count++;
        bytes += name.n + value.n;
        e8_buf_puts(text, count > 1 ? ", " : "");
        e8_record_put_text(text, name);
        e8_buf_puts(text, ": ");
        e8_record_put_text(text, e8_buf_str(&value));
    }
    e8_buf_putc(text, '}');
    e8_buf_fini(&value);
}

/* By its header, else by what the body says of itself. */
static void put_type(struct e8_buf *text, const struct e8_arrival *arrival)
{
    static const char *const keys[] = {"type", "event"};
    struct e8_str type = arrival->type;
    struct e8_doc *doc = NULL;

    if (type.n == 0 && !e8_doc_parse("body", arrival->body, E8_DOC_JSON, &doc, NULL)) {
        for (size_t i = 0; type.n == 0 && i < E8_COUNT(keys); i++) {
            const struct e8_node *node = e8_node_get(e8_doc_root(doc), keys[i]);
            type = node && node->kind == E8_STRING ? node->text : type;
        }
    }
    bool good = type.n > 0 && type.n <= 64 && e8_pattern_valid(type) && type.p[type.n - 1] != '*';
    e8_record_put_text(text, good ? type : E8_LIT("unknown"));
    e8_doc_free(&doc);
}

/* Seconds to the nanosecond, without zeros at the end. */
static void put_at(struct e8_buf *text, e8_dur_ns at)
{
    char digits[32];
    int n =
        snprintf(digits, sizeof digits, "%lld.%09lld", (long long)(at / E8_NS_S), (long long)(at % E8_NS_S));

    while (n > 1 && digits[n - 1] == '0')
        n--;
    n -= digits[n - 1] == '.';
    e8_buf_printf(text, "\"%.*ss\"", n, digits);
}

static bool is_id(struct e8_str id)
{
    for (size_t i = 0; i < id.n; i++)
        if (id.p[i] <= ' ' || id.p[i] >= 0x7F)
            return false;
    return id.n > 0 && id.n <= ID_MAX;
}

static void put_body(struct e8_buf *text, struct e8_str body)
{
    bool readable = e8_utf8_valid(body) == body.n && !(body.n && memchr(body.p, '\0', body.n));

    e8_buf_puts(text, ", \"body\": ");
    if (readable) {
        e8_record_put_text(text, body);
        return;
    }
    e8_buf_puts(text, "{\"base64\": \"");
    e8_base64_put(text, body.p, body.n);
    e8_buf_puts(text, "\"}");
}

static void put_first(struct e8_recording *recording, const struct e8_arrival *arrival)
{
    char time[E8_RFC3339_MAX];

    e8_wall_format(arrival->wall, 9, time);
    e8_buf_printf(&recording->text, "    # from %s\n", time);
    recording->begun = true;
    recording->first = arrival->at;
}

enum e8_rc e8_recording_put(struct e8_recording *recording, const struct e8_arrival *arrival,
                            struct e8_err *err)
{
    struct e8_buf *text = &recording->text;

    E8_CHECK_MAGIC(recording, RECORDING_MAGIC);
    if (recording->failed.rc)
        return e8_recording_flush(recording, err);
    if (arrival->other) {
        recording->others++;
        return E8_OK;
    }
    if (!recording->begun)
        put_first(recording, arrival);
    if (holds_secret(recording, arrival->path))
        leave_out(recording, E8_LIT("a path"), "holds the secret of the sink");
    else
        note_path(recording, arrival->path);
    if (holds_secret(recording, arrival->body) || holds_secret(recording, arrival->delivery) ||
        holds_secret(recording, arrival->type)) {
        leave_out(recording, E8_LIT("a delivery"), "holds the secret of the sink");
        return E8_OK;
    }
    e8_buf_puts(text, "    - {\"emit\": ");
    put_type(text, arrival);
    e8_buf_puts(text, ", \"at\": ");
    put_at(text, arrival->at - recording->first);
    if (is_id(arrival->delivery)) {
        e8_buf_puts(text, ", \"id\": ");
        e8_record_put_text(text, arrival->delivery);
    }
    put_headers(recording, arrival);
    e8_buf_puts(text, ", \"verbatim\": true");
    put_body(text, arrival->body);
    e8_buf_puts(text, "}\n");
    return text->n > FLUSH_AT ? e8_recording_flush(recording, err) : E8_OK;
}

static void say_line(struct e8_recording *recording, const char *line)
{
    fprintf(stderr, "emit8: sink: recording: %s\n", line);
    e8_buf_printf(&recording->text, "# %s\n", line);
}

static void put_unrecorded(struct e8_recording *recording)
{
    char line[1024];
    struct e8_buf buf;

    e8_buf_fixed(&buf, line, sizeof line - 1);
    if (recording->others > 0) {
        e8_buf_printf(&buf, "%llu requests that are no POST are left out",
                      (unsigned long long)recording->others);
        say_line(recording, e8_buf_cstr(&buf));
    }
    e8_buf_reset(&buf);
    for (size_t i = 0; i < recording->path_count; i++) {
        char *path = recording->paths[i];
        size_t n = strlen(path);
        e8_buf_puts(&buf, i ? ", " : "paths are left out: ");
        e8_buf_put_clean(&buf,
                         (struct e8_str){path, e8_utf8_valid((struct e8_str){path, n < 128 ? n : 128})});
        free(path);
    }
    e8_buf_puts(&buf, recording->more_paths ? ", …" : "");
    if (recording->path_count)
        say_line(recording, e8_buf_cstr(&buf));
}

static void put_left_out(struct e8_recording *recording)
{
    for (size_t i = 0; i < recording->left_out_count; i++) {
        struct left_out *item = &recording->left_out[i];
        char line[256];
        struct e8_buf buf;
        e8_buf_fixed(&buf, line, sizeof line - 1);
        e8_buf_puts(&buf, "left out: ");
        e8_buf_put_clean(&buf, e8_str(item->name));
        e8_buf_printf(&buf, ": %s (%llu)", item->why, (unsigned long long)item->count);
        fprintf(stderr, "emit8: sink: recording: %s\n", e8_buf_cstr(&buf));
        e8_buf_printf(&recording->text, "# %s\n", e8_buf_cstr(&buf));
        free(item->name);
        free(item->why);
    }
}

static bool is_file(const struct e8_recording *recording)
{
    struct stat st;

    return fstat(recording->fd, &st) == 0 && S_ISREG(st.st_mode);
}

enum e8_rc e8_recording_close(struct e8_recording **recording, struct e8_err *err)
{
    struct e8_recording *r = *recording;

    if (!r)
        return E8_OK;
    E8_CHECK_MAGIC(r, RECORDING_MAGIC);
    bool empty = r->headed && !r->begun;
    if (r->headed)
        put_left_out(r);
    put_unrecorded(r);
    enum e8_rc rc = e8_recording_flush(r, err);
    if (empty)
        fputs("emit8: sink: nothing was received; no recording was written\n", stderr);
    if ((r->made && !r->headed) || (empty && is_file(r)))
        unlink(r->path);
    if (close(r->fd) != 0 && !rc)
        rc = e8_fail(err, E8_ENV, NULL, "%.200s: the recording cannot be written: %s", r->path,
                     strerror(errno));
    for (size_t i = 0; i < r->secret_count; i++)
        e8_secret_free(&r->secrets[i]);
    free(r->secrets);
    free(r->path);
    e8_buf_fini(&r->text);
    r->magic = 0;
    free(r);
    *recording = NULL;
    return rc;
}
