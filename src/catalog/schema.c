#include "catalog/schema.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "doc/doc.h"

#define DEPTH_MAX 64

/* A pattern of the schema, compiled when the schema is read. */
struct pattern {
    const cJSON *node;
    regex_t regex;
};

struct e8_schema {
    char *name;
    cJSON *root;
    struct pattern *patterns;
    size_t pattern_count;
};

struct checker {
    const struct e8_schema *schema;
    struct e8_schema *reading; /* the same while it is made */
    struct e8_buf path;        /* JSON pointer into the document */
    struct e8_err *err;
    int depth;
};

typedef bool check_fn(struct checker *c, const cJSON *keyword, const cJSON *schema, const cJSON *value);
static bool check(struct checker *c, const cJSON *schema, const cJSON *value);

static bool wrong(struct checker *c, const char *hint, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool wrong(struct checker *c, const char *hint, const char *format, ...)
{
    char what[300];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    e8_fail(c->err, E8_INPUT, hint, "%s: %s: %s", c->schema->name, c->path.n ? e8_buf_cstr(&c->path) : "/",
            what);
    return false;
}

static size_t push(struct checker *c, const char *name)
{
    size_t before = c->path.n;
    e8_buf_putc(&c->path, '/');
    for (; *name; name++) {
        e8_buf_puts(&c->path, *name == '~' ? "~0" : *name == '/' ? "~1" : "");
        if (*name != '~' && *name != '/') {
            e8_buf_putc(&c->path, *name);
        }
    }
    return before;
}

static void pop(struct checker *c, size_t before)
{
    c->path.n = before;
}

static bool is_whole(const cJSON *value)
{
    return cJSON_IsNumber(value) && value->valuedouble >= floor(value->valuedouble) &&
           value->valuedouble <= floor(value->valuedouble);
}

static bool has_type(const char *type, const cJSON *value)
{
    return (strcmp(type, "object") == 0 && cJSON_IsObject(value)) ||
           (strcmp(type, "array") == 0 && cJSON_IsArray(value)) ||
           (strcmp(type, "string") == 0 && cJSON_IsString(value)) ||
           (strcmp(type, "number") == 0 && cJSON_IsNumber(value)) ||
           (strcmp(type, "integer") == 0 && is_whole(value)) ||
           (strcmp(type, "boolean") == 0 && cJSON_IsBool(value)) ||
           (strcmp(type, "null") == 0 && cJSON_IsNull(value));
}

static bool check_type(struct checker *c, const cJSON *keyword, const cJSON *schema, const cJSON *value)
{
    (void)schema;
    const cJSON *item = cJSON_IsArray(keyword) ? keyword->child : keyword;
    for (; item; item = cJSON_IsArray(keyword) ? item->next : NULL) {
        if (cJSON_IsString(item) && has_type(item->valuestring, value)) {
            return true;
        }
    }
    char *wanted = cJSON_PrintUnformatted(keyword), *found = cJSON_PrintUnformatted(value);
    wrong(c, NULL, "is %.60s, which is not of type %.60s", found ? found : "?", wanted ? wanted : "?");
    cJSON_free(wanted);
    cJSON_free(found);
    return false;
}

static bool check_enum(struct checker *c, const cJSON *keyword, const cJSON *schema, const cJSON *value)
{
    (void)schema;
    const cJSON *item;
    cJSON_ArrayForEach(item, keyword)
    {
        if (cJSON_Compare(item, value, true)) {
            return true;
        }
    }
    char *found = cJSON_PrintUnformatted(value);
    wrong(c, NULL, "%.80s is none of the values the schema lists", found ? found : "?");
    cJSON_free(found);
    return false;
}

static bool check_const(struct checker *c, const cJSON *keyword, const cJSON *schema, const cJSON *value)
{
    (void)schema;
    if (cJSON_Compare(keyword, value, true)) {
        return true;
    }
    char *wanted = cJSON_PrintUnformatted(keyword);
    wrong(c, NULL, "is not %.80s", wanted ? wanted : "?");
    cJSON_free(wanted);
    return false;
}

static bool check_required(struct checker *c, const cJSON *keyword, const cJSON *schema, const cJSON *value)
{
    (void)schema;
    const cJSON *name;
    cJSON_ArrayForEach(name, keyword)
    {
        if (cJSON_IsObject(value) && !cJSON_GetObjectItemCaseSensitive(value, name->valuestring)) {
            return wrong(c, NULL, "member \"%s\" is missing", name->valuestring);
        }
    }
    return true;
}

static bool check_properties(struct checker *c, const cJSON *keyword, const cJSON *schema, const cJSON *value)
{
    (void)schema;
    const cJSON *property;
    cJSON_ArrayForEach(property, keyword)
    {
        const cJSON *member =
            cJSON_IsObject(value) ? cJSON_GetObjectItemCaseSensitive(value, property->string) : NULL;
        size_t before = push(c, property->string);
        if (member && !check(c, property, member)) {
            return false;
        }
        pop(c, before);
    }
    return true;
}

static bool check_additional(struct checker *c, const cJSON *keyword, const cJSON *schema, const cJSON *value)
{
    const cJSON *properties = cJSON_GetObjectItemCaseSensitive(schema, "properties"), *member;
    if (!cJSON_IsObject(value)) {
        return true;
    }
    cJSON_ArrayForEach(member, value)
    {
        if (properties && cJSON_GetObjectItemCaseSensitive(properties, member->string)) {
            continue;
        }
        size_t before = push(c, member->string);
        if (!check(c, keyword, member)) {
            return false;
        }
        pop(c, before);
    }
    return true;
}

static bool check_items(struct checker *c, const cJSON *keyword, const cJSON *schema, const cJSON *value)
{
    (void)schema;
    const cJSON *item;
    size_t index = 0;
    if (!cJSON_IsArray(value)) {
        return true;
    }
    cJSON_ArrayForEach(item, value)
    {
        char name[24];
        snprintf(name, sizeof name, "%zu", index++);
        size_t before = push(c, name);
        if (!check(c, keyword, item)) {
            return false;
        }
        pop(c, before);
    }
    return true;
}

static bool check_unique(struct checker *c, const cJSON *keyword, const cJSON *schema, const cJSON *value)
{
    (void)schema;
    if (!cJSON_IsTrue(keyword) || !cJSON_IsArray(value)) {
        return true;
    }
    for (const cJSON *a = value->child; a; a = a->next) {
        for (const cJSON *b = a->next; b; b = b->next) {
            if (cJSON_Compare(a, b, true)) {
                return wrong(c, NULL, "the same item stands twice");
            }
        }
    }
    return true;
}

static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

static bool check_size(struct checker *c, const cJSON *keyword, const cJSON *schema, const cJSON *value)
{
    (void)schema;
    const char *name = keyword->string;
    bool of_items = strstr(name, "Items") != NULL;
    if (of_items ? !cJSON_IsArray(value) : !cJSON_IsString(value)) {
        return true;
    }
    double size = of_items ? cJSON_GetArraySize(value) : (double)characters(value->valuestring);
    bool good = strncmp(name, "min", 3) == 0 ? size >= keyword->valuedouble : size <= keyword->valuedouble;
    return good || wrong(c, NULL, "%s %g does not hold: it has %g", name, keyword->valuedouble, size);
}

static bool check_bound(struct checker *c, const cJSON *keyword, const cJSON *schema, const cJSON *value)
{
    (void)schema;
    const char *name = keyword->string;
    double bound = keyword->valuedouble, x = value->valuedouble;
    if (!cJSON_IsNumber(value)) {
        return true;
    }
    bool good = strcmp(name, "minimum") == 0            ? x >= bound
                : strcmp(name, "maximum") == 0          ? x <= bound
                : strcmp(name, "exclusiveMinimum") == 0 ? x > bound
                                                        : x < bound;
    return good || wrong(c, NULL, "%s %g does not hold for %g", name, bound, x);
}

static bool check_pattern(struct checker *c, const cJSON *keyword, const cJSON *schema, const cJSON *value)
{
    (void)schema;
    if (!cJSON_IsString(value)) {
        return true;
    }
    for (size_t i = 0; i < c->schema->pattern_count; i++) {
        const struct pattern *pattern = &c->schema->patterns[i];
        if (pattern->node == keyword) {
            return regexec(&pattern->regex, value->valuestring, 0, NULL, 0) == 0 ||
                   wrong(c, NULL, "\"%.80s\" does not match %.120s", value->valuestring,
                         keyword->valuestring);
        }
    }
    E8_UNREACHABLE();
}

static bool check_format(struct checker *c, const cJSON *keyword, const cJSON *schema, const cJSON *value)
{
    (void)schema;
    e8_wall_ns wall;
    if (!cJSON_IsString(value) || strcmp(keyword->valuestring, "date-time") != 0) {
        return true;
    }
    return (strchr(value->valuestring, 'T') && e8_wall_parse(e8_str(value->valuestring), &wall)) ||
           wrong(c, NULL, "\"%.60s\" is no date-time", value->valuestring);
}

/* How many of the alternatives hold; *err keeps what the last one said. */
static size_t count_holding(struct checker *c, const cJSON *list, const cJSON *value)
{
    size_t holding = 0, before = c->path.n;
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        holding += check(c, item, value);
        pop(c, before);
    }
    return holding;
}

