#include "user_pool.h"

#include <algorithm>
#include <thread>
#include <type_traits>
#include <utility>

#include "api_error.h"
#include "client_watch.h"
#include "interruption.h"
#include "log.h"

namespace epe::gateway {

namespace {

constexpr int kUnauthorized = 401;
constexpr int kInternal = 500;

// A function of the extension, because a query of pg_roles takes longer than a trivial script.
constexpr const char* kCheckLogIn = "SELECT pyqsys.check_log_in($1)";
constexpr const char* kMayNotLogIn = "28000";  // raised by that function

// A connection used this recently is not worth a round trip of its own to check it.
constexpr std::chrono::seconds kLately{1};

}  // namespace

class UserPool::Lent final : public Lease {
   public:
    Lent(UserPool& pool, OwnedPooled pooled) : pool_(pool), pooled_(std::move(pooled)) {
        ++pool_.users_.in_use_;
    }
    ~Lent() override {
        --pool_.users_.in_use_;
        if (pooled_) pool_.give_back(std::move(pooled_));
    }
    QueryResult query(const std::string& sql, const std::vector<Parameter>& parameters,
                      ClientWatch* watch) override {
        return run(watch, /* is_last */ false,
                   [&](Connection& connection, const PipelinedCommands& pipelined) {
                       return connection.query(sql, parameters, watch, pipelined);
                   });
    }
    QueryResult last_query(const std::string& sql, const std::vector<Parameter>& parameters,
                           ClientWatch* watch) override {
        return run(watch, /* is_last */ true,
                   [&](Connection& connection, const PipelinedCommands& pipelined) {
                       return connection.query(sql, parameters, watch, pipelined);
                   });
    }
    RowStream rows(const RowQuery& query, ClientWatch* watch) override {
        return run(watch, /* is_last */ false,
                   [&](Connection& connection, const PipelinedCommands& pipelined) {
                       return connection.rows(query, watch, pipelined);
                   });
    }
    RowStream last_rows(const RowQuery& query, ClientWatch* watch) override {
        return run(watch, /* is_last */ true,
                   [&](Connection& connection, const PipelinedCommands& pipelined) {
                       return connection.rows(query, watch, pipelined);
                   });
    }
    bool await_notification(int milliseconds, ClientWatch* watch) override {
        return pooled_->connection.await_notification(milliseconds, watch);
    }
    const std::string& schema() const override { return pooled_->schema; }

   private:
    template <typename Send>
    std::invoke_result_t<Send, Connection&, const PipelinedCommands&>
    run(ClientWatch* watch, bool is_last, const Send& send) {
        while (true) {
            PipelinedCommands pipelined{nullptr, {}, is_last};
            if (!std::exchange(pooled_->is_login_checked, true))
                pipelined = {kCheckLogIn, {pool_.user_}, is_last};
            try {
                return send(pooled_->connection, pipelined);
            } catch (const NotBegun& refusal) {
                pool_.close(std::move(pooled_));
                if (refusal.why.sqlstate == kMayNotLogIn) pool_.refuse();
                pooled_ = pool_.find(watch);
            }
        }
    }

