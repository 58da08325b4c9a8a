// The server version that the library was built for.

// PGDLLEXPORT is empty before PostgreSQL 16, and the library is compiled with hidden visibility.
#pragma GCC visibility push(default)
extern "C" {
#include "postgres.h"

#include "fmgr.h"

PG_MODULE_MAGIC;
}
#pragma GCC visibility pop
