// What the gateway keeps of its users: their passwords and their connections.
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

/// The connections of one user. They log in with the password that his last log-in brought, which
/// is kept in memory for that and wiped when his last token ends.
///
/// A connection rests between requests, reset so that nothing of one is seen by the next. Each
/// request's first statement runs only when the database says again that the user may log in: one
/// that has rested for a while is asked before it is lent, since it may be broken, and then another
/// takes its place; the others along with the statement. When its own log-in was a while ago a new
/// connection takes its place, so that a new password, pg_hba.conf or a revoked CONNECT count as
/// well. When either says no all of the user's tokens end.
class UserPool final : public Session {
   public:
    using Clock = std::chrono::steady_clock;

    UserPool(std::string user, Users& users);

    const std::string& user() const override { return user_; }
    std::unique_ptr<Lease> lease(ClientWatch* watch) override;

    /// After a log-in that brought a connection, whose place is reserved: the password that it
    /// took. When it is another than before, the tokens that the former one brought end. True: the
    /// connection is kept, and its place with it.
    bool welcome(Secret password, LoggedIn connection);
    /// Wipes the password and closes what rests.
    void forget();
    void close_idle(Clock::time_point last_used_before);
    /// Closes the one that has rested longest; false when none rests.
    bool close_one_idle();

   private:
    friend class Users;
    class Lent;
    struct Pooled {
        Connection connection;
        std::string schema;
        Clock::time_point logged_in;
        Clock::time_point last_used;
        bool has_standing = true;  ///< the database has said so for this request
    };
    using OwnedPooled = std::unique_ptr<Pooled>;

    OwnedPooled find(ClientWatch* watch);
    OwnedPooled take(ClientWatch* watch);
    OwnedPooled log_in_again();
    enum class Standing { kGood, kBroken, kRefused, kAbandoned };
    Standing prepare(Pooled& pooled, ClientWatch* watch);
    void give_back(OwnedPooled pooled);
    void close(OwnedPooled pooled);
    [[noreturn]] void refuse();

    const std::string user_;
    Users& users_;
    std::size_t visits_ = 0;  // requests that hold this object; guarded by Users

    std::mutex mutex_;
    std::condition_variable returned_;
    Secret password_;
    std::vector<OwnedPooled> idle_;  // the most recently used last
    std::size_t open_ = 0;           // idle, lent and being opened
};

/// All users that have a token, or a request that runs. Safe from all threads.
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

    /// Nobody is let in but by the database. Throws as Login::log_in. The token is made while the
    /// user is known, so that no sweep comes in between; nullopt: there are too many.
    std::optional<Tokens::Issued> log_in(const std::string& user, Secret password);
    /// nullptr when the user is not known, since his tokens have ended.
    std::unique_ptr<Visit> visit(const std::string& user);
    /// Closes what has been idle, and forgets users without tokens.
    void sweep();

    const Login& login() const { return login_; }
    std::size_t open_connections() const { return open_; }
    std::size_t connections_in_use() const { return in_use_; }

   private:
    friend class UserPool;
    class Place;
    /// Makes room for a connection, at the cost of an idle one of anybody's; false when all are in
    /// use. To be called without any lock.
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