    UserPool& pool_;
    OwnedPooled pooled_;
};

UserPool::UserPool(std::string user, Users& users) : user_(std::move(user)), users_(users) {}

std::unique_ptr<Lease> UserPool::lease(ClientWatch* watch) {
    return std::make_unique<Lent>(*this, find(watch));
}

/// Returns a usable connection.
UserPool::OwnedPooled UserPool::find(ClientWatch* watch) {
    while (true) {
        OwnedPooled pooled = take(watch);
        if (!pooled) return log_in_again();
        if (Clock::now() - pooled->logged_in > users_.options_.reauthenticate) {
            // Its slot is kept for its replacement.
            pooled.reset();
            return log_in_again();
        }
        const LoginCheck login_check = prepare(*pooled, watch);
        if (login_check == LoginCheck::kGood) return pooled;
        close(std::move(pooled));
        if (login_check == LoginCheck::kRefused) refuse();
        if (login_check == LoginCheck::kAbandoned) throw ClientGone{};
    }
}

/// An idle connection, or null for the right to open one.
UserPool::OwnedPooled UserPool::take(ClientWatch* watch) {
    const auto deadline = Clock::now() + users_.options_.connection_wait;
    constexpr std::chrono::milliseconds kLook{100};
    while (true) {
        bool may_open = false;
        {
            std::unique_lock lock(mutex_);
            if (idle_.empty() && open_ >= users_.options_.connections_per_user)
                (void)returned_.wait_for(lock, kLook);
            if (!idle_.empty()) {
                OwnedPooled pooled = std::move(idle_.back());
                idle_.pop_back();
                return pooled;
            }
            may_open = open_ < users_.options_.connections_per_user;
            if (may_open) ++open_;
        }
        if (may_open) {
            if (users_.reserve_connection()) return nullptr;
            std::unique_lock lock(mutex_);
            --open_;
            (void)returned_.wait_for(lock, kLook, [&] { return !idle_.empty(); });
        }
        if (watch != nullptr && watch->is_gone()) throw ClientGone{};
        if (is_interrupted()) throw ApiError(kInternal, "the gateway is shutting down");
        if (Clock::now() > deadline)
            throw ApiError(kInternal, may_open
                                          ? "all connections to the database are in use"
                                          : "all of your connections to the database are in use");
    }
}

/// Replaces a connection returned by take().
UserPool::OwnedPooled UserPool::log_in_again() {
    try {
        Secret password;
        {
            const std::lock_guard lock(mutex_);
            password = password_.copy();
        }
        if (password.is_empty()) throw LoginRefused{};
        LoggedIn made = users_.login_.log_in(user_, password);
        return std::make_unique<Pooled>(
            Pooled{std::move(made.connection), std::move(made.schema), Clock::now(), Clock::now()});
    } catch (const LoginRefused&) {
        close(nullptr);
        refuse();
    } catch (...) {
        close(nullptr);
        throw;
    }
}

UserPool::LoginCheck UserPool::prepare(Pooled& pooled, ClientWatch* watch) {
    try {
        pooled.connection.finish_reset();
        pooled.is_login_checked = Clock::now() - pooled.last_used > kLately;
        if (pooled.is_login_checked) (void)pooled.connection.query(kCheckLogIn, {user_}, watch);
        return LoginCheck::kGood;
    } catch (const ClientGone&) {
        return LoginCheck::kAbandoned;
    } catch (const DatabaseError& error) {
        return error.sqlstate == kMayNotLogIn ? LoginCheck::kRefused
                                              : LoginCheck::kBroken;  // broken while idle
    }
}

void UserPool::refuse() {
    log_event(LogLevel::kWarning, "tokens revoked",
              {{"user", user_}, {"message", "the user is no longer permitted to log in"}});
    users_.tokens_.revoke_user(user_);
    forget();
    throw ApiError(kUnauthorized, "the user is no longer permitted to log in");
}

void UserPool::give_back(OwnedPooled pooled) {
    Connection& connection = pooled->connection;
    bool is_kept = connection.is_usable();
    if (is_kept) {
        try {
            connection.start_reset();
        } catch (const DatabaseError&) {
            is_kept = false;
        }
    }
    pooled->last_used = Clock::now();
    if (is_kept) {
        const std::lock_guard lock(mutex_);
        if (!password_.is_empty()) idle_.push_back(std::move(pooled));
    }
    if (pooled)
        close(std::move(pooled));
    else
        returned_.notify_one();
}

/// Closes the connection, if any, and frees its slot.
void UserPool::close(OwnedPooled pooled) {
    pooled.reset();
    --users_.open_;
    {
        const std::lock_guard lock(mutex_);
        --open_;
    }
    returned_.notify_one();
}

bool UserPool::welcome(Secret password, LoggedIn connection) {
    bool is_changed = false;
    {
        const std::lock_guard lock(mutex_);
        is_changed = !password_.is_empty() && !password_.equals(password);
    }
    if (is_changed) {
        // The former password may no longer be valid: its tokens must be obtained again.
        log_event(LogLevel::kInfo, "tokens revoked",
                  {{"user", user_}, {"message", "the user has logged in with another password"}});
        users_.tokens_.revoke_user(user_);
        forget();
    }
    {
        const std::lock_guard lock(mutex_);
        password_ = std::move(password);
        if (open_ >= users_.options_.connections_per_user) return false;
        ++open_;
    }
    give_back(
        std::make_unique<Pooled>(Pooled{std::move(connection.connection),
                                        std::move(connection.schema), Clock::now(), Clock::now()}));
    return true;
}

void UserPool::forget() {
    {
        const std::lock_guard lock(mutex_);
        password_ = Secret();
    }
    while (close_one_idle()) {
    }
}

void UserPool::close_idle(Clock::time_point last_used_before) {
    std::vector<OwnedPooled> closed;
    {
        const std::lock_guard lock(mutex_);
        const auto kept = std::find_if(idle_.begin(), idle_.end(), [&](const OwnedPooled& each) {
            return each->last_used >= last_used_before;
        });
        std::move(idle_.begin(), kept, std::back_inserter(closed));
        idle_.erase(idle_.begin(), kept);
    }
    for (OwnedPooled& each : closed) close(std::move(each));
}

bool UserPool::close_one_idle() {
    OwnedPooled oldest;
    {
        const std::lock_guard lock(mutex_);
        if (idle_.empty()) return false;
        oldest = std::move(idle_.front());
        idle_.erase(idle_.begin());
    }
    close(std::move(oldest));
    return true;
}

// --------------------------------------------------------------------------------------- users

Users::Visit::~Visit() {
    const std::lock_guard lock(users_.mutex_);
    --pool_.visits_;
}

std::unique_ptr<Users::Visit> Users::visit(const std::string& user) {
    const std::lock_guard lock(mutex_);
    const auto found = pools_.find(user);
    if (found == pools_.end()) return nullptr;
    ++found->second->visits_;
    return std::make_unique<Visit>(*this, *found->second);
}

/// A connection's slot in the global limit, until the connection is kept.
class Users::Place {
   public:
    /// Waits for a slot. Throws ApiError 500 if none becomes free.
    explicit Place(Users& users) : users_(users) {
        const auto deadline = UserPool::Clock::now() + users.options_.connection_wait;
        while (!users.reserve_connection()) {
            if (is_interrupted()) throw ApiError(kInternal, "the gateway is shutting down");
            if (UserPool::Clock::now() > deadline)
                throw ApiError(kInternal, "all connections to the database are in use");
            constexpr std::chrono::milliseconds kLook{100};
            std::this_thread::sleep_for(kLook);
        }
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
        if (!is_kept_) --users_.open_;
    }
    void keep() { is_kept_ = true; }

