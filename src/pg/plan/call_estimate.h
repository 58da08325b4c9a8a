// The planner's support function of the eval functions.
#pragma once

namespace epe::pg {

class FunctionCall;

/// Answers a support request of the planner (the first argument of a function whose type is
/// internal): the rows that a call returns. Returns the request, or null when there is no answer.
void* answer_support_request(const FunctionCall& call);

}  // namespace epe::pg
