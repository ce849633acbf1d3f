#!/usr/bin/python3
"""The order of the modules: a file includes headers of its own module and of modules on a lower level, nothing else; each library
has its owners; levels 0 to 4 have no sockets, threads or clock; only cli ends the process. The table stands in src/README.md too."""
import os
import re

import _lint

LEVELS = [
    ["base"],
    ["doc", "digest", "hist", "http1", "delivery", "match", "prometheus"],
    ["template", "sign", "pace", "search", "threshold", "expect", "results"],
    ["catalog", "tamper"],
    ["scenario", "stats"],
    ["transport", "httpd", "dlog"],
    ["engine"],
    ["report", "sink", "check", "platform"],
    ["cli"],
]
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
TOP = len(LEVELS)  # main.c
PURE = 4           # the highest level without sockets, threads and clock

# Headers that other modules may include, beside x/x.h. All of base's are public.
PUBLIC = {"doc/json.h", "catalog/platform.h", "http1/reply.h", "platform/guard.h", "report/curve.h", "report/course.h",
          "report/diff.h"}

# Libraries: who includes their headers.
OWNERS = [
    (r"curl/.*", {"transport"}),
    (r"liburing.h", {"transport"}),
    (r"libfyaml\.h", {"doc"}),
    (r"microhttpd\.h", {"httpd"}),
    (r"sqlite3\.h", {"dlog", "platform", "sink"}),
    (r"openssl/.*", {"digest"}),
    (r"cjson/.*", {"catalog", "platform"}),
    (r"zlib\.h", {"hist"}),
    (r"pthread\.h", {"base"}),  # on the pure levels; above them it is free
]
# What the pure levels may not include. base has the clock, files and threads' tools; http1 parses addresses.
IMPURE = re.compile(r"sys/(socket|un|epoll|timerfd|eventfd|signalfd|select|time)\.h|netinet/.*|netdb\.h|poll\.h|pthread\.h|"
                    r"threads\.h|sched\.h|signal\.h|time\.h|unistd\.h|arpa/inet\.h")
IMPURE_ALLOWED = {("http1", "arpa/inet.h")}
CLOCK = re.compile(r"\b(e8_mono_now|e8_wall_now|clock_gettime|gettimeofday|time|nanosleep|clock_nanosleep)\s*\(")
EXIT = re.compile(r"\b(exit|_exit|_Exit|quick_exit|abort)\s*\(")
EXITERS = {"exit": {"cli", "main"}, "_exit": {"base"}, "_Exit": set(), "quick_exit": set(), "abort": {"base"}}

INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"\n]+)[>\"]", re.MULTILINE)


def module_of(path):
    parts = path.split(os.sep)
    return parts[1] if len(parts) > 2 else "main"


def own_header(module, header):
    """What is wrong with including a header of the house."""
    other, _, rest = header.partition("/")
    level = TOP if module == "main" else LEVEL[module]
    if not rest:
        return f'"{header}": includes are rooted at src: "{module}/{header}"'
    if other not in LEVEL:
        return f'"{header}": there is no module {other}'
    if other == module:
        return None
    if LEVEL[other] == level:
        return f'"{header}": {module} and {other} are both on level {level}'
    if LEVEL[other] > level:
        return f'"{header}": {other} is on level {LEVEL[other]}, {module} on {level}'
    if other != "base" and header != f"{other}/{other}.h" and header not in PUBLIC:
        return f'"{header}" is internal to {other}'
    return None


def library_header(module, header):
    """What is wrong with including a header of the system or of a library."""
    pure = LEVEL.get(module, TOP) <= PURE
    for pattern, owners in OWNERS:
        if re.fullmatch(pattern, header) and module not in owners and (pure or header != "pthread.h"):
            return f"<{header}> is for {', '.join(sorted(owners))} alone"
    if pure and module != "base" and IMPURE.fullmatch(header) and (module, header) not in IMPURE_ALLOWED:
        return f"<{header}>: {module} has no sockets, threads or clock"
    return None


