// Opens connections to the database as the gateway's users.
#pragma once

#include <string>
#include <vector>

#include "database.h"
#include "options.h"
#include "secret.h"

namespace epe::gateway {

/// A connection that has just logged in, and where the extension is.
struct LoggedIn {
    Connection connection;
    std::string schema;  ///< quoted
};

/// The database refused the user, for good: the password is wrong, the role may not log in, may not
/// connect to this database, or pg_hba.conf says no.
struct LoginRefused : std::exception {
    const char* what() const noexcept override { return "the log-in was refused"; }
};

/// Whom a log-in is for. Nothing but these two says it: no password file, service or environment.
class Login {
   public:
    explicit Login(const Options& options);

    /// Throws LoginRefused; ApiError 500 when the database cannot be reached, does not want another
    /// connection or has no extension oml_epe. A log-in for which the database wanted no password
    /// is refused as well: with such a pg_hba.conf everybody could be everybody.
    LoggedIn log_in(const std::string& user, const Secret& password) const;

    /// Whether the server takes connections, asked without logging in: a word of PQping's.
    const char* server_state() const;

    /// Removes what libpq would take from the environment in a user's place. Call it before there
    /// are threads.
    static void forget_environment();

   private:
    struct Field {
        std::string keyword, value;
    };
    const char* value_of(const char* keyword) const;

    std::vector<Field> fields_;
};

}  // namespace epe::gateway
