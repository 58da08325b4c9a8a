// Fuzz target: batches as one bytea, which any role may give to pyqsys.batch_rows.
#include "engine/common/packed_batch.h"

#include <cstddef>
#include <string_view>
#include <vector>

#include "batch_input.h"
#include "target.h"

namespace {

using epe::fuzz::require;

void run(std::string_view input) {
    epe::Batch batch;
    try {
        batch = epe::engine::unpack_batch(input);
    } catch (const epe::engine::ProtocolError&) {
        return;
    }
    for (const epe::Column& column : batch.columns)
        require(column.length == batch.length, "length of a column");
    if (!epe::fuzz::is_small(batch)) return;
    const epe::engine::PackedBatch packed(batch);
    std::vector<std::byte> bytes(packed.size());
    packed.write(bytes.data());
    const epe::Batch again =
        epe::engine::unpack_batch({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    require(again.length == batch.length && again.columns.size() == batch.columns.size(),
            "packing changes a batch");
}

}  // namespace

EPE_FUZZ_TARGET(packed_batch, run, kBytes)
