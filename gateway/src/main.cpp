// The REST gateway of oml_epe.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "listener.h"
#include "log.h"
#include "options.h"
#include "server.h"
#include "tls.h"

#ifndef EPE_VERSION
#define EPE_VERSION "unknown"
#endif

namespace {

using namespace epe::gateway;

constexpr int kUsage = 2;
constexpr int kCannotStart = 1;

/// The signals handled by the listener; threads inherit the mask.
void block_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
    (void)pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    (void)std::signal(SIGPIPE, SIG_IGN);
}

void take_more_descriptors() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int fail(const char* event, const std::exception& error) {
    log_event(LogLevel::kError, event, {{"message", error.what()}});
    return kCannotStart;
}

int run(const Options& options) {
    // Memory contains passwords: no core files, and no debuggers except root's.
    (void)prctl(PR_SET_DUMPABLE, 0);
    block_signals();
    take_more_descriptors();
    constexpr int kMostArenas = 4;  // instead of one per thread
    (void)mallopt(M_ARENA_MAX, kMostArenas);
    Login::forget_environment();
    // Never destroyed: a thread still running at exit must not use a destroyed object.
    auto* gateway = new Gateway(options);
    try {
        gateway->run();
    } catch (const ListenError& error) {
        return fail("cannot listen", error);
    } catch (const TlsError& error) {
        return fail("cannot use TLS", error);
    } catch (const std::exception& error) {
        return fail("ended", error);
    }
    log_event(LogLevel::kInfo, "ended");
    return 0;
}

}  // namespace

int main(int count, char** values) {
    const std::vector<std::string> words(values + 1, values + count);
    for (const std::string& word : words) {
        if (word == "--help") return std::fputs(options_help().c_str(), stdout) < 0 ? 1 : 0;
        if (word == "--version") return std::puts("oml_epe_gateway " EPE_VERSION) < 0 ? 1 : 0;
    }
    try {
        const int status = run(parse_options(words));
        std::fflush(nullptr);
        _exit(status);
    } catch (const OptionError& error) {
        std::fprintf(stderr, "oml_epe_gateway: %s\n", error.what());
        return kUsage;
    }
}
