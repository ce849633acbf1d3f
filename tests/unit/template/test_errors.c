/* Every fault of a template, a vocabulary and a word list: its place, what is wrong, and what would be right. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

static const char macros[] = "{\"$now\": \"{{$isoTimestamp}}\", \"$rows\": \"{{$pick places}}\"}";
static const char entities[] =
    "{\"user\": {\"name\": \"x\", \"place\": \"{{$pick places}}\", \"tags\": [1]}}";

static const struct {
    const char *json, *error;
} faults[] = {
    /* placeholders */
    {"\"{{$gid}}\"", "t.json:1:1: unknown placeholder \"$gid\"; did you mean \"$guid\"?"},
    {"{\n  \"a\": \"x {{usr.name}}\"}",
     "t.json:2:8: unknown placeholder \"usr.name\"; did you mean \"user.name\"?"},
    {"\"{{user.nam}}\"", "t.json:1:1: unknown placeholder \"user.nam\"; did you mean \"user.name\"?"},
    {"\"{{nothing like it}}\"", "t.json:1:1: unknown placeholder \"nothing\"; fixtures/README.md, "
                                "placeholders.json and entities.json list them"},
    {"\"{{user}}\"", "t.json:1:1: unknown placeholder \"user\"; did you mean \"user.name\"?"},
    {"\"{{user.}}\"", "t.json:1:1: unknown placeholder \"user.\"; did you mean \"user.name\"?"},
    {"\"{{.name}}\"", "t.json:1:1: unknown placeholder \".name\"; fixtures/README.md, placeholders.json and "
                      "entities.json list them"},
    {"\"{{event.idd}}\"", "t.json:1:1: unknown placeholder \"event.idd\"; did you mean \"event.id\"?"},
    {"\"{{}}\"", "t.json:1:1: empty placeholder"},
    {"\"{{  }}\"", "t.json:1:1: empty placeholder"},
    {"\"{{$guid\"", "t.json:1:1: {{ without }}; a placeholder ends with }}, and its quotes are paired"},
    {"\"{{$weighted 'a=1}}\"",
     "t.json:1:1: {{ without }}; a placeholder ends with }}, and its quotes are paired"},
    {"\"{{$guid}} {{$guid\"",
     "t.json:1:1: {{ without }}; a placeholder ends with }}, and its quotes are paired"},
    {"\"{{$guid {{$guid}}\"", "t.json:1:1: {{ within a placeholder"},
    {"\"{{{{$guid}}\"", "t.json:1:1: unknown placeholder \"{$guid\"; did you mean \"$guid\"?"},
    {"\"a}} {{b\"", "t.json:1:1: {{ without }}; a placeholder ends with }}, and its quotes are paired"},
    {"\"{{$guid 1}}\"", "t.json:1:1: $guid takes no arguments"},
    {"\"{{$now 1}}\"", "t.json:1:1: $now takes no arguments"},
    {"\"{{user.name x}}\"", "t.json:1:1: user.name takes no arguments"},
    {"\"{{event.data}}\"",
     "t.json:1:1: event.data may be used only in envelope.json; there it is the whole value of a "
     "member: \"data\": \"{{event.data}}\""},
    {"\"{{$repeat 3}}\"", "t.json:1:1: $repeat is a directive, no value; it is the only member of an object: "
                          "{\"{{$repeat 1..3}}\": ITEM}, {\"{{$choose}}\": [A, B]}"},
    {"\"{{$index}}\"", "t.json:1:1: $index has a meaning only within a $repeat; it counts the items of "
                       "{\"{{$repeat 1..3}}\": ITEM}"},
    {"\"{{'a'b'}}\"", "t.json:1:1: {{ without }}; a placeholder ends with }}, and its quotes are paired"},
    {"\"{{'a' 'b'}}\"",
     "t.json:1:1: 'a' 'b' is not one quoted text; a quote within quotes is written twice: 'it''s'"},
    /* arguments */
    {"\"{{$hex}}\"", "t.json:1:1: $hex lacks an argument; write $hex N"},
    {"\"{{$hex 1 2}}\"", "t.json:1:1: $hex has too many arguments; write $hex N"},
    {"\"{{$hex x}}\"", "t.json:1:1: \"x\" is no whole number; a whole number from 1 to 1024"},
    {"\"{{$hex 0}}\"", "t.json:1:1: 0 is out of range; a whole number from 1 to 1024"},
    {"\"{{$digits 1025}}\"", "t.json:1:1: 1025 is out of range; a whole number from 1 to 1024"},
    {"\"{{$randomInt 5}}\"", "t.json:1:1: \"5\" is no range; write $randomInt MIN..MAX"},
    {"\"{{$randomInt 5..1}}\"", "t.json:1:1: the range is reversed; the smaller number comes first"},
    {"\"{{$randomInt 5 1}}\"", "t.json:1:1: the range is reversed; the smaller number comes first"},
    {"\"{{$randomInt 1..}}\"",
     "t.json:1:1: \"\" is no whole number; a whole number from -9007199254740992 to 9007199254740992"},
    {"\"{{$randomInt 1.5..2}}\"",
     "t.json:1:1: \"1.5\" is no whole number; a whole number from -9007199254740992 to 9007199254740992"},
    {"\"{{$randomInt 1 2 3}}\"", "t.json:1:1: $randomInt has too many arguments; write $randomInt MIN..MAX"},
    {"\"{{$randomInt 0..9007199254740993}}\"", "t.json:1:1: 9007199254740993 is out of range; a whole number "
                                               "from -9007199254740992 to 9007199254740992"},
    {"\"{{$randomFloat}}\"",
     "t.json:1:1: $randomFloat lacks an argument; write $randomFloat MIN..MAX DECIMALS"},
    {"\"{{$randomFloat 1}}\"", "t.json:1:1: \"1\" is no range; write $randomFloat MIN..MAX DECIMALS"},
    {"\"{{$randomFloat 2..1}}\"", "t.json:1:1: the range is reversed; the smaller number comes first"},
    {"\"{{$randomFloat 0..1 7}}\"", "t.json:1:1: 7 is out of range; a whole number from 0 to 6"},
    {"\"{{$randomFloat 0.125..1}}\"",
     "t.json:1:1: 0.125 has more than 2 decimals; ask for more: $randomFloat MIN..MAX DECIMALS"},
    {"\"{{$randomFloat a..1}}\"", "t.json:1:1: \"a\" is no decimal number"},
    {"\"{{$randomFloat -..1}}\"", "t.json:1:1: \"-\" is no decimal number"},
    {"\"{{$randomFloat 1...2}}\"", "t.json:1:1: \".2\" is no decimal number"},
    {"\"{{$randomFloat 0..1e3}}\"", "t.json:1:1: \"1e3\" is no decimal number"},
    {"\"{{$randomFloat 0..90071992547409930}}\"", "t.json:1:1: 90071992547409930 is too large"},
    {"\"{{$randomFloat 0..9007199254740992 1}}\"", "t.json:1:1: 9007199254740992 is too large"},
    {"\"{{$randomBoolean 30}}\"", "t.json:1:1: \"30\" is no probability; write 0% to 100%, for example 30%"},
    {"\"{{$randomBoolean 130%}}\"",
     "t.json:1:1: \"130%\" is no probability; write 0% to 100%, for example 30%"},
    {"\"{{$randomBoolean %}}\"", "t.json:1:1: \"%\" is no probability; write 0% to 100%, for example 30%"},
    {"\"{{$date}}\"", "t.json:1:1: $date lacks an argument; write $date OFFSET or FROM..TO"},
    {"\"{{$date 3}}\"",
     "t.json:1:1: \"3\" is no time offset; for example -3d, +90s or 0; units are ms, s, m, h, d"},
    {"\"{{$date --3d}}\"",
     "t.json:1:1: \"--3d\" is no time offset; for example -3d, +90s or 0; units are ms, s, m, h, d"},
    {"\"{{$unix -1d..-2d}}\"", "t.json:1:1: the range -1d..-2d is reversed; the earlier time comes first"},
    {"\"{{$weighted a}}\"", "t.json:1:1: \"a\" has no weight; write $weighted open=3 'on hold'=1"},
    {"\"{{$weighted}}\"", "t.json:1:1: $weighted lacks an argument; write $weighted A=3 B=1 ..."},
    {"\"{{$weighted a=x}}\"",
     "t.json:1:1: \"x\" is no weight; weights are whole numbers from 0 to 1000000000"},
    {"\"{{$weighted a=1000000001}}\"",
     "t.json:1:1: \"1000000001\" is no weight; weights are whole numbers from 0 to 1000000000"},
    {"\"{{$weighted =1}}\"", "t.json:1:1: a value of $weighted is missing; an empty text is written ''"},
    {"\"{{$weighted a=0 b=0}}\"", "t.json:1:1: the weights are all 0; one of them must be at least 1"},
    {"\"{{$weighted 'a'x=1}}\"",
     "t.json:1:1: 'a'x is not one quoted text; a quote within quotes is written twice: 'it''s'"},
    {"\"{{$weighted 1e999=1}}\"", "t.json:1:1: the number 1e999 does not fit; in quotes it is a text"},
    {"\"{{$weighted 99999999999999999999=1}}\"",
     "t.json:1:1: the number 99999999999999999999 does not fit; in quotes it is a text"},
    {"\"{{$optional}}\"", "t.json:1:1: $optional lacks an argument; write $optional P% REST"},
    {"\"{{$optional 30%}}\"",
     "t.json:1:1: $optional has nothing to write; write $optional 30% $randomInt, or $optional 30% 'a text'"},
    {"\"{{$optional $guid}}\"", "t.json:1:1: \"$guid\" is no probability; write 0% to 100%, for example 30%"},
    {"\"{{$optional 5% $gid}}\"", "t.json:1:1: unknown placeholder \"$gid\"; did you mean \"$guid\"?"},
    {"\"{{$lower}}\"", "t.json:1:1: $lower lacks an argument; write $lower REST"},
    {"\"{{$upper abc}}\"", "t.json:1:1: unknown placeholder \"abc\"; fixtures/README.md, placeholders.json "
                           "and entities.json list them"},
    {"\"{{$count message}}\"",
     "t.json:1:1: no event type matches \"message\"; did you mean \"message.sent\"?"},
    {"\"{{$count mesage.sent}}\"",
     "t.json:1:1: no event type matches \"mesage.sent\"; did you mean \"message.sent\"?"},
    {"\"{{$count a**}}\"",
     "t.json:1:1: \"a**\" is no pattern of event types; for example message.received, message.* or *"},
    /* word lists and rows */
    {"\"{{$pick}}\"", "t.json:1:1: $pick lacks an argument; write $pick LIST or LIST:ENTITY.FIELD"},
    {"\"{{$pick colours}}\"", "t.json:1:1: unknown word list \"colours\"; did you mean \"colors\"?"},
    {"\"{{$pick greetings}}\"",
     "t.json:1:1: the word list \"greetings\" is kept by key; write $pick LIST:ENTITY.FIELD"},
    {"\"{{$pick greetings:}}\"", "t.json:1:1: \"\" is no field of an entity; write $pick LIST:ENTITY.FIELD"},
    {"\"{{$pick greetings:$guid}}\"",
     "t.json:1:1: \"$guid\" is no field of an entity; write $pick LIST:ENTITY.FIELD"},
    {"\"{{$pick greetings:user.nam}}\"",
     "t.json:1:1: unknown placeholder \"user.nam\"; did you mean \"user.name\"?"},
    {"\"{{$pick greetings:user.tags}}\"", "t.json:1:1: user.tags is an array or an object, which cannot "
                                          "stand within a text; use it alone: \"{{...}}\""},
    {"\"{{$pick colors:user.name}}\"",
     "t.json:1:1: the word list \"colors\" has no keys; leave out what follows the colon"},
    {"\"x {{$pick places}}\"", "t.json:1:1: $pick gives a whole row, which cannot stand within a text; take "
                               "one of its columns: make it a field "
                               "of an entity and write ENTITY.FIELD.COLUMN"},
    {"\"{{$upper $pick places}}\"", "t.json:1:1: $pick gives a whole row, which cannot stand within a text; "
                                    "take one of its columns: make it a field "
                                    "of an entity and write ENTITY.FIELD.COLUMN"},
    {"\"x {{$rows}}\"", "t.json:1:1: $rows is an array or an object, which cannot stand within a text; use "
                        "it alone: \"{{...}}\""},
    {"\"x {{user.place}}\"", "t.json:1:1: user.place is an array or an object, which cannot stand within a "
                             "text; its columns: city, zip"},
    {"\"x {{user.tags}}\"", "t.json:1:1: user.tags is an array or an object, which cannot stand within a "
                            "text; use it alone: \"{{...}}\""},
    {"\"{{user.place.cty}}\"", "t.json:1:1: user.place has no column \"cty\"; its columns: city, zip"},
    {"\"{{user.place.city.x}}\"", "t.json:1:1: user.place has no column \"city.x\"; its columns: city, zip"},
    {"\"{{user.name.x}}\"",
     "t.json:1:1: user.name has no columns, so there is no \"x\"; columns belong to a field that "
     "picks a row of a word list"},
    /* directives */
    {"{\"a\": {\"{{$repeat}}\": 1}}", "t.json:1:8: $repeat lacks an argument; {\"{{$repeat 1..3}}\": ITEM}"},
    {"{\"{{$repeat 65}}\": 1}", "t.json:1:2: 65 is out of range; a whole number from 0 to 64"},
    {"{\"{{$repeat 3..1}}\": 1}", "t.json:1:2: the range 3..1 is reversed; the smaller number comes first"},
    {"{\"{{$repeat x}}\": 1}", "t.json:1:2: \"x\" is no whole number; a whole number from 0 to 64"},
    {"{\"{{$repeat 2}}\": \"{{$gid}}\"}",
     "t.json:1:19: unknown placeholder \"$gid\"; did you mean \"$guid\"?"},
    {"{\"{{$choose}}\": 1}", "t.json:1:2: $choose needs an array of alternatives; {\"{{$choose}}\": [A, B]}"},
    {"{\"{{$choose}}\": []}",
     "t.json:1:2: $choose needs an array of alternatives; {\"{{$choose}}\": [A, B]}"},
    {"{\"{{$choose 1}}\": [1, 2]}",
     "t.json:1:2: 1 weights for 2 alternatives; give one weight for each, or none"},
    {"{\"{{$choose 0 0}}\": [1, 2]}", "t.json:1:2: the weights are all 0; one of them must be at least 1"},
    {"{\"{{$choose a}}\": [1]}",
     "t.json:1:2: \"a\" is no weight; weights are whole numbers from 0 to 1000000000"},
    {"{\"{{$optional}}\": 1}", "t.json:1:2: $optional lacks an argument; {\"{{$optional 30%}}\": VALUE}"},
    {"{\"{{$optional 2}}\": 1}", "t.json:1:2: \"2\" is no probability; write 0% to 100%, for example 30%"},
    {"{\"{{$repat 2}}\": 1}", "t.json:1:2: unknown directive \"$repat\"; did you mean \"$repeat\"?"},
    {"{\"{{zzzzzzzz}}\": 1}",
     "t.json:1:2: unknown directive \"zzzzzzzz\"; directives are $repeat, $choose and $optional"},
    {"{\"x{{$repeat 2}}\": 1}", "t.json:1:2: placeholders cannot stand in a name; a directive is the whole "
                                "name: {\"{{$repeat 1..3}}\": ITEM}"},
    {"{\"{{$repeat 2}}\": 1, \"b\": 2}",
     "t.json:1:2: placeholders cannot stand in a name; a directive is the only member of its object"},
};