static bool check_any(struct checker *c, const cJSON *keyword, const cJSON *schema, const cJSON *value)
{
    (void)schema;
    return count_holding(c, keyword, value) >= 1 || wrong(c, NULL, "none of the alternatives (anyOf) holds");
}

static bool check_one(struct checker *c, const cJSON *keyword, const cJSON *schema, const cJSON *value)
{
    (void)schema;
    size_t holding = count_holding(c, keyword, value);
    return holding == 1 || wrong(c, NULL, "%zu of the alternatives (oneOf) hold instead of one", holding);
}

static bool check_all(struct checker *c, const cJSON *keyword, const cJSON *schema, const cJSON *value)
{
    (void)schema;
    const cJSON *item;
    cJSON_ArrayForEach(item, keyword)
    {
        if (!check(c, item, value)) {
            return false;
        }
    }
    return true;
}

static const cJSON *follow_ref(const struct e8_schema *schema, const char *ref)
{
    const cJSON *at = schema->root;
    if (strncmp(ref, "#/$defs/", 8) != 0) {
        return strcmp(ref, "#") == 0 ? at : NULL;
    }
    return cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(at, "$defs"), ref + 8);
}

static bool check_ref(struct checker *c, const cJSON *keyword, const cJSON *schema, const cJSON *value)
{
    (void)schema;
    const cJSON *target = follow_ref(c->schema, keyword->valuestring);
    E8_ASSERT(target); /* seen when the schema was read */
    return check(c, target, value);
}

