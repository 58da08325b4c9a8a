// The only handler of PgError besides run_entry: a subtransaction that is rolled back.
#pragma once

#include "pg/boundary/boundary.h"

namespace epe::pg {

/// An internal subtransaction. Exactly one of commit() and roll_back() must follow the constructor;
/// after an exception, the abort of the caller cleans it up.
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

/// True for errors that a script cannot handle: cancel, terminate.
bool ends_statement(const ErrorReport& report) noexcept;

/// Runs `body` in a subtransaction. An error of PostgreSQL rolls it back and becomes an Error that
/// can be handled; cancel and terminate propagate as PgError.
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
