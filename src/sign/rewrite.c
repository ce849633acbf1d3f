#include "sign/parts.h"

/* The usual first. */
const struct e8_rewrite e8_rewrites[] = {
    {"compact JSON, as JSON.stringify writes it", {.numbers = true}},
    {"compact JSON with numbers kept as they were", {0}},
    {"JSON with spaces behind ',' and ':' and non-ASCII escaped, as Python's json.dumps writes it",
     {.spaced = true, .ascii = true}},
    {"JSON with spaces behind ',' and ':'", {.spaced = true}},
    {"compact JSON with non-ASCII escaped", {.ascii = true}},
    {"compact JSON with '/' and non-ASCII escaped, as PHP's json_encode writes it",
     {.ascii = true, .slashes = true}},
    {"JSON indented by 2 spaces", {.indent = 2, .numbers = true}},
    {"JSON indented by 2 spaces with non-ASCII escaped", {.indent = 2, .ascii = true}},
    {"JSON indented by 4 spaces", {.indent = 4, .numbers = true}},
    {"JSON indented by 4 spaces with non-ASCII escaped", {.indent = 4, .ascii = true}},
    {"compact JSON with sorted keys", {.sorted = true, .numbers = true}},
    {"compact JSON with sorted keys and '<', '>' and '&' escaped, as Go's json.Marshal writes a map",
     {.sorted = true, .html = true, .numbers = true}},
    {"compact JSON with sorted keys and non-ASCII escaped", {.sorted = true, .ascii = true}},
    {"JSON with sorted keys, spaces behind ',' and ':' and non-ASCII escaped",
     {.sorted = true, .spaced = true, .ascii = true}},
    {"JSON with sorted keys and spaces behind ',' and ':'", {.sorted = true, .spaced = true}},
    {"JSON indented by 2 spaces with sorted keys", {.sorted = true, .indent = 2, .numbers = true}},
    {"JSON indented by 4 spaces with sorted keys", {.sorted = true, .indent = 4, .ascii = true}},
};
const size_t e8_rewrite_count = E8_COUNT(e8_rewrites);
