// Keeps C++ exceptions and PostgreSQL's longjmp apart (architecture.md, "The boundary between
// PostgreSQL and C++").
//
// Down: guarded(leaf) runs code that calls PostgreSQL. A leaf is plain and noexcept; an error
// leaves it by longjmp, is caught in boundary.cpp only, copied completely into a PgError and thrown
// once PostgreSQL's frames are gone.
// Up: EPE_FUNCTION (function_call.h) catches all exceptions, destroys every C++ object, then
// raises.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "core/error.h"

namespace epe::pg {

/// An error that PostgreSQL raised. It requires a rollback: only run_entry and in_subtransaction
/// may catch it.
class PgError final : public Error {
   public:
    using Error::Error;
};

namespace detail {
/// Calls `function(data)` under PG_TRY; throws PgError.
void run_guarded(void (*function)(void*), void* data);
}  // namespace detail

/// Runs a leaf and returns its (plain) result. Throws PgError for an ERROR raised in it.
template <typename Leaf>
auto guarded(Leaf leaf) {
    using Result = std::invoke_result_t<Leaf&>;
    static_assert(std::is_nothrow_invocable_v<Leaf&>, "a leaf throws nothing: mark it noexcept");
    static_assert(std::is_trivially_destructible_v<Leaf>, "a leaf owns nothing: longjmp skips it");
    if constexpr (std::is_void_v<Result>) {
        detail::run_guarded([](void* data) { (*static_cast<Leaf*>(data))(); }, &leaf);
    } else {
        static_assert(std::is_trivially_destructible_v<Result>, "a leaf returns plain data");
        struct Frame {
            Leaf* leaf;
            Result result;
        } frame{&leaf, Result{}};
        detail::run_guarded(
            [](void* data) {
                auto* inner = static_cast<Frame*>(data);
                inner->result = (*inner->leaf)();
            },
            &frame);
        return frame.result;
    }
}

}  // namespace epe::pg
