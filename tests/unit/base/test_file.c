#include "groups.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char home[] = "/tmp/e8-file-XXXXXX";

/* A path in the test's directory; four may be in use at once. */
static const char *at(const char *name)
{
    static char paths[4][256];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", home, name);
    return path;
}

static void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char inner[512];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
        if (entry->d_type == DT_DIR)
            remove_tree(inner);
        else
            unlink(inner);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

static int set_up(void **state)
{
    (void)state;
    memcpy(home, "/tmp/e8-file-XXXXXX", sizeof(home));
    alarm(60); /* what blocks fails */
    return mkdtemp(home) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    alarm(0);
    remove_tree(home);
    return 0;
}

static void make(const char *path, const char *bytes, size_t n)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void assert_holds(const char *path, const char *text)
{
    struct e8_buf buf;
    assert_int_equal(e8_file_read(path, 1000, &buf, NULL), E8_OK);
    assert_str(e8_buf_str(&buf), text);
    e8_buf_fini(&buf);
}

static void assert_refused(const char *path, size_t limit, const char *saying)
{
    struct e8_buf buf;
    struct e8_err err;
    assert_int_equal(e8_file_read(path, limit, &buf, &err), E8_INPUT);
    assert_int_equal(err.rc, E8_INPUT);
    assert_string_equal(err.file, path);
    if (!strstr(err.what, saying))
        fail_msg("\"%s\" does not say \"%s\"", err.what, saying);
    e8_buf_fini(&buf);
    assert_int_equal(e8_file_read(path, limit, &buf, NULL), E8_INPUT);
    e8_buf_fini(&buf);
}

static void reads_files(void **state)
{
    (void)state;
    struct e8_buf buf;
    make(at("a"), "one\0two\n", 8);
    assert_int_equal(e8_file_read(at("a"), 8, &buf, NULL), E8_OK); /* exactly the limit */
    assert_int_equal(buf.n, 8);
    assert_memory_equal(buf.p, "one\0two\n", 8);
    e8_buf_fini(&buf);
    make(at("empty"), "", 0);
    assert_int_equal(e8_file_read(at("empty"), 0, &buf, NULL), E8_OK);
    assert_int_equal(buf.n, 0);
    e8_buf_fini(&buf);

    size_t n = 1000003;
    char *bytes = e8_new(n, 1);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 7 % 253);
    make(at("large"), bytes, n);
    assert_int_equal(e8_file_read(at("large"), E8_FILE_MAX, &buf, NULL), E8_OK);
    assert_int_equal(buf.n, n);
    assert_memory_equal(buf.p, bytes, n);
    e8_buf_fini(&buf);
    free(bytes);
}

static void refuses_what_is_no_file(void **state)
{
    (void)state;
    make(at("a"), "12345678", 8);
    assert_refused(at("a"), 7, "larger than 7 bytes");
    assert_refused(at("none"), 10, "No such file");
    assert_refused(at("a/b"), 10, "Not a directory");
    assert_refused(home, 10, "is a directory");
    assert_refused("/dev/null", 10, "not a regular file");
    assert_refused("", 10, "No such file");
    assert_int_equal(symlink("loop", at("loop")), 0);
    assert_refused(at("loop"), 10, "Too many levels");
    if (geteuid() != 0) {
        assert_int_equal(chmod(at("a"), 0), 0);
        assert_refused(at("a"), 10, "Permission denied");
    }
}

/* With no writer and with a silent one. */
static void never_waits_for_a_fifo(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(at("fifo"), 0600), 0);
    assert_refused(at("fifo"), 10, "is a pipe");
    int writer = open(at("fifo"), O_RDWR | O_CLOEXEC);
    assert_true(writer >= 0);
    assert_refused(at("fifo"), 10, "is a pipe");
    close(writer);
}

/* /proc says that its files are empty: the limit holds for what comes. */
static void size_is_what_was_read(void **state)
{
    (void)state;
    struct e8_buf buf;
    assert_int_equal(e8_file_read("/proc/self/stat", 4096, &buf, NULL), E8_OK);
    assert_true(buf.n > 10);
    e8_buf_fini(&buf);
    assert_refused("/proc/self/stat", 5, "larger than 5 bytes");
}

static void read_stdin(void *arg)
{
    const size_t *limit = arg;
    struct e8_buf buf;
    struct e8_err err = {0};
    enum e8_rc rc = e8_file_read("-", *limit, &buf, &err);
    dprintf(STDERR_FILENO, "%d <%.*s> %s", rc, (int)buf.n, buf.n ? buf.p : "", err.what);
    e8_buf_fini(&buf);
}

