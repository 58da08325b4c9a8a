// Fuzz target: bytes of a client on a connection, consecutive requests, through httplib and the
// gateway's own code, up to the database, which is unavailable.
//
// For every input, a client can parse the response, and a 500 only reports the missing database.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

#include "client_stream.h"
#include "http_front.h"
#include "options.h"
#include "quiet_log.h"
#include "server.h"
#include "target.h"

namespace {

using namespace epe::gateway;
using epe::fuzz::require;

Options options_of() {
    Options options;
    options.database = "host=/nowhere dbname=none connect_timeout=1";
    options.max_body = 4096;
    return options;
}

std::string read_all(int socket) {
    std::string all;
    std::array<char, 1 << 16> bytes;
    for (ssize_t count = 0; (count = recv(socket, bytes.data(), bytes.size(), 0)) > 0;)
        all.append(bytes.data(), static_cast<std::size_t>(count));
    return all;
}

void check_answers(const std::string& text) {
    if (text.empty()) return;
    require(text.starts_with("HTTP/1.1 "), "an answer begins like none");
    const int status = std::atoi(text.c_str() + 9);
    require(status >= 100 && status < 600, "status");
    require(status != 500 || text.find("cannot connect to the database") != std::string::npos,
            "an internal error");
    require(text.find("\r\n\r\n") != std::string::npos, "an answer without the end of its head");
}

void run(std::string_view input) {
    static Gateway gateway{options_of()};
    static HttpFront front(gateway, STDERR_FILENO);
    constexpr std::size_t kLongestInput = std::size_t{1} << 15;
    constexpr int kMostRequests = 20;
    std::array<int, 2> ends{};
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0, "socketpair");
    const std::string_view sent = input.substr(0, kLongestInput);
    require(send(ends[0], sent.data(), sent.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(sent.size()),
            "send");
    (void)shutdown(ends[0], SHUT_WR);
    std::string answers;
    std::thread reader([&] { answers = read_all(ends[0]); });
    {
        const epe::fuzz::QuietLog quiet;
        (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
        ClientStream client(ends[1], nullptr);
        for (int i = 0; i < kMostRequests && front.serve(client, i + 1 == kMostRequests);) ++i;
    }
    reader.join();
    (void)close(ends[0]);
    check_answers(answers);
}

}  // namespace

EPE_FUZZ_TARGET(gateway_connection, run, kBytes)
