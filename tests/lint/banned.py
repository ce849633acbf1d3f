#!/usr/bin/python3
"""What must not stand in the sources: functions that C has better ones for, notes to oneself, and names of hosts and places that
belong to the machine where it was written."""
import re

import _lint

# Calls in C, with what to take instead.
CALLS = {
    "atoi": "e8_parse_i64", "atol": "e8_parse_i64", "atoll": "e8_parse_i64", "atof": "e8_parse_double",
    "strtod": "e8_parse_double", "strtof": "e8_parse_double", "strtold": "e8_parse_double",
    "sprintf": "snprintf or e8_buf_printf", "vsprintf": "vsnprintf",
    "strcpy": "e8_buf or memcpy", "stpcpy": "e8_buf or memcpy", "strncpy": "e8_buf or memcpy",
    "strcat": "e8_buf", "strncat": "e8_buf", "strtok": "e8_str", "strtok_r": "e8_str",
    "gets": "fgets", "localtime": "e8_wall_text", "localtime_r": "e8_wall_text", "gmtime": "e8_wall_text",
    "ctime": "e8_wall_text", "asctime": "e8_wall_text", "mktime": "e8_wall_parse",
    "rand": "e8_rng", "srand": "e8_rng", "random": "e8_rng", "drand48": "e8_rng",
    "system": "posix_spawn", "popen": "posix_spawn", "alloca": "e8_arena", "strdupa": "e8_arena",
    "tmpnam": "mkstemp", "tempnam": "mkstemp", "mktemp": "mkstemp",
}
# Calls in src alone: the tests may allocate as they like, and wait where nothing else shows that time has passed.
CALLS_SRC = {
    "malloc": "e8_new", "calloc": "e8_new", "realloc": "e8_resize", "strdup": "e8_dup", "strndup": "e8_dup_str",
    "sleep": "a timer", "usleep": "a timer", "select": "epoll or poll", "assert": "E8_ASSERT",
}
ALLOWED = {("src/base/mem.c", "malloc"), ("src/base/mem.c", "calloc"), ("src/base/mem.c", "realloc")}
CALL = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(sorted(CALLS | CALLS_SRC, key=len, reverse=True)))
MEMBER = re.compile(r"(->|\.)\s*$")

# In every text of ours. One character of each is bracketed, so that this file does not find itself.
WORDS = [
    (re.compile(r"\b(TOD[O]|FIXM[E]|XX[X]|HAC[K])\b"), "say what is, or do it"),
    (re.compile(r"/(?:wor[k]|roo[t])/[\w.-]"), "a path of one machine"),
    (re.compile(r"(?i)\b(?:deb\.debia[n]\.org|registry\.npmj[s]|npmj[s]\.(?:com|org)|pyp[i]\.org|pythonhoste[d]\.org|crate[s]\.io|"
                r"proxy\.golan[g]\.org|rubygem[s]\.org|repo\d*\.mave[n]|ghcr\.i[o]|docke[r]\.(?:io|com)|artifactor[y]|nexu[s]\.)"),
     "the host of a package registry"),
]
TEXTS = (".c", ".h", ".py", ".mjs", ".sh", ".md", ".cmake", ".in", ".txt", ".json", ".yaml", ".yml")
PLACES = ["src", "tests", "cmake", "fixtures", "scenarios", "dev", ".ci/run", "CMakeLists.txt", "CMakePresets.json", "README.md",
          "CHANGELOG.md", "LICENSE", ".clang-tidy", ".clang-format"]


def check_calls(path, text):
    code = _lint.code_of(text)
    known = CALLS | (CALLS_SRC if path.startswith("src/") else {})
    for line, match in _lint.matches(CALL, code):
        name = match.group(1)
        if name in known and (path, name) not in ALLOWED and not MEMBER.search(code[:match.start()]):
            yield f"{path}:{line}: {name} is banned; take {known[name]}"


def check_words(path, text):
    for pattern, why in WORDS:
        for line, match in _lint.matches(pattern, text):
            yield f'{path}:{line}: "{match.group()}": {why}'


def check(root):
    out = []
    for path in _lint.files(root, ["src", "tests"], (".c", ".h")):
        out += check_calls(path, _lint.read(root, path))
    for path in _lint.files(root, PLACES, TEXTS):
        out += check_words(path, _lint.read(root, path))
    return out


def call(name):
    return {"src/doc/a.c": f"void f(char *a)\n{{\n    {name}(a);\n}}\n"}


CASES = [(f"call of {name}", call(name), f"src/doc/a.c:3: {name} is banned") for name in sorted(CALLS | CALLS_SRC)] + [
    ("in tests", {"tests/unit/a.c": "int f(char *a) { return atoi (a); }\n"}, "tests/unit/a.c:1: atoi"),
    ("memory in tests", {"tests/unit/a.c": "void *f(void) { return malloc(1); }\n"}, None),
    ("comment", {"src/doc/a.c": "/* unlike atoi(x) */ // strcpy(a, b)\n"}, None),
    ("string", {"src/doc/a.c": 'const char *s = "system(1) \\" atoi(2)";\n'}, None),
    ("longer name", {"src/doc/a.c": "int f(void) { return e8_rand(1) + my_atoi(2) + randomly(3); }\n"}, None),
    ("member", {"src/doc/a.c": "int f(struct s *s) { return s->select(1) + s->x.random (2); }\n"}, None),
    ("the wrapper", {"src/base/mem.c": "void *f(void) { return malloc(1); }\n"}, None),
    ("note", {"src/doc/a.c": "/* TOD" + "O: later */\n"}, "say what is"),
    ("note in the script", {"dev": "# FIXM" + "E\n"}, "dev:1:"),
    ("template of mkstemp", {"src/doc/a.c": 'char s[] = "/tmp/e8-XXXXXX";\n'}, None),
    ("place", {"tests/a.py": 'P = "/wor' + 'k/main/x"\n'}, "a path of one machine"),
    ("registry", {"README.md": "from pyp" + "i.org\n"}, "package registry"),
]

if __name__ == "__main__":
    _lint.main(check, CASES)
