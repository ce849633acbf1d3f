#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/session.h"

int e8_cmd_version(const struct e8_args *args)
{
    struct e8_err err = {0};
    (void)args;
    if (e8_transport_init(&err)) {
        return e8_exit_error(&err);
    }
    printf("emit8 %s (libcurl %s)\n", E8_VERSION, e8_transport_curl_version());
    return E8_EXIT_PASS;
}

/* "text|json" as "text json"; the option has no such values: false. */
static bool put_values(const struct e8_option *option, const char *before, const char *after)
{
    if (!option->arg || !strchr(option->arg, '|')) {
        return false;
    }
    fputs(before, stdout);
    for (const char *c = option->arg; *c; c++) {
        putchar(*c == '|' ? ' ' : *c);
    }
    fputs(after, stdout);
    return true;
}

static void bash_words(const struct e8_command *command)
{
    printf("    %s) words=\"", command->name);
    for (size_t g = 0; g < E8_GROUPS_MAX && command->groups[g]; g++) {
        for (const struct e8_option *o = command->groups[g]; o->name; o++) {
            printf("--%s ", o->name);
        }
    }
    printf("\"\n      case $option in\n");
    for (size_t g = 0; g < E8_GROUPS_MAX && command->groups[g]; g++) {
        for (const struct e8_option *o = command->groups[g]; o->name; o++) {
            if (o->arg && strchr(o->arg, '|')) {
                printf("        --%s)", o->name);
                put_values(o, " values=\"", "\" ;;\n");
            }
        }
    }
    printf("      esac ;;\n");
}

/* Bash takes --option=value apart: the = is a word of its own. */
static void complete_bash(void)
{
    printf("_emit8() {\n"
           "  local current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD-1]} words= values=\n"
           "  if [ \"$current\" = '=' ]; then current=; fi\n"
           "  if [ \"$option\" = '=' ]; then option=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
           "  if [ \"$COMP_CWORD\" = 1 ]; then\n    words=\"help");
    for (const struct e8_command *c = e8_commands; c->name; c++) {
        printf(" %s", c->name);
    }
    printf("\"\n  else\n    case ${COMP_WORDS[1]} in\n");
    for (const struct e8_command *c = e8_commands; c->name; c++) {
        bash_words(c);
    }
    printf(
        "    esac\n"
        "    if [ -n \"$values\" ]; then words=$values\n"
        "    else case $current in -*) ;; *) COMPREPLY=($(compgen -f -- \"$current\")); return ;; esac; fi\n"
        "  fi\n"
        "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n}\ncomplete -F _emit8 emit8\n");
}

static void zsh_quoted(const char *text)
{
    for (; *text; text++) {
        if (*text == '\'') {
            printf("'\\''");
        } else if (*text == '[' || *text == ']' || *text == ':') {
            printf("\\%c", *text);
        } else {
            putchar(*text);
        }
    }
}

static void complete_zsh(void)
{
    printf("#compdef emit8\n_emit8() {\n  if (( CURRENT == 2 )); then\n    local -a commands=(");
    for (const struct e8_command *c = e8_commands; c->name; c++) {
        printf(" '%s:", c->name);
        zsh_quoted(c->summary);
        printf("'");
    }
    printf(")\n    _describe command commands\n    return\n  fi\n  case $words[2] in\n");
    for (const struct e8_command *c = e8_commands; c->name; c++) {
        printf("    %s) _arguments", c->name);
        for (size_t g = 0; g < E8_GROUPS_MAX && c->groups[g]; g++) {
            for (const struct e8_option *o = c->groups[g]; o->name; o++) {
                printf(" '*--%s%s[", o->name, o->arg ? "=" : "");
                zsh_quoted(o->help);
                fputs("]", stdout);
                if (!put_values(o, ": :(", ")")) {
                    fputs(o->arg ? ": :_files" : "", stdout);
                }
                fputs("'", stdout);
            }
        }
        printf(" '*: :_files' ;;\n");
    }
    printf("  esac\n}\n_emit8 \"$@\"\n");
}

static void fish_quoted(const char *text)
{
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\') {
            putchar('\\');
        }
        putchar(*text);
    }
}

static void complete_fish(void)
{
    for (const struct e8_command *c = e8_commands; c->name; c++) {
        printf("complete -c emit8 -n __fish_use_subcommand -a %s -d '", c->name);
        fish_quoted(c->summary);
        printf("'\n");
        for (size_t g = 0; g < E8_GROUPS_MAX && c->groups[g]; g++) {
            for (const struct e8_option *o = c->groups[g]; o->name; o++) {
                printf("complete -c emit8 -n '__fish_seen_subcommand_from %s' -l %s", c->name, o->name);
                if (!put_values(o, " -x -a '", "'")) {
                    fputs(o->arg ? " -r" : "", stdout);
                }
                fputs(" -d '", stdout);
                fish_quoted(o->help);
                printf("'\n");
            }
        }
    }
}

int e8_cmd_completion(const struct e8_args *args)
{
    static const struct {
        const char *shell;
        void (*print)(void);
    } shells[] = {{"bash", complete_bash}, {"zsh", complete_zsh}, {"fish", complete_fish}};
    struct e8_err err = {0};
    for (size_t i = 0; i < E8_COUNT(shells); i++) {
        if (e8_str_is(e8_str(args->words[0]), shells[i].shell)) {
            shells[i].print();
            return E8_EXIT_PASS;
        }
    }
    e8_fail(&err, E8_INPUT, "bash, zsh or fish", "no completion for \"%s\"", args->words[0]);
    return e8_exit_error(&err);
}
