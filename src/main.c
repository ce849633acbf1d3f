#include "cli/cli.h"

int main(int argc, char **argv)
{
    return e8_cli_main(argc, argv);
}
