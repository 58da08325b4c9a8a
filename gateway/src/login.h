// Opens database connections as the gateway's users.
#pragma once

#include <string>
#include <vector>

#include "database.h"
#include "options.h"
#include "secret.h"

namespace epe::gateway {

/// A connection that has just logged in, and the schema of the extension.
struct LoggedIn {
    Connection connection;
    std::string schema;  ///< quoted
};

/// The database rejected the user: the password is wrong, the role may not log in or connect to
/// this database, or pg_hba.conf rejects it.
struct LoginRefused : std::exception {
    const char* what() const noexcept override { return "the login was rejected"; }
};

/// The credentials of a login. Only these two fields are used: no password file, service file or
/// environment variable.
class Login {
   public:
    explicit Login(const Options& options);

    /// Throws LoginRefused; ApiError 500 if the database cannot be reached, has no free connection
    /// or lacks the extension oml_epe. A login for which the database requested no password is
    /// rejected too: with such a pg_hba.conf any client could act as any user.
    LoggedIn log_in(const std::string& user, const Secret& password) const;

    /// Whether the server accepts connections, checked without logging in: the result of PQping as
    /// text.
    const char* server_state() const;

    /// Removes environment variables that libpq would use in place of a user's settings. Must be
    /// called before threads start.
    static void forget_environment();

   private:
    struct Field {
        std::string keyword, value;
    };
    const char* value_of(const char* keyword) const;

    std::vector<Field> fields_;
};

}  // namespace epe::gateway