static void faults_of_templates(void **state)
{
    struct world world;
    bool ok = true;
    (void)state;
    world_init(&world, macros, entities);
    assert_int_equal(world.errs.total, 0);
    for (size_t i = 0; i < E8_COUNT(faults); i++)
        ok = gives_error(&world, faults[i].json, faults[i].error) && ok;
    assert_true(ok);
    world_fini(&world);
}

static void all_faults_are_reported(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, "", "");
    assert_null(world_compile(
        &world, "{\"a\": \"{{$a}} {{$b}}\", \"b\": [\"{{$c}}\"],\n \"{{x}}\": \"{{$d}}\","
                " \"c\": {\"{{$choose 1}}\": [\"{{$e}}\", \"{{$f}}\"]},"
                " \"d\": {\"{{$optional x}}\": \"{{$g}}\"}, \"e\": {\"{{$repeat 99}}\": \"{{$h}}\"}}"));
    assert_int_equal(world.errs.total, 12);
    world_fini(&world);
}

static const struct {
    const char *macros, *entities, *errors[4];
} vocab_faults[] = {
    {"[]", "{}", {"macros.json:1:1: expected an object, not a list"}},
    {"{}", "1", {"entities.json:1:1: expected an object, not a whole number"}},
    {"{\"x\": 1, \"$\": 1, \"$1\": 1, \"$a b\": 1}",
     "",
     {"macros.json:1:2: a placeholder's name is a $ and a word; for example $randomFullName",
      "macros.json:1:10: a placeholder's name is a $ and a word; for example $randomFullName",
      "macros.json:1:18: a placeholder's name is a $ and a word; for example $randomFullName",
      "macros.json:1:27: a placeholder's name is a $ and a word; for example $randomFullName"}},
    {"{\"$guid\": 1, \"$repeat\": 1}",
     "",
     {"macros.json:1:2: this name is built in; choose another name",
      "macros.json:1:14: this name is built in; choose another name"}},
    {"{\"$a\": \"{{$b}}\", \"$b\": \"x{{$c}}\", \"$c\": [\"{{$a}}\"]}",
     "",
     {"macros.json:1:42: $a is made of itself: $a -> $b -> $c -> $a"}},
    {"{\"$a\": \"{{$a}}\"}", "", {"macros.json:1:8: $a is made of itself: $a -> $a"}},
    {"{\"$a\": \"{{$nope}}\", \"$b\": \"{{$a}}\"}",
     "",
     {"macros.json:1:8: unknown placeholder \"$nope\"; fixtures/README.md, placeholders.json and "
      "entities.json list them"}},
    {"{\"$a\": \"x{{$b}}\", \"$b\": {}}",
     "",
     {"macros.json:1:8: $b is an array or an object, which cannot stand within a text; use it alone: "
      "\"{{...}}\""}},
    {"{\"$a\": \"{{$index}}\"}",
     "",
     {"macros.json:1:8: $index has a meaning only within a $repeat; it counts the items of {\"{{$repeat "
      "1..3}}\": "
      "ITEM}"}},
    {"",
     "{\"e\": 1, \"event\": {}, \"flow\": {}, \"a.b\": {}}",
     {"entities.json:1:7: expected an object, not a whole number",
      "entities.json:1:10: this name is built in; choose another name",
      "entities.json:1:23: this name is built in; choose another name",
      "entities.json:1:35: an entity's name is a word; letters, digits, _ and -"}},
    {"",
     "{\"e\": {\"a.b\": 1, \"$scop\": \"run\"}}",
     {"entities.json:1:8: a field's name is a word; letters, digits, _ and -",
      "entities.json:1:18: a field's name is a word; letters, digits, _ and -"}},
    {"",
     "{\"e\": {\"$scope\": \"world\"}, \"f\": {\"$scope\": {\"pool\": 1, \"count\": \"*\"}}, \"g\": "
     "{\"$scope\": "
     "{\"x\": 1}}}",
     {"entities.json:1:18: unknown scope; \"flow\", \"run\", {\"pool\": 1000} or {\"count\": "
      "\"message.received\"}",
      "entities.json:1:44: unknown scope; \"flow\", \"run\", {\"pool\": 1000} or {\"count\": "
      "\"message.received\"}",
      "entities.json:1:94: unknown scope; \"flow\", \"run\", {\"pool\": 1000} or {\"count\": "
      "\"message.received\"}"}},
    {"",
     "{\"e\": {\"$scope\": {\"pool\": 0}}, \"f\": {\"$scope\": {\"pool\": \"3\"}}, \"g\": {\"$scope\": "
     "{\"count\": "
     "\"x.y\"}}, \"h\": {\"$scope\": {\"count\": 1}}}",
     {"entities.json:1:27: the size of a pool is a whole number from 1",
      "entities.json:1:57: the size of a pool is a whole number from 1",
      "entities.json:1:90: no event type matches \"x.y\"; emit8 events lists them",
      "entities.json:1:125: \"\" is no pattern of event types; for example message.received, message.* or "
      "*"}},
    {"",
     "{\"e\": {\"a\": \"{{f.b}}\"}, \"f\": {\"b\": \"{{e.a}}\"}}",
     {"entities.json:1:36: e.a is made of itself: e.a -> f.b -> e.a"}},
    {"",
     "{\"e\": {\"a\": \"{{$pick greetings:e.a}}\"}}",
     {"entities.json:1:13: e.a is made of itself: e.a -> e.a"}},
    {"{\"$t\": \"{{$now}}\", \"$now\": \"{{event.created_at}}\"}",
     "{\"e\": {\"a\": \"{{event.id}}\", \"b\": \"x {{$isoTimestamp}}\", \"c\": \"{{$t}}\", \"d\": "
     "[\"{{$count *}}\"]}}",
     {"entities.json:1:13: event.id changes from event to event and may not be used in an entity; "
      "flow.started_at stays "
      "the same within a flow",
      "entities.json:1:34: $isoTimestamp changes from event to event and may not be used in an entity; "
      "flow.started_at "
      "stays the same within a flow",
      "entities.json:1:62: event.created_at changes from event to event and may not be used in an entity, as "
      "$t does; "
      "flow.started_at stays the same within a flow",
      "entities.json:1:78: $count changes from event to event and may not be used in an entity; "
      "flow.started_at stays "
      "the same within a flow"}},
    {"",
     "{\"e\": {\"a\": \"{{$date -1d}}\", \"b\": \"{{$unix 0}}\", \"c\": \"{{$timestamp}}\", \"d\": "
     "\"{{flow.elapsed}}\"}}",
     {"entities.json:1:13: $date changes from event to event and may not be used in an entity; "
      "flow.started_at stays the "
      "same within a flow",
      "entities.json:1:35: $unix changes from event to event and may not be used in an entity; "
      "flow.started_at stays the "
      "same within a flow",
      "entities.json:1:55: $timestamp changes from event to event and may not be used in an entity; "
      "flow.started_at "
      "stays the same within a flow",
      "entities.json:1:78: flow.elapsed changes from event to event and may not be used in an entity; "
      "flow.started_at "
      "stays the same within a flow"}},
    {"{\"$of\": \"{{talk.id}} {{flow.started_at}}\"}",
     "{\"talk\": {\"id\": 1}, \"p\": {\"$scope\": {\"pool\": 2}, \"a\": \"{{talk.id}}\", \"b\": "
     "\"{{flow.started_at}}\", \"c\": \"{{$of}}\", \"d\": \"{{q.a}}\"}, \"q\": {\"$scope\": {\"pool\": 2}, "
     "\"a\": 1}}",
     {"entities.json:1:55: \"talk\" changes while \"p\" must stay the same; an entity may use those whose "
      "scope is as "
      "wide as its own, or wider",
      "entities.json:1:75: flow.started_at changes from flow to flow, but \"p\" is the same in many; give "
      "the entity the "
      "scope \"flow\"",
      "entities.json:1:103: flow.started_at changes from flow to flow, but \"p\" is the same in many; give "
      "the entity the "
      "scope \"flow\"",
      "entities.json:1:119: \"q\" changes while \"p\" must stay the same; an entity may use those whose "
      "scope is as wide "
      "as its own, or wider"}},
    {"",
     "{\"t\": {\"$scope\": {\"count\": \"message.sent\"}, \"a\": 1}, \"u\": {\"$scope\": {\"count\": "
     "\"message.*\"}, \"a\": "
     "\"{{t.a}}\"}, \"v\": {\"a\": \"{{t.a}}\"}, \"w\": {\"$scope\": \"run\", \"a\": \"{{v.a}}\"}}",
     {"entities.json:1:99: \"t\" changes while \"u\" must stay the same; an entity may use those whose scope "
      "is as wide "
      "as its own, or wider",
      "entities.json:1:122: \"t\" changes while \"v\" must stay the same; an entity may use those whose "
      "scope is as wide "
      "as its own, or wider"}},
};

