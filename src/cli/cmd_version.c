#include <stdio.h>

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

static void bash_words(const struct e8_command *command)
{
    printf("    %s) words=\"", command->name);
    for (size_t g = 0; g < E8_GROUPS_MAX && command->groups[g]; g++) {
        for (const struct e8_option *o = command->groups[g]; o->name; o++) {
            printf("--%s ", o->name);
        }
    }
    printf("\" ;;\n");
}

static void complete_bash(void)
{
    printf("_emit8() {\n  local current=${COMP_WORDS[COMP_CWORD]} words\n  if [ \"$COMP_CWORD\" = 1 ]; then\n"
           "    words=\"help");
    for (const struct e8_command *c = e8_commands; c->name; c++) {
        printf(" %s", c->name);
    }
    printf("\"\n  else\n    case ${COMP_WORDS[1]} in\n");
    for (const struct e8_command *c = e8_commands; c->name; c++) {
        bash_words(c);
    }
    printf("    esac\n    case $current in -*) ;; *) COMPREPLY=($(compgen -f -- \"$current\")); return ;; "
           "esac\n  fi\n"
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
                printf("]%s'", o->arg ? ": :_files" : "");
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
                printf("complete -c emit8 -n '__fish_seen_subcommand_from %s' -l %s%s -d '", c->name, o->name,
                       o->arg ? " -r" : "");
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