enum operand {
    OF_ANY,
    OF_TEXT,
    OF_TEXTS,
    OF_TYPE,
    OF_BOOL,
    OF_NUMBER,
    OF_LIST,
    OF_SCHEMA,
    OF_SCHEMAS,
    OF_MAP
};
static const struct keyword {
    const char *name;
    enum operand operand;
    check_fn *check; /* NULL: says nothing about the document */
} keywords[] = {
    {"$schema", OF_TEXT, NULL},
    {"$id", OF_TEXT, NULL},
    {"$comment", OF_TEXT, NULL},
    {"$defs", OF_MAP, NULL},
    {"$ref", OF_TEXT, check_ref},
    {"title", OF_TEXT, NULL},
    {"description", OF_TEXT, NULL},
    {"examples", OF_LIST, NULL},
    {"default", OF_ANY, NULL},
    {"deprecated", OF_BOOL, NULL},
    {"type", OF_TYPE, check_type},
    {"enum", OF_LIST, check_enum},
    {"const", OF_ANY, check_const},
    {"required", OF_TEXTS, check_required},
    {"properties", OF_MAP, check_properties},
    {"additionalProperties", OF_SCHEMA, check_additional},
    {"items", OF_SCHEMA, check_items},
    {"uniqueItems", OF_BOOL, check_unique},
    {"minItems", OF_NUMBER, check_size},
    {"maxItems", OF_NUMBER, check_size},
    {"minLength", OF_NUMBER, check_size},
    {"maxLength", OF_NUMBER, check_size},
    {"minimum", OF_NUMBER, check_bound},
    {"maximum", OF_NUMBER, check_bound},
    {"exclusiveMinimum", OF_NUMBER, check_bound},
    {"exclusiveMaximum", OF_NUMBER, check_bound},
    {"pattern", OF_TEXT, check_pattern},
    {"format", OF_TEXT, check_format},
    {"anyOf", OF_SCHEMAS, check_any},
    {"oneOf", OF_SCHEMAS, check_one},
    {"allOf", OF_SCHEMAS, check_all},
};