static void faults_of_macros_and_entities(void **state)
{
    bool ok = true;
    (void)state;
    for (size_t i = 0; i < E8_COUNT(vocab_faults); i++) {
        struct world world;
        size_t count = 0;
        world_init(&world, vocab_faults[i].macros, vocab_faults[i].entities);
        while (count < 4 && vocab_faults[i].errors[count])
            count++;
        for (size_t k = 0; k < count; k++)
            ok = has_error(&world, k, vocab_faults[i].errors[k]) && ok;
        if (world.errs.total != count)
            fail_msg("%s %s: %zu errors", vocab_faults[i].macros, vocab_faults[i].entities, world.errs.total);
        world_fini(&world);
    }
    assert_true(ok);
}

/* One error where the fault is, none at each place that depends on it; but no template either. */
static void what_names_a_broken_thing_is_not_compiled(void **state)
{
    static const char *const uses[] = {"\"{{$bad}}\"",         "\"x{{e.bad}}\"",   "\"{{e.bad.x}}\"",
                                       "\"{{$pick broken}}\"", "\"{{$unknown}}\"", "\"{{e.unknown}}\""};
    struct world world = {.vocab = e8_vocab_new()};
    (void)state;
    e8_errs_init(&world.errs);
    assert_int_equal(world_words(&world, "broken", "[]"), E8_INPUT);
    e8_vocab_macros(world.vocab, world_parse(&world, "m.json", "{\"$bad\": \"{{$no}}\"}"), &world.errs);
    e8_vocab_entities(world.vocab, world_parse(&world, "e.json", "{\"e\": {\"bad\": \"{{$bad}}\"}}"),
                      &world.errs);
    assert_int_equal(e8_vocab_finish(world.vocab, &world.errs), E8_INPUT);
    assert_int_equal(world.errs.total, 2);
    for (size_t i = 0; i < E8_COUNT(uses); i++)
        assert_null(world_compile(&world, uses[i]));
    assert_int_equal(world.errs.total, 2);
    assert_null(world_compile(&world, "\"{{event.idd}}\"")); /* which does not depend on it */
    assert_int_equal(world.errs.total, 3);
    world_fini(&world);
}

