// The parameters of ProcessUtility_hook, and the arguments that pass them on.
#pragma once

extern "C" {
#include "postgres.h"

#include "tcop/utility.h"
}

#define EPE_UTILITY_PARAMETERS                                                                  \
    PlannedStmt *statement, const char *text, bool is_read_only, ProcessUtilityContext context, \
        ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *receiver,        \
        QueryCompletion *completion
#define EPE_UTILITY_ARGUMENTS \
    statement, text, is_read_only, context, parameters, environment, receiver, completion
