// Serializes batches for the transport between a PostgreSQL backend and an engine process.
//
// A batch is sent as a description (kinds, lengths, names: bytes of a frame) and data: the columns'
// buffers one after the other, each at a multiple of 64 bytes, in an arena of shared memory or,
// when they are few, in the frame itself. The sizes of buffers follow from kinds and lengths; other
// sizes are written explicitly. Group starts, group names and the schema are not sent: the receiver
// knows the schema, and sets it.
//
// Towards the engine, batches are read in place. Towards the backend, they are copied before they
// are checked, since the hostile engine may write to the memory at any time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/batch/batch.h"
#include "engine/common/wire.h"

namespace epe::engine {

inline constexpr std::size_t kDataAlignment = 64;
/// Limits for a description; PostgreSQL and oml_epe stay far below them.
inline constexpr std::int64_t kMostRows = std::int64_t{1} << 40;
inline constexpr std::int64_t kMostColumns = 3328;
inline constexpr int kDeepestColumn = 32;

/// Rows [first_row, first_row + row_count) of a batch, ready to be sent. Borrows the batch, which
/// must neither change nor move meanwhile.
class BatchEncoder {
   public:
    BatchEncoder(const Batch& batch, std::int64_t first_row, std::int64_t row_count);

    /// Bytes that write_data() writes.
    std::size_t data_size() const noexcept { return data_size_; }
    void describe(WireWriter& to) const;
    /// `to` has room for data_size() bytes. The gaps between buffers are left as they are.
    void write_data(std::byte* to) const noexcept;

   private:
    struct Rows {
        std::int64_t first = 0;
        std::int64_t count = 0;
    };
    enum class PieceForm : std::uint8_t { kBytes, kBits, kNumbers };
    /// One buffer of the data.
    struct Piece {
        PieceForm form = PieceForm::kBytes;
        const std::byte* from = nullptr;  ///< null: zeroes
        std::size_t size = 0;             ///< bytes written
        Rows bits{};                      ///< kBits: which ones of `from`
        std::int64_t base = 0;            ///< kNumbers: what they are relative to
    };

    static Rows inside(const Column& column, Rows rows) noexcept;
    void add(const Piece& piece);
    void add_bytes(const Buffer& buffer, Rows rows, std::size_t width);
    void add_numbers(const Buffer& buffer, Rows rows, std::int64_t base);
    void add_matrix(const Batch& batch, Rows rows);
    void add_column(const Column& column, Rows rows);
    void add_values(const Column& column, Rows rows);
    void add_list(const Column& column, Rows rows);
    void add_field(const Column& column, std::size_t index);

    std::vector<Piece> pieces_{};
    WireWriter description_{};
    std::size_t data_size_ = 0;
};

/// A batch whose buffers borrow from `data`, which must be writable. For the engine: its peer is
/// trusted, but no read exceeds `data`. Buffers that are not at a multiple of 16 bytes, as in a
/// frame, are copied. The caller holds `lease` meanwhile. Throws ProtocolError.
Batch decode_borrowed(WireReader& description, std::span<std::byte> data, Lease& lease);

/// A batch of its own memory, checked to be safe for every reader (see batch_check.h), while the
/// engine may write to `data`. Never a matrix. Throws ProtocolError.
Batch decode_copied(WireReader& description, std::span<const std::byte> data);

}  // namespace epe::engine
