#include "engine/common/row_transport.h"

#include "engine/common/batch_codec.h"

namespace epe::engine {

namespace {

/// Data up to this size are sent in the frame.
constexpr std::size_t kInlineBytes = std::size_t{32} << 10;

}  // namespace

void append_rows(WireWriter& to, const Batch& batch, std::int64_t first_row, std::int64_t row_count,
                 const std::function<ReservedArena(std::size_t size)>& reserve) {
    const BatchEncoder encoder(batch, first_row, row_count);
    const std::size_t size = encoder.data_size();
    ReservedArena arena;
    if (size > kInlineBytes) arena = reserve(size);
    write(to, DataPlace{arena.id, size});
    encoder.describe(to);
    if (arena.data == nullptr) {
        const std::size_t start = to.bytes().size();
        to.bytes().resize(start + size);
        arena.data = reinterpret_cast<std::byte*>(to.bytes().data() + start);
    }
    encoder.write_data(arena.data);
}

}  // namespace epe::engine
