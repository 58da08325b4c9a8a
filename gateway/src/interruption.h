// Shutdown: interrupts running statements.
#pragma once

namespace epe::gateway {

/// From now on every wait for the database ends: its statement is cancelled and throws
/// DatabaseError 57P01. Thread-safe.
void interrupt_statements();

/// A descriptor that becomes readable at shutdown, to be polled with others.
int interruption_descriptor();
bool is_interrupted();

}  // namespace epe::gateway