static const struct keyword *find_keyword(const char *name)
{
    for (size_t i = 0; i < E8_COUNT(keywords); i++) {
        if (strcmp(keywords[i].name, name) == 0) {
            return &keywords[i];
        }
    }
    return NULL;
}

static bool check(struct checker *c, const cJSON *schema, const cJSON *value)
{
    if (cJSON_IsBool(schema)) {
        return cJSON_IsTrue(schema) || wrong(c, NULL, "the schema allows nothing here");
    }
    if (++c->depth > DEPTH_MAX) {
        c->depth--;
        return wrong(c, NULL, "is nested more than %d deep", DEPTH_MAX);
    }
    bool good = true;
    for (const cJSON *member = schema->child; good && member; member = member->next) {
        const struct keyword *keyword = find_keyword(member->string);
        good = !keyword->check || keyword->check(c, member, schema, value);
    }
    c->depth--;
    return good;
}

/* ---- reading ---- */

static bool read_schema(struct checker *c, const cJSON *node);

static bool all_fit(const cJSON *list, bool (*fits)(const cJSON *item))
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (!fits(item)) {
            return false;
        }
    }
    return cJSON_IsArray(list);
}

static bool is_text(const cJSON *node)
{
    return cJSON_IsString(node) != 0;
}

static bool is_type_name(const cJSON *node)
{
    static const char *const names[] = {"object", "array", "string", "number", "integer", "boolean", "null"};
    for (size_t i = 0; cJSON_IsString(node) && i < E8_COUNT(names); i++) {
        if (strcmp(node->valuestring, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool operand_fits(enum operand operand, const cJSON *node)
{
    switch (operand) {
    case OF_TEXT:
        return cJSON_IsString(node);
    case OF_TEXTS:
        return all_fit(node, is_text);
    case OF_TYPE:
        return is_type_name(node) || (node->child && all_fit(node, is_type_name));
    case OF_BOOL:
        return cJSON_IsBool(node);
    case OF_NUMBER:
        return cJSON_IsNumber(node);
    case OF_LIST:
    case OF_SCHEMAS:
        return cJSON_IsArray(node);
    case OF_MAP:
        return cJSON_IsObject(node);
    case OF_SCHEMA:
    case OF_ANY:
        return true;
    }
    E8_UNREACHABLE();
}

static bool read_pattern(struct checker *c, struct e8_schema *schema, const cJSON *node)
{
    schema->patterns = e8_resize(schema->patterns, schema->pattern_count + 1, sizeof *schema->patterns);
    struct pattern *pattern = &schema->patterns[schema->pattern_count];
    if (regcomp(&pattern->regex, node->valuestring, REG_EXTENDED | REG_NOSUB) != 0) {
        return wrong(c, "an extended regular expression without \\d, \\w and look-ahead",
                     "pattern %.120s cannot be used", node->valuestring);
    }
    pattern->node = node;
    schema->pattern_count++;
    return true;
}

static bool read_children(struct checker *c, const cJSON *node)
{
    for (const cJSON *child = node->child; child; child = child->next) {
        size_t before = push(c, child->string ? child->string : "-");
        if (!read_schema(c, child)) {
            return false;
        }
        pop(c, before);
    }
    return true;
}

static bool read_keyword(struct checker *c, const cJSON *node)
{
    const struct keyword *keyword = find_keyword(node->string);
    struct e8_schema *schema = c->reading;
    if (!keyword) {
        const char *names[E8_COUNT(keywords) + 1] = {NULL};
        for (size_t i = 0; i < E8_COUNT(keywords); i++) {
            names[i] = keywords[i].name;
        }
        char hint[E8_HINT_MAX];
        e8_hint_near(e8_str(node->string), names,
                     "type, properties, required, items, enum, const, pattern and others", hint);
        return wrong(c, hint, "unknown keyword \"%s\"", node->string);
    }
    if (!operand_fits(keyword->operand, node)) {
        return wrong(c, NULL, "keyword \"%s\" has a value of the wrong type", node->string);
    }
    if (keyword->check == check_pattern) {
        return read_pattern(c, schema, node);
    }
    if (keyword->check == check_ref && !follow_ref(schema, node->valuestring)) {
        return wrong(c, "#/$defs/NAME of the same file", "$ref \"%s\" leads nowhere", node->valuestring);
    }
    if (keyword->operand == OF_SCHEMA) {
        return read_schema(c, node);
    }
    return keyword->operand == OF_MAP || keyword->operand == OF_SCHEMAS ? read_children(c, node) : true;
}

static bool read_schema(struct checker *c, const cJSON *node)
{
    if (cJSON_IsBool(node)) {
        return true;
    }
    if (!cJSON_IsObject(node)) {
        return wrong(c, "an object of keywords, true or false", "is no schema");
    }
    for (const cJSON *member = node->child; member; member = member->next) {
        size_t before = push(c, member->string);
        if (!read_keyword(c, member)) {
            return false;
        }
        pop(c, before);
    }
    return true;
}

/* Gives a fault of a keyword its line and column: those of the deepest node on the pointer's way. */
static void place_fault(const struct e8_doc *doc, struct e8_str pointer, struct e8_err *err)
{
    const struct e8_node *node = e8_doc_root(doc), *next = node;
    struct e8_err placed = {0};
    struct e8_str name;
    while (next && e8_str_split(&pointer, '/', &name)) {
        next = NULL;
        for (const struct e8_node *child = node->first; child && !next; child = child->next) {
            next = e8_str_eq(child->key, name) ? child : NULL;
        }
        node = next ? next : node;
    }
    if (err) {
        e8_key_fail(&placed, node, err->hint[0] ? err->hint : NULL, "%s",
                    err->what + strlen(e8_doc_name(doc)) + 2);
        *err = placed;
    }
}

enum e8_rc e8_schema_parse(const char *name, struct e8_str text, struct e8_schema **out, struct e8_err *err)
{
    struct e8_schema *schema = e8_new(1, sizeof *schema);
    struct checker c = {.schema = schema, .reading = schema, .err = err};
    struct e8_doc *doc = NULL;
    enum e8_rc rc = e8_doc_parse(name, text, E8_DOC_JSON, &doc, err);
    schema->name = e8_dup(name);
    schema->root = rc ? NULL : cJSON_ParseWithLength(text.p, text.n);
    *out = schema;
    e8_buf_init(&c.path, 4096);
    if (!rc && !schema->root) {
        rc = e8_fail_at(err, name, 0, 0, NULL, "cJSON cannot read it");
    } else if (!rc && !read_schema(&c, schema->root)) {
        struct e8_str pointer = e8_buf_str(&c.path);
        place_fault(doc, pointer.n ? (struct e8_str){pointer.p + 1, pointer.n - 1} : pointer, err);
        rc = E8_INPUT;
    }
    e8_buf_fini(&c.path);
    e8_doc_free(&doc);
    if (rc) {
        e8_schema_free(out);
    }
    return rc;
}

void e8_schema_free(struct e8_schema **schema)
{
    struct e8_schema *s = *schema;
    if (!s) {
        return;
    }
    for (size_t i = 0; i < s->pattern_count; i++) {
        regfree(&s->patterns[i].regex);
    }
    free(s->patterns);
    cJSON_Delete(s->root);
    free(s->name);
    free(s);
    *schema = NULL;
}

enum e8_rc e8_schema_check(const struct e8_schema *schema, struct e8_str document, struct e8_err *err)
{
    struct checker c = {.schema = schema, .err = err};
    const char *end = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts(document.p, document.n, &end, false);
    if (!root || e8_str_trim((struct e8_str){end, document.n - (size_t)(end - document.p)}).n) {
        cJSON_Delete(root);
        return e8_fail(err, E8_INPUT, NULL, "%s: the document is not valid JSON", schema->name);
    }
    e8_buf_init(&c.path, 64 << 10);
    bool good = check(&c, schema->root, root);
    e8_buf_fini(&c.path);
    cJSON_Delete(root);
    return good ? E8_OK : E8_INPUT;
}
