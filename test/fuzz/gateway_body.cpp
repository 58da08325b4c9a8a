// Fuzz target: bodies of run requests, JSON that clients send.
//
// The first byte chooses the endpoint and the version of the API.
#include <cstdint>
#include <string>
#include <string_view>

#include "gateway_attempt.h"
#include "run_request.h"
#include "target.h"

namespace {

using namespace epe::gateway;
using epe::fuzz::attempt;
using epe::fuzz::require;

/// The values passed to SQL must be the values parsed here.
void check_request(const std::string& text, RunKind kind, ApiVersion version) {
    attempt([&] {
        const RunRequest request = parse_run_body(text, kind, version);
        const Json par_lst = Json::parse(request.par_lst(2));
        require(par_lst.is_object(), "PAR_LST is no object");
        require(is_control_set(par_lst, "oml_async_flag") == request.is_async, "async flag");
        require(asks_for_figures(par_lst) == request.wants_graphics, "graphics flag");
        require(!request.rows || *request.rows > 0, "rows");
        require(!request.input || request.input->find('\0') == std::string::npos, "zero byte");
    });
}

void run(std::string_view input) {
    epe::fuzz::Bytes bytes(input);
    const std::uint8_t choice = bytes.byte();
    const auto version = (choice & 1U) != 0 ? ApiVersion::kV2 : ApiVersion::kV1;
    check_request(std::string(bytes.rest()), static_cast<RunKind>(choice / 2 % 5), version);
}

}  // namespace

EPE_FUZZ_TARGET(gateway_body, run, kBytes)