/* What was not read is not known to be missing. */
static void names_of_unread_files_are_not_missed(void **state)
{
    struct world world = {.vocab = e8_vocab_new()};
    (void)state;
    e8_errs_init(&world.errs);
    assert_int_equal(e8_vocab_words(world.vocab, "w", NULL, &world.errs), E8_INPUT);
    assert_int_equal(e8_vocab_macros(world.vocab, NULL, &world.errs), E8_INPUT);
    assert_int_equal(e8_vocab_entities(world.vocab, NULL, &world.errs), E8_INPUT);
    e8_vocab_finish(world.vocab, &world.errs);
    assert_null(world_compile(&world, "\"{{$x}} {{e.x}} {{$pick w}}\""));
    assert_int_equal(world.errs.total, 0);
    assert_null(world_compile(&world, "\"{{$pick v}}\""));
    assert_int_equal(world.errs.total, 1);
    world_fini(&world);
}

static const struct {
    const char *json, *error;
} word_faults[] = {
    {"1", "words/w.json:1:1: a word list is an array, or an object of arrays"},
    {"[]", "words/w.json:1:1: a word list cannot be empty"},
    {"{}", "words/w.json:1:1: a word list cannot be empty"},
    {"{\"en\": []}", "words/w.json:1:8: a word list cannot be empty"},
    {"{\"en\": \"x\"}", "words/w.json:1:8: a word list is an array, or an object of arrays"},
    {"[\"a\", true]", "words/w.json:1:7: words are strings, numbers or rows"},
    {"[\"a\", [1]]", "words/w.json:1:7: words are strings, numbers or rows"},
    {"[\"a\", {\"b\": 1}]", "words/w.json:1:7: either all elements are rows, or none is"},
    {"[{\"b\": 1}, \"a\"]", "words/w.json:1:12: either all elements are rows, or none is"},
    {"[{\"b\": 1}, {\"c\": 1}]",
     "words/w.json:1:18: rows must all have the same columns; the first row decides which"},
    {"[{\"b\": 1}, {\"b\": 1, \"c\": 1}]",
     "words/w.json:1:12: rows must all have the same columns; the first row decides which"},
    {"{\"en\": [{\"b\": 1}], \"de\": [{}]}",
     "words/w.json:1:27: rows must all have the same columns; the first row decides which"},
    {"[{\"b\": null}]", "words/w.json:1:8: a column holds strings and numbers"},
    {"[{}]", "words/w.json:1:2: either all elements are rows, or none is"},
    {"{\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
     "01234567890123456789012345678\": [1]}",
     "words/w.json:1:135: the key of a word list is too long"},
};

