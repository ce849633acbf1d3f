/* Signature headers from anywhere: verifying never crashes, and never accepts, since the input cannot know the secret.
 *
 * The input's lines: which scheme (one byte) and what is odd about the headers (one byte, may be missing); the signature
 * header; the timestamp header; the id header; then the body to the end. */
#include <stdlib.h>
#include <string.h>

#include "catalog/embed.h"
#include "sign/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SCHEMES_MAX 32

static const char raw_secret[] = "7c1f0e6b5a4d39281706f5e4d3c2b1a0";
static const char whsec_secret[] = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

static const struct e8_scheme *schemes[SCHEMES_MAX];
static struct e8_signer *signers[SCHEMES_MAX];
static size_t scheme_count;

/* Schemes beside those of the fixtures, for what these do not have. */
static const char custom[] =
    "{\"schemes\": {\"x\": {\"header\": \"X-Sig\", \"algorithm\": \"sha1\", \"encoding\": \"base64\", "
    "\"separator\": \", \","
    " \"multiple\": true}, \"y\": {\"header\": \"X-Sig\", \"algorithm\": \"sha512\", \"secret\": \"hex\","
    " \"content\": \"{timestamp}{id}{body}{body}\", \"timestamp_item\": \"t=\", \"separator\": \";\", "
    "\"id_header\": \"X-Id\"}}}";

static const char *secret_of(const struct e8_scheme *scheme)
{
    return scheme->secret == E8_SECRET_WHSEC ? whsec_secret : raw_secret;
}

/* They live as long as the process: the pointers from here keep the leak checker quiet. */
static void load(struct e8_str text)
{
    static struct e8_doc *docs[2];
    static struct e8_schemes *lists[2];
    static size_t loaded;
    E8_ASSERT(e8_doc_parse("schemes.json", text, E8_DOC_JSON, &docs[loaded], NULL) == E8_OK);
    E8_ASSERT(e8_schemes_load(e8_doc_root(docs[loaded]), &lists[loaded], NULL) == E8_OK);
    for (const char *const *name = e8_schemes_names(lists[loaded]); *name != NULL; name++) {
        E8_ASSERT(scheme_count < SCHEMES_MAX);
        const struct e8_scheme *scheme = e8_schemes_find(lists[loaded], *name);
        const char *secret = secret_of(scheme);
        schemes[scheme_count] = scheme;
        E8_ASSERT(e8_signer_new(scheme, &secret, 1, &signers[scheme_count], NULL) == E8_OK);
        scheme_count++;
    }
    loaded++;
}

static void load_all(void)
{
    for (size_t i = 0; i < e8_embedded_count; i++) {
        const struct e8_embedded_file *file = &e8_embedded_files[i];
        if (strcmp(file->path, "fixtures/schemes.json") == 0)
            load((struct e8_str){file->begin, (size_t)(file->end - file->begin)});
    }
    E8_ASSERT(scheme_count > 0);
    load(e8_str(custom));
}

/* A line into memory of exactly its size, so that a byte read past it is seen. */
static struct e8_str take_line(struct e8_str *rest, char **memory)
{
    struct e8_str line = {NULL, 0};
    if (!e8_str_split(rest, '\n', &line))
        line = (struct e8_str){NULL, 0};
    *memory = malloc(line.n > 0 ? line.n : 1);
    E8_ASSERT(*memory != NULL);
    if (line.n > 0)
        memcpy(*memory, line.p, line.n);
    return (struct e8_str){*memory, line.n};
}

static void check(size_t which, const struct e8_header *headers, size_t count, struct e8_str body)
{
    size_t matched = SIZE_MAX;
    enum e8_verdict verdict =
        e8_verify(signers[which], headers, count, body, 1700000000 * E8_NS_S, -1, &matched);
    E8_ASSERT(verdict != E8_VERIFIED && matched == SIZE_MAX);
    if (body.n > 4096) /* the search for a reason takes its time */
        body.n = 4096;
    const char *secret = secret_of(schemes[which]);
    struct e8_buf out;
    e8_buf_init(&out, 65536);
    e8_sign_explain(schemes[which], &secret, 1, headers, count, body, verdict, &out);
    E8_ASSERT(!out.full && out.n > 0);
    e8_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (scheme_count == 0)
        load_all();
    struct e8_str rest = {(const char *)data, size};
    char *memory[4];
    struct e8_str choice = take_line(&rest, &memory[0]);
    size_t which = choice.n > 0 ? (unsigned char)choice.p[0] % scheme_count : 0;
    unsigned odd = choice.n > 1 ? (unsigned char)choice.p[1] : 0;
    const struct e8_scheme *scheme = schemes[which];
    struct e8_header headers[4];
    size_t count = 0;
    const char *const names[3] = {scheme->header, scheme->timestamp_header, scheme->id_header};
    for (int i = 0; i < 3; i++) {
        struct e8_str value = take_line(&rest, &memory[i + 1]);
        if (odd >> i & 1) /* missing */
            continue;
        headers[count].name = e8_str(names[i] != NULL ? names[i] : "X-Other-Id");
        headers[count++].value = value;
    }
    if (odd & 8 && count > 0) { /* twice */
        headers[count] = headers[0];
        count++;
    }
    check(which, headers, count, rest);
    for (int i = 0; i < 4; i++)
        free(memory[i]);
    return 0;
}
