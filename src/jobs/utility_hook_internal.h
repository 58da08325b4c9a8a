// The parameters of ProcessUtility_hook, which differ between the versions of PostgreSQL.
#pragma once

extern "C" {
#include "postgres.h"

#include "tcop/utility.h"
}

#if PG_VERSION_NUM >= 140000
#define EPE_UTILITY_PARAMETERS                                                                  \
    PlannedStmt *statement, const char *text, bool is_read_only, ProcessUtilityContext context, \
        ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *receiver,        \
        QueryCompletion *completion
#define EPE_UTILITY_ARGUMENTS \
    statement, text, is_read_only, context, parameters, environment, receiver, completion
#else
#define EPE_UTILITY_PARAMETERS                                                           \
    PlannedStmt *statement, const char *text, ProcessUtilityContext context,             \
        ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *receiver, \
        QueryCompletion *completion
#define EPE_UTILITY_ARGUMENTS \
    statement, text, context, parameters, environment, receiver, completion
#endif