static void faults_of_word_lists(void **state)
{
    bool ok = true;
    (void)state;
    for (size_t i = 0; i < E8_COUNT(word_faults); i++) {
        struct world world = {.vocab = e8_vocab_new()};
        e8_errs_init(&world.errs);
        assert_int_equal(world_words(&world, "w", word_faults[i].json), E8_INPUT);
        assert_int_equal(world.errs.total, 1);
        ok = has_error(&world, 0, word_faults[i].error) && ok;
        world_fini(&world);
    }
    assert_true(ok);
}

static void two_of_a_name_are_refused(void **state)
{
    struct world world = {.vocab = e8_vocab_new()};
    (void)state;
    e8_errs_init(&world.errs);
    assert_int_equal(world_words(&world, "w", "[1]"), E8_OK);
    assert_int_equal(world_words(&world, "w", "[1]"), E8_INPUT);
    assert_string_equal(world_error(&world, 0), "words/w.json:1:1: there are two word lists of this name");
    e8_vocab_macros(world.vocab, world_parse(&world, "m.json", "{\"$a\": 1}"), &world.errs);
    e8_vocab_macros(world.vocab, world_parse(&world, "n.json", "{\"$a\": 1}"), &world.errs);
    assert_string_equal(world_error(&world, 1),
                        "n.json:1:2: there is a placeholder of this name already; choose another name");
    e8_vocab_entities(world.vocab, world_parse(&world, "e.json", "{\"a\": {}}"), &world.errs);
    e8_vocab_entities(world.vocab, world_parse(&world, "f.json", "{\"a\": {}}"), &world.errs);
    assert_string_equal(world_error(&world, 2),
                        "f.json:1:2: there is an entity of this name already; choose another name");
    world_fini(&world);
}

