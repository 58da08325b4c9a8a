// Rows at the end of a message between a backend and an engine: how both ends place them.
//
// The data of few rows follow their description in the frame. The data of others are written to an
// arena of shared memory that the sender has reserved.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "core/batch/batch.h"
#include "engine/common/engine_messages.h"

namespace epe::engine {

/// Memory that was reserved for the data of a message.
struct ReservedArena {
    std::uint32_t id = 0;
    std::byte* data = nullptr;
};

/// Appends `row_count` rows of a batch to a message. `reserve(size)` is called if the data do not
/// fit in a frame; it returns an arena of at least `size` bytes, which the receiver releases.
void append_rows(WireWriter& to, const Batch& batch, std::int64_t first_row, std::int64_t row_count,
                 const std::function<ReservedArena(std::size_t size)>& reserve);

/// The smallest free arena of at least `size` bytes; null if there is none. The elements have
/// is_free and size().
template <typename Arenas>
auto* find_free_arena(Arenas& arenas, std::size_t size) noexcept {
    typename Arenas::value_type* best = nullptr;
    for (auto& arena : arenas)
        if (arena.is_free && arena.size() >= size &&
            (best == nullptr || arena.size() < best->size()))
            best = &arena;
    return best;
}

/// The arena that holds the rows of a message. The elements have id() and size(). Throws
/// ProtocolError when there is no such arena or the rows exceed it.
template <typename Arenas>
auto& find_arena(Arenas& arenas, const DataPlace& place) {
    for (auto& arena : arenas)
        if (arena.id() == place.arena && place.size <= arena.size()) return arena;
    WireReader::fail("arena");
}

}  // namespace epe::engine
