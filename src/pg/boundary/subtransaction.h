// The only place besides run_entry where a PgError ends: a subtransaction that is rolled back.
#pragma once

#include "pg/boundary/boundary.h"

namespace epe::pg {

/// An internal subtransaction. Exactly one of commit() and roll_back() must follow the
/// constructor; an error that flies past both leaves the clean-up to the abort of the caller.
class Subtransaction {
   public:
    Subtransaction();
    void commit();
    void roll_back();

   private:
    void restore() noexcept;

    void* context_;         // MemoryContext of the caller
    void* resource_owner_;  // ResourceOwner of the caller
};

/// True for errors that end the statement whatever a script thinks of them: cancel, terminate.
bool ends_statement(const ErrorReport& report) noexcept;

/// Runs `body` in a subtransaction. An error of PostgreSQL's rolls it back and becomes an Error
/// that may be handled; cancel and terminate go on as PgError.
template <typename Body>
auto in_subtransaction(Body body) {
    Subtransaction transaction;
    try {
        auto result = body();
        transaction.commit();
        return result;
    } catch (const PgError& error) {
        ErrorReport report = error.report();
        transaction.roll_back();
        if (ends_statement(report)) throw PgError(std::move(report));
        throw Error(std::move(report));
    } catch (...) {
        transaction.roll_back();
        throw;
    }
}

}  // namespace epe::pg