static void too_many_entities_are_refused(void **state)
{
    struct world world;
    struct e8_buf json;
    (void)state;
    e8_buf_init(&json, 10000);
    for (int i = 0; i <= 64; i++)
        e8_buf_printf(&json, "%c\"e%d\": {}", i ? ',' : '{', i);
    e8_buf_putc(&json, '}');
    world_init(&world, "", e8_buf_cstr(&json));
    assert_int_equal(world.errs.total, 1);
    assert_string_equal(world.errs.list[0].what, "there are more than 64 entities");
    e8_buf_fini(&json);
    world_fini(&world);
}

static void errors_may_go_nowhere(void **state)
{
    struct world world;
    struct e8_template *t;
    (void)state;
    world_init(&world, "", "");
    const struct e8_node *tree = world_parse(&world, "t.json", "\"{{$gid}}\"");
    assert_int_equal(e8_template_compile(world.vocab, tree, &t, NULL), E8_INPUT);
    assert_null(t);
    world_fini(&world);
}

const struct CMUnitTest error_tests[] = {
    cmocka_unit_test(faults_of_templates),
    cmocka_unit_test(all_faults_are_reported),
    cmocka_unit_test(faults_of_macros_and_entities),
    cmocka_unit_test(what_names_a_broken_thing_is_not_compiled),
    cmocka_unit_test(names_of_unread_files_are_not_missed),
    cmocka_unit_test(faults_of_word_lists),
    cmocka_unit_test(two_of_a_name_are_refused),
    cmocka_unit_test(too_many_entities_are_refused),
    cmocka_unit_test(errors_may_go_nowhere),
};
const size_t error_test_count = E8_COUNT(error_tests);