/* What a child reads from a pipe that is its stdin, non-blocking as a parent may have left it. */
static void assert_stdin(const char *text, size_t limit, const char *expected)
{
    char said[512];
    int ends[2], before = dup(STDIN_FILENO);
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    pid_t writer = fork();
    if (writer == 0) {
        for (; *text; text++) {
            usleep(1000);
            (void)!write(ends[1], text, 1);
        }
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    int status = in_child(read_stdin, &limit, said, sizeof(said));
    dup2(before, STDIN_FILENO);
    close(before);
    close(ends[0]);
    waitpid(writer, NULL, 0);
    assert_int_equal(status, 0);
    assert_string_equal(said, expected);
}

static void dash_is_stdin(void **state)
{
    (void)state;
    assert_stdin("slow text", 100, "0 <slow text> ");
    assert_stdin("", 100, "0 <> ");
    assert_stdin("too long", 3, "1 <too> is larger than 3 bytes");
}

static void closed_stdin(void *arg)
{
    close(STDIN_FILENO);
    read_stdin(arg);
}

static void closed_stdin_is_an_error(void **state)
{
    (void)state;
    char said[512];
    size_t limit = 10;
    assert_int_equal(in_child(closed_stdin, &limit, said, sizeof(said)), 0);
    assert_non_null(strstr(said, "1 <> cannot be read"));
}

static size_t entries(void)
{
    DIR *dir = opendir(home);
    size_t n = 0;
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static void writes_whole_files(void **state)
{
    (void)state;
    struct e8_err err;
    mode_t mask = umask(027);
    assert_int_equal(e8_file_write(at("a"), E8_LIT("first"), NULL), E8_OK);
    umask(mask);
    assert_holds(at("a"), "first");
    assert_int_equal(mode_of(at("a")), 0640);
    assert_int_equal(chmod(at("a"), 0600), 0);
    assert_int_equal(e8_file_write(at("a"), E8_LIT("second"), NULL), E8_OK);
    assert_holds(at("a"), "second");
    assert_int_equal(mode_of(at("a")), 0600);
    assert_int_equal(e8_file_write(at("a"), (struct e8_str){NULL, 0}, NULL), E8_OK);
    assert_holds(at("a"), "");
    assert_int_equal(entries(), 1);
    assert_int_equal(e8_file_write(at("none/a"), E8_LIT("x"), &err), E8_ENV);
    assert_non_null(strstr(err.what, "No such file"));
    assert_int_equal(err.rc, E8_ENV);
    assert_string_equal(err.file, at("none/a"));
    assert_int_equal(e8_file_write(home, E8_LIT("x"), &err), E8_ENV);
    assert_int_equal(e8_file_write("", E8_LIT("x"), &err), E8_ENV);
    static char longer[5000];
    memset(longer, 'x', sizeof(longer) - 1);
    assert_int_equal(e8_file_write(longer, E8_LIT("x"), &err), E8_ENV);
    assert_non_null(strstr(err.what, "name too long"));
    assert_int_equal(entries(), 1);
}

static void a_link_stays_a_link(void **state)
{
    (void)state;
    struct stat st;
    make(at("real"), "old", 3);
    assert_int_equal(symlink("real", at("link")), 0);
    assert_int_equal(e8_file_write(at("link"), E8_LIT("new"), NULL), E8_OK);
    assert_int_equal(lstat(at("link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_holds(at("real"), "new");
}

/* As /dev/null or /dev/stdout. */
static void what_is_no_file_is_written_to(void **state)
{
    (void)state;
    struct stat st;
    char got[8] = "";
    assert_int_equal(mkfifo(at("fifo"), 0600), 0);
    int fd = open(at("fifo"), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(e8_file_write(at("fifo"), E8_LIT("text"), NULL), E8_OK);
    assert_int_equal(read(fd, got, sizeof(got)), 4);
    assert_string_equal(got, "text");
    close(fd);
    assert_int_equal(stat(at("fifo"), &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
}

static void write_too_much(void *arg)
{
    const char *path = arg;
    static char bytes[5000];
    struct rlimit limit = {1000, 1000};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    struct e8_err err;
    enum e8_rc rc = e8_file_write(path, (struct e8_str){bytes, sizeof(bytes)}, &err);
    dprintf(STDERR_FILENO, "%d %s", rc, err.what);
}

static void a_failed_write_leaves_the_old(void **state)
{
    (void)state;
    char said[512], path[256];
    make(at("a"), "old", 3);
    snprintf(path, sizeof(path), "%s", at("a"));
    assert_int_equal(in_child(write_too_much, path, said, sizeof(said)), 0);
    assert_non_null(strstr(said, "2 cannot be written"));
    assert_non_null(strstr(said, "File too large"));
    assert_holds(at("a"), "old");
    assert_int_equal(entries(), 1);
}

static void makes_directories(void **state)
{
    (void)state;
    struct e8_err err;
    assert_int_equal(e8_dir_make(at("x/y//z/"), NULL), E8_OK);
    assert_int_equal(mode_of(at("x")), 0700);
    assert_int_equal(mode_of(at("x/y/z")), 0700);
    assert_int_equal(e8_dir_make(at("x/y/z"), NULL), E8_OK);
    assert_int_equal(e8_dir_make("/", NULL), E8_OK);
    assert_int_equal(e8_dir_make("", &err), E8_ENV);
    make(at("file"), "", 0);
    assert_int_equal(e8_dir_make(at("file"), &err), E8_INPUT);
    assert_non_null(strstr(err.what, "is not a directory"));
    assert_int_equal(e8_dir_make(at("file/x"), &err), E8_INPUT);
    assert_int_equal(e8_dir_make(at("x/y/w"), NULL), E8_OK);
}

static void secrets_are_first_lines(void **state)
{
    (void)state;
    static char longest[4097];
    memset(longest, 's', 4096);
    const struct {
        struct e8_str content;
        const char *secret;
    } rows[] = {
        {E8_LIT("whsec_abc"), "whsec_abc"},           {E8_LIT("whsec_abc\n"), "whsec_abc"},
        {E8_LIT("whsec_abc\r\n"), "whsec_abc"},       {E8_LIT("one\ntwo\n"), "one"},
        {E8_LIT(" spaces stay \n"), " spaces stay "}, {{longest, 4096}, longest},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        char *secret;
        make(at("s"), rows[i].content.p, rows[i].content.n);
        assert_int_equal(e8_secret_read(at("s"), &secret, NULL), E8_OK);
        assert_string_equal(secret, rows[i].secret);
        e8_secret_free(&secret);
        assert_null(secret);
        e8_secret_free(&secret);
    }
}

static void bad_secrets_are_not_told(void **state)
{
    (void)state;
    static char longer[5000];
    memset(longer, 's', sizeof(longer));
    const struct e8_str bad[] = {
        {"", 0},        E8_LIT("\nSECRET"), E8_LIT("\r\nSECRET"), E8_LIT("SECRET\0x\n"),
        {longer, 4097}, {longer, 4098},     {longer, 5000},
    };
    for (size_t i = 0; i < E8_COUNT(bad); i++) {
        char *secret = longer;
        struct e8_err err;
        make(at("s"), bad[i].p, bad[i].n);
        assert_int_equal(e8_secret_read(at("s"), &secret, &err), E8_INPUT);
        assert_null(secret);
        assert_null(strstr(err.what, "SECRET"));
        assert_null(strstr(err.what, "sss"));
        assert_null(strstr(err.hint, "SECRET"));
    }
    char *secret;
    assert_int_equal(e8_secret_read(at("none"), &secret, NULL), E8_INPUT);
    assert_int_equal(e8_secret_read(home, &secret, NULL), E8_INPUT);
}

/* --secret-file <(pass show …) */
static void a_secret_may_come_through_a_pipe(void **state)
{
    (void)state;
    int ends[2];
    char path[64], *secret;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t writer = fork();
    if (writer == 0) {
        usleep(20000);
        (void)!write(ends[1], "piped\n", 6);
        _exit(0);
    }
    close(ends[1]);
    snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
    assert_int_equal(e8_secret_read(path, &secret, NULL), E8_OK);
    assert_string_equal(secret, "piped");
    e8_secret_free(&secret);
    close(ends[0]);
    waitpid(writer, NULL, 0);
    assert_int_equal(mkfifo(at("fifo"), 0600), 0); /* nobody writes: it does not wait */
    assert_int_equal(e8_secret_read(at("fifo"), &secret, NULL), E8_INPUT);
}

static size_t open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void no_descriptor_is_left_open(void **state)
{
    (void)state;
    size_t before = open_descriptors();
    writes_whole_files(state);
    reads_files(state);
    refuses_what_is_no_file(state);
    bad_secrets_are_not_told(state);
    assert_int_equal(open_descriptors(), before);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int test_file(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_files),
        TEST(refuses_what_is_no_file),
        TEST(never_waits_for_a_fifo),
        TEST(size_is_what_was_read),
        TEST(dash_is_stdin),
        TEST(closed_stdin_is_an_error),
        TEST(writes_whole_files),
        TEST(a_link_stays_a_link),
        TEST(what_is_no_file_is_written_to),
        TEST(a_failed_write_leaves_the_old),
        TEST(makes_directories),
        TEST(secrets_are_first_lines),
        TEST(bad_secrets_are_not_told),
        TEST(a_secret_may_come_through_a_pipe),
        TEST(no_descriptor_is_left_open),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