   private:
    Users& users_;
    bool is_kept_ = false;
};

std::optional<Tokens::Issued> Users::log_in(const std::string& user, Secret password) {
    Place taken(*this);
    LoggedIn connection = login_.log_in(user, password);
    UserPool* pool = nullptr;
    {
        const std::lock_guard lock(mutex_);
        std::unique_ptr<UserPool>& place = pools_[user];
        if (!place) place = std::make_unique<UserPool>(user, *this);
        pool = place.get();
        ++pool->visits_;
    }
    const Visit visit(*this, *pool);
    if (pool->welcome(std::move(password), std::move(connection))) taken.keep();
    return tokens_.issue(user);
}

void Users::sweep() {
    tokens_.sweep();
    std::vector<std::unique_ptr<Visit>> visits;
    std::vector<std::unique_ptr<UserPool>> forgotten;
    {
        const std::lock_guard lock(mutex_);
        const std::set<std::string> known = tokens_.users();
        for (auto each = pools_.begin(); each != pools_.end();) {
            const auto current = each++;
            UserPool& pool = *current->second;
            if (!known.contains(current->first) && pool.visits_ == 0) {
                forgotten.push_back(std::move(current->second));
                pools_.erase(current);
            } else {
                ++pool.visits_;
                visits.push_back(std::make_unique<Visit>(*this, pool));
            }
        }
    }
    const auto idle_since = UserPool::Clock::now() - options_.connection_idle;
    for (const auto& each : forgotten) each->forget();
    for (const auto& each : visits) static_cast<UserPool&>(each->session()).close_idle(idle_since);
}

bool Users::reserve_connection() {
    while (true) {
        std::size_t open = open_;
        while (open < options_.max_connections)
            if (open_.compare_exchange_weak(open, open + 1)) return true;
        const std::lock_guard lock(mutex_);
        const bool has_closed = std::any_of(
            pools_.begin(), pools_.end(), [](auto& each) { return each.second->close_one_idle(); });
        if (!has_closed) return false;
    }
}

}  // namespace epe::gateway
