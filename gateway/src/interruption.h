// How the end of the program reaches statements that run.
#pragma once

namespace epe::gateway {

/// From now on every wait for the database ends: its statement is cancelled and throws
/// DatabaseError 57P01. Safe from all threads.
void interrupt_statements();

/// A descriptor that can be read from then on, to be waited for beside others.
int interruption_descriptor();
bool is_interrupted();

}  // namespace epe::gateway
