// The gateway's users: their passwords and database connections.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "login.h"
#include "options.h"
#include "secret.h"
#include "session.h"
#include "tokens.h"

namespace epe::gateway {

class Users;

/// The connections of one user. They log in with the password of the user's last login, which is
/// kept in memory for this purpose and wiped when the user's last token ends.
///
/// Between requests a connection is idle and reset, so that no session state passes from one
/// request to the next. The first statement of each request runs only if the database confirms that
/// the user may still log in. A connection that has been idle for a while is checked before it is
/// lent, since it may be broken, and replaced if so; other connections are checked together with
/// the statement. A connection that logged in a while ago is replaced by a new one, so that a
/// changed password, pg_hba.conf or a revoked CONNECT take effect. If a check or a login is
/// rejected, all of the user's tokens are revoked.
class UserPool final : public Session {
   public:
    using Clock = std::chrono::steady_clock;

    UserPool(std::string user, Users& users);

    const std::string& user() const override { return user_; }
    std::unique_ptr<Lease> lease(ClientWatch* watch) override;

    /// After a login that opened a connection with a reserved slot: records the password it used.
    /// If the password differs from the former one, the tokens obtained with the former are
    /// revoked. Returns true if the connection, and with it its slot, is kept.
    bool welcome(Secret password, LoggedIn connection);
    /// Wipes the password and closes idle connections.
    void forget();
    void close_idle(Clock::time_point last_used_before);
    /// Closes the connection that has been idle longest; false if none is idle.
    bool close_one_idle();

   private:
    friend class Users;
    class Lent;
    struct Pooled {
        Connection connection;
        std::string schema;
        Clock::time_point logged_in;
        Clock::time_point last_used;
        bool is_login_checked = true;  ///< confirmed by the database for this request
    };
    using OwnedPooled = std::unique_ptr<Pooled>;

    OwnedPooled find(ClientWatch* watch);
    OwnedPooled take(ClientWatch* watch);
    OwnedPooled log_in_again();
    enum class LoginCheck { kGood, kBroken, kRefused, kAbandoned };
    LoginCheck prepare(Pooled& pooled, ClientWatch* watch);
    void give_back(OwnedPooled pooled);
    void close(OwnedPooled pooled);
    [[noreturn]] void refuse();

    const std::string user_;
    Users& users_;
    std::size_t visits_ = 0;  // requests that use this object; guarded by Users

    std::mutex mutex_;
    std::condition_variable returned_;
    Secret password_;
    std::vector<OwnedPooled> idle_;  // most recently used last
    std::size_t open_ = 0;           // idle, lent and being opened
};

/// All users that have a token or a running request. Thread-safe.
class Users {
   public:
    Users(const Options& options, Tokens& tokens)
        : options_(options), tokens_(tokens), login_(options) {}

    /// Keeps a user's pool alive while a request runs.
    class Visit {
       public:
        Visit(Users& users, UserPool& pool) : users_(users), pool_(pool) {}
        Visit(const Visit&) = delete;
        Visit& operator=(const Visit&) = delete;
        ~Visit();
        Session& session() { return pool_; }

       private:
        Users& users_;
        UserPool& pool_;
    };

    /// Only the database authenticates users. Throws as Login::log_in. The token is issued while
    /// the user is registered, so that no sweep removes the user in between; nullopt: too many
    /// tokens.
    std::optional<Tokens::Issued> log_in(const std::string& user, Secret password);
    /// nullptr if the user is unknown because its tokens have ended.
    std::unique_ptr<Visit> visit(const std::string& user);
    /// Closes connections after their idle timeout, and removes users without tokens.
    void sweep();

    const Login& login() const { return login_; }
    std::size_t open_connections() const { return open_; }
    std::size_t connections_in_use() const { return in_use_; }

   private:
    friend class UserPool;
    class Place;
    /// Makes room for a connection by closing an idle one of any user; false if all are in use.
    /// Must be called without any lock held.
    bool reserve_connection();

    const Options& options_;
    Tokens& tokens_;
    const Login login_;
    std::mutex mutex_;
    std::map<std::string, std::unique_ptr<UserPool>> pools_;
    std::atomic<std::size_t> open_{0};
    std::atomic<std::size_t> in_use_{0};
};

}  // namespace epe::gateway
