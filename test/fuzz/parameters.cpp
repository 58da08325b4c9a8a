// Fuzz target: parameters of SQL that an engine sends, with the batch of their binary values.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "batch_input.h"
#include "engine/common/call_messages.h"
#include "engine/common/parameter_batch.h"
#include "target.h"

namespace {

using epe::fuzz::require;

void run(std::string_view input) {
    epe::fuzz::Bytes bytes(input);
    const std::size_t size = bytes.size();
    const std::string_view head = bytes.take(size);
    const std::optional<epe::fuzz::BatchInput> parts = epe::fuzz::split_batch(bytes.rest());
    if (!parts) return;
    const std::optional<epe::Batch> batch = epe::fuzz::copied_batch(*parts);
    try {
        epe::engine::WireReader reader(head);
        std::vector<std::string> types;
        std::vector<epe::HostParameter> parameters = epe::engine::read_parameters(reader, types);
        if (!batch) return;
        epe::engine::set_bytes(parameters, *batch);
        std::uint64_t sum = 0;
        for (const epe::HostParameter& parameter : parameters)
            if (parameter.bytes)
                for (const char each : *parameter.bytes) sum += static_cast<unsigned char>(each);
        [[maybe_unused]] static volatile std::uint64_t kept;  // so that the loop is not removed
        kept = sum;
        // Parameters that the backend has accepted are encoded again unchanged.
        if (!epe::engine::has_bytes(parameters)) return;
        const epe::Batch again = epe::engine::batch_of_bytes(parameters);
        require(again.columns.size() == batch->columns.size(), "number of binary parameters");
    } catch (const epe::engine::ProtocolError&) {  // NOLINT(bugprone-empty-catch): the usual fate
    }
}

}  // namespace

EPE_FUZZ_TARGET(parameters, run, kBytes)
