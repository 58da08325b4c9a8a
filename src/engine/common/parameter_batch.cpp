// Binary parameters of SQL as one row of a batch.
#include "engine/common/parameter_batch.h"

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "engine/common/batch_codec.h"

namespace epe::engine {

namespace {

/// The caller's memory, which outlives all leases.
class CallersMemory final : public Lease {
   private:
    void on_free() noexcept override {}
};

Column column_of(std::string_view bytes) {
    static CallersMemory lease;
    Column column;
    column.type = Kind::kBinary;
    column.length = 1;
    // The encoder only reads it.
    auto* const data = reinterpret_cast<std::byte*>(const_cast<char*>(bytes.data()));
    column.values = Buffer::borrow(data, bytes.size(), lease);
    const std::array<std::int64_t, 2> ends{0, static_cast<std::int64_t>(bytes.size())};
    if (!column.offsets.append(ends.data(), sizeof(ends))) throw std::bad_alloc();
    return column;
}

}  // namespace

bool has_bytes(const std::vector<HostParameter>& parameters) noexcept {
    return std::any_of(parameters.begin(), parameters.end(),
                       [](const HostParameter& each) { return each.bytes.has_value(); });
}

Batch batch_of_bytes(const std::vector<HostParameter>& parameters) {
    Batch batch;
    batch.length = 1;
    for (const HostParameter& parameter : parameters)
        if (parameter.bytes) batch.columns.push_back(column_of(*parameter.bytes));
    if (batch.columns.size() > static_cast<std::size_t>(kMostColumns))
        throw Error(sqlstate::kLimitExceeded, "a statement cannot have more than " +
                                                  std::to_string(kMostColumns) +
                                                  " binary parameters");
    return batch;
}

void set_bytes(std::vector<HostParameter>& parameters, const Batch& batch) {
    auto column = batch.columns.begin();
    for (HostParameter& parameter : parameters) {
        if (!parameter.bytes) continue;
        if (batch.length != 1 || column == batch.columns.end() ||
            column->type.kind != Kind::kBinary || column->null_count > 0)
            WireReader::fail("binary parameter");
        parameter.bytes.emplace(column->bytes_at(0),
                                static_cast<std::size_t>(column->bytes_length(0)));
        ++column;
    }
    if (column != batch.columns.end()) WireReader::fail("binary parameter");
}

}  // namespace epe::engine
