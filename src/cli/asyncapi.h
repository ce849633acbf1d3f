/* The catalogue's events as an AsyncAPI 3 document: `emit8 events export --asyncapi`. */
#ifndef E8_CLI_ASYNCAPI_H
#define E8_CLI_ASYNCAPI_H

#include "catalog/catalog.h"

void e8_asyncapi_write(const struct e8_catalog *catalog, struct e8_buf *out);

#endif
