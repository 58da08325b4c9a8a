// Raises the exceptions of C++ code as PostgreSQL's errors: the way up of the boundary, for SQL
// functions (function_call.h) and other callbacks of PostgreSQL.
#pragma once

#include <type_traits>

namespace epe::pg {

namespace detail {
/// Calls `body(data)`; raises its exception by longjmp.
void run_raising(void (*body)(void*), void* data);
}  // namespace detail

/// Runs a body, which is ordinary C++: catches all exceptions, destroys every C++ object of the
/// body, and only then raises. Error and PgError keep all their fields. The caller owns nothing:
/// the error skips its destructors.
template <typename Body>
void raising(Body body) {
    static_assert(std::is_trivially_destructible_v<Body>, "the error skips the body's destructor");
    detail::run_raising([](void* data) { (*static_cast<Body*>(data))(); }, &body);
}

}  // namespace epe::pg
