// A batch as one value: what package oml and the server exchange as bytea.
//
// A value consists of a head of 64 bytes, the description of the codec (batch_codec.h), and the
// data at a multiple of 64 bytes; the total size is a multiple of 64, so that several values may
// follow one another. Numbers have the server's byte order, which the head states.
// python/oml/_transfer/batch_reader.py and batch_writer.py read and write the same format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/common/batch_codec.h"

namespace epe::engine {

/// Packs one batch. Borrows it.
class PackedBatch {
   public:
    explicit PackedBatch(const Batch& batch);

    std::size_t size() const noexcept { return size_; }
    /// `to` has room for size() bytes. Every byte is written.
    void write(std::byte* to) const noexcept;

   private:
    BatchEncoder encoder_;
    WireWriter description_{};
    std::size_t data_at_ = 0;
    std::size_t size_ = 0;
};

/// The batch of such a value, with its own memory and checked as those of engines: the bytes are
/// untrusted. Throws ProtocolError.
Batch unpack_batch(std::string_view bytes);

}  // namespace epe::engine