def check_file(path, text):
    module = module_of(path)
    if module != "main" and module not in LEVEL:
        return [f"{path}:1: there is no module {module} in the table of tests/lint/modules.py"]
    out = []
    code = _lint.code_of(text)
    # Includes are searched in the text, because the blanked code has no names; but only where the code has the directive.
    directives = {line for line, _ in _lint.matches(re.compile(r"^[ \t]*#[ \t]*include", re.MULTILINE), code)}
    for line, match in _lint.matches(INCLUDE, text):
        if line in directives:
            look = own_header if match.group(1) == '"' else library_header
            wrong = look(module, match.group(2))
            out += [f"{path}:{line}: {wrong}"] if wrong else []
    if module != "base" and LEVEL.get(module, TOP) <= PURE:
        out += [f"{path}:{line}: {m.group(1)}: {module} has no clock" for line, m in _lint.matches(CLOCK, code)]
    for line, match in _lint.matches(EXIT, code):
        if module not in EXITERS[match.group(1)]:
            out.append(f"{path}:{line}: {match.group(1)}: only cli ends the process")
    return out


def check(root):
    out = []
    for path in _lint.files(root, ["src"], (".c", ".h")):
        out += check_file(path, _lint.read(root, path))
    return out


CASES = [
    ("lower", {"src/engine/a.c": '#include "scenario/scenario.h"\n#include "base/buf.h"\n#include "engine/a.h"\n'}, None),
    ("higher", {"src/base/a.c": '#include "cli/cli.h"\n'}, "src/base/a.c:1: \"cli/cli.h\": cli is on level 8"),
    ("higher in a header", {"src/doc/a.h": '\n#include "engine/engine.h"\n'}, "src/doc/a.h:2:"),
    ("same level", {"src/doc/a.c": '#include "hist/hist.h"\n'}, "both on level 1"),
    ("unknown target", {"src/doc/a.c": '#include "util/util.h"\n'}, "there is no module util"),
    ("unknown module", {"src/util/a.c": "int x;\n"}, "there is no module util"),
    ("not rooted", {"src/doc/a.c": '#include "doc.h"\n'}, "rooted at src"),
    ("internal header", {"src/cli/a.c": '#include "engine/worker.h"\n'}, "internal to engine"),
    ("second public header", {"src/cli/a.c": '#include "doc/json.h"\n'}, None),
    ("spaces", {"src/base/a.c": '  #  include  "cli/cli.h"\n'}, "level 8"),
    ("comment", {"src/base/a.c": '/*\n#include "cli/cli.h"\n*/\n// #include <curl/curl.h>\n'}, None),
    ("main", {"src/main.c": '#include "cli/cli.h"\nint main(void) { exit(0); }\n'}, None),
    ("curl", {"src/engine/a.c": "#include <curl/curl.h>\n"}, "<curl/curl.h> is for transport alone"),
    ("fyaml", {"src/scenario/a.c": "#include <libfyaml.h>\n"}, "for doc alone"),
    ("microhttpd", {"src/sink/a.c": "#include <microhttpd.h>\n"}, "for httpd alone"),
    ("sqlite", {"src/cli/a.c": "#include <sqlite3.h>\n"}, "for dlog, platform, sink alone"),
    ("openssl", {"src/sign/a.c": "#include <openssl/evp.h>\n"}, "for digest alone"),
    ("owners", {"src/transport/a.c": "#include <curl/curl.h>\n", "src/sink/a.c": "#include <sqlite3.h>\n"}, None),
    ("socket below", {"src/http1/a.c": "#include <sys/socket.h>\n"}, "no sockets"),
    ("socket above", {"src/transport/a.c": "#include <sys/socket.h>\n"}, None),
    ("thread below", {"src/stats/a.c": "#include <pthread.h>\n"}, "for base alone"),
    ("thread above", {"src/engine/a.c": "#include <pthread.h>\n"}, None),
    ("clock below", {"src/pace/a.c": "int f(void) { return e8_mono_now(); }\n"}, "pace has no clock"),
    ("clock in a comment", {"src/pace/a.c": "/* not e8_mono_now() */\n"}, None),
    ("exit below", {"src/report/a.c": "void f(void) { exit(1); }\n"}, "only cli ends"),
    ("exit in a string", {"src/report/a.c": 'const char *f(void) { return "exit(1)"; }\n'}, None),
    ("exit of another name", {"src/report/a.c": "void f(void) { on_exit(1); }\n"}, None),
]

if __name__ == "__main__":
    _lint.main(check, CASES)
