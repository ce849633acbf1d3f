#include <string.h>

#include "expect/internal.h"

const char *e8_pointer_fault(struct e8_str pointer)
{
    if (pointer.n > 0 && pointer.p[0] != '/')
        return "a JSON pointer begins with a slash";
    for (size_t i = 0; i < pointer.n; i++)
        if (pointer.p[i] == '~' &&
            (i + 1 == pointer.n || (pointer.p[i + 1] != '0' && pointer.p[i + 1] != '1')))
            return "in a JSON pointer ~0 stands for a tilde and ~1 for a slash";
    return NULL;
}

static void unescape(struct e8_str token, struct e8_buf *out)
{
    for (size_t i = 0; i < token.n; i++) {
        bool escape = token.p[i] == '~' && i + 1 < token.n;
        e8_buf_putc(out, !escape ? token.p[i] : token.p[i + 1] == '0' ? '~' : '/');
        i += escape;
    }
}

static const struct e8_node *element(const struct e8_node *seq, struct e8_str name)
{
    uint64_t index;
    bool led = name.n > 1 && name.p[0] == '0';
    if (led || !e8_parse_u64(name, &index) || index >= seq->count)
        return NULL;
    const struct e8_node *child = seq->first;
    while (index-- > 0)
        child = child->next;
    return child;
}

static const struct e8_node *member(const struct e8_node *node, struct e8_str name)
{
    if (node->kind == E8_SEQ)
        return element(node, name);
    if (node->kind != E8_MAP)
        return NULL;
    for (const struct e8_node *child = node->first; child; child = child->next)
        if (e8_str_eq(child->key, name))
            return child;
    return NULL;
}

const struct e8_node *e8_pointer_find(const struct e8_node *root, const char *pointer,
                                      const struct e8_node **last, struct e8_buf *missing)
{
    struct e8_buf name;
    const struct e8_node *node = root;
    e8_buf_init(&name, E8_FILE_MAX);
    while (*pointer && node) {
        const char *end = strchr(++pointer, '/');
        size_t n = end ? (size_t)(end - pointer) : strlen(pointer);
        e8_buf_reset(&name);
        unescape((struct e8_str){pointer, n}, &name);
        *last = node;
        node = member(node, e8_buf_str(&name));
        pointer += n;
    }
    if (!node)
        e8_buf_putstr(missing, e8_buf_str(&name));
    e8_buf_fini(&name);
    return node;
}

static bool numbers_equal(const struct e8_node *a, const struct e8_node *b)
{
    if (a->kind == E8_INT && b->kind == E8_INT)
        return a->i == b->i;
    double x = e8_node_number(a), y = e8_node_number(b);
    return x <= y && x >= y;
}

static bool maps_equal(const struct e8_node *a, const struct e8_node *b)
{
    if (a->count != b->count)
        return false;
    for (const struct e8_node *child = a->first; child; child = child->next) {
        const struct e8_node *twin = member(b, child->key);
        if (!twin || !e8_values_equal(child, twin))
            return false;
    }
    return true;
}

static bool lists_equal(const struct e8_node *a, const struct e8_node *b)
{
    const struct e8_node *x = a->first, *y = b->first;
    while (x && y && e8_values_equal(x, y)) {
        x = x->next;
        y = y->next;
    }
    return !x && !y;
}

bool e8_values_equal(const struct e8_node *a, const struct e8_node *b)
{
    if (e8_node_is_number(a) && e8_node_is_number(b))
        return numbers_equal(a, b);
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case E8_BOOL:
        return a->b == b->b;
    case E8_STRING:
        return e8_str_eq(a->text, b->text);
    case E8_MAP:
        return maps_equal(a, b);
    case E8_SEQ:
        return lists_equal(a, b);
    default:
        return true;
    }
}

static bool whole_number(const struct e8_node *node, int64_t *out)
{
    static const double exact = 9007199254740992.0; /* 2^53 */
    if (node->kind == E8_INT) {
        *out = node->i;
        return true;
    }
    if (node->kind == E8_STRING)
        return e8_parse_i64(e8_str_trim(node->text), out);
    if (node->kind != E8_FLOAT || node->f < -exact || node->f > exact)
        return false;
    int64_t whole = (int64_t)node->f;
    if ((double)whole < node->f || (double)whole > node->f)
        return false;
    *out = whole;
    return true;
}

static enum e8_rc fail_missing(const struct e8_node *last, struct e8_str missing, const char *pointer,
                               struct e8_err *err)
{
    char memory[320], hint[E8_HINT_MAX];
    const char *names[17] = {NULL};
    struct e8_buf there;
    struct e8_arena *arena = e8_arena_new();
    size_t n = 0;
    e8_buf_fixed(&there, memory, sizeof(memory) - 1);
    if (last->kind == E8_MAP && last->first) {
        e8_buf_puts(&there, "there is ");
        for (const struct e8_node *child = last->first; child && n < E8_COUNT(names) - 1;
             child = child->next) {
            e8_buf_puts(&there, n ? ", " : "");
            e8_expect_put_shown(&there, child->key);
            names[n++] = e8_arena_str(arena, child->key).p;
        }
    } else {
        e8_buf_puts(&there, "what stands there is ");
        e8_buf_puts(&there, last->kind == E8_MAP ? "an empty map" : e8_node_kind_name(last->kind));
    }
    e8_hint_near(missing, names, e8_buf_cstr(&there), hint);
    enum e8_rc rc = e8_fail(err, E8_INPUT, hint, "the JSON has nothing at \"%.200s\"", pointer);
    e8_arena_free(&arena);
    return rc;
}

static enum e8_rc find_number(const struct e8_node *root, const char *pointer, int64_t *out,
                              struct e8_err *err)
{
    char memory[160];
    struct e8_buf missing, shown;
    const struct e8_node *last = root;
    e8_buf_init(&missing, E8_FILE_MAX);
    const struct e8_node *node = e8_pointer_find(root, pointer, &last, &missing);
    enum e8_rc rc = E8_OK;
    if (!node) {
        rc = fail_missing(last, e8_buf_str(&missing), pointer, err);
    } else if (!whole_number(node, out)) {
        e8_buf_fixed(&shown, memory, sizeof(memory));
        e8_expect_put_value(&shown, node);
        rc = e8_fail(err, E8_INPUT, "the pointer must lead to a whole number", "at \"%.200s\" stands %s",
                     pointer, e8_buf_cstr(&shown));
    }
    e8_buf_fini(&missing);
    return rc;
}

enum e8_rc e8_pointer_number(struct e8_str json, const char *pointer, int64_t *out, struct e8_err *err)
{
    struct e8_doc *doc = NULL;
    struct e8_err wrong = {0};
    const char *fault = e8_pointer_fault(e8_str(pointer));
    if (fault)
        return e8_fail(err, E8_INPUT, "like /data/count", "\"%.200s\": %s", pointer, fault);
    if (e8_doc_parse("JSON", json, E8_DOC_JSON, &doc, &wrong)) {
        char memory[120];
        struct e8_buf shown;
        e8_buf_fixed(&shown, memory, sizeof(memory));
        e8_expect_put_shown(&shown, e8_str_trim(json));
        return e8_fail(err, E8_INPUT, wrong.what, "it is no JSON: %s", e8_buf_cstr(&shown));
    }
    enum e8_rc rc = find_number(e8_doc_root(doc), pointer ? pointer : "", out, err);
    e8_doc_free(&doc);
    return rc;
}
