/* Runs a fuzz target over files that are kept: every file given, and every file of a directory given. */
#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long replayed;

static bool replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1); /* of exactly this size, so that ASan sees a byte more */
    bool ok = file && data && fread(data, 1, size, file) == size;

    if (ok) {
        LLVMFuzzerTestOneInput(data, size);
        replayed++;
    } else {
        fprintf(stderr, "replay: cannot read %s\n", path);
    }
    free(data);
    if (file)
        fclose(file);
    return ok;
}

static bool replay(const char *path, bool inside);

static bool replay_directory(const char *path)
{
    struct dirent **names;
    int count = scandir(path, &names, NULL, alphasort);
    bool ok = count >= 0;

    for (int i = 0; i < count; i++) {
        char file[4096];
        int n = snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            ok = n > 0 && (size_t)n < sizeof(file) && replay(file, true) && ok;
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    return ok;
}

static bool replay(const char *path, bool inside)
{
    struct stat info;

    if (stat(path, &info) != 0) {
        perror(path);
        return false;
    }
    if (S_ISDIR(info.st_mode))
        return inside || replay_directory(path);
    return replay_file(path, (size_t)info.st_size);
}

int main(int argc, char **argv)
{
    bool ok = true;

    for (int i = 1; i < argc; i++)
        ok = replay(argv[i], false) && ok;
    printf("%lu inputs\n", replayed);
    if (replayed == 0)
        fprintf(stderr, "replay: there is nothing to replay\n");
    return ok && replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
