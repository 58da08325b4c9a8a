// A batch as one value: what package oml and the server exchange as bytea.
#include "engine/common/packed_batch.h"

#include <bit>
#include <cstring>

namespace epe::engine {

namespace {

/// The first bytes of a value.
struct Head {
    char magic[4];
    std::uint8_t version;
    std::uint8_t is_little_endian;
    std::uint16_t reserved;
    std::uint64_t size;              ///< of the whole value
    std::uint64_t description_size;  ///< which begins after kHeadSize bytes
};

constexpr char kMagic[] = {'O', 'M', 'L', 'B'};
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kIsLittleEndian = std::endian::native == std::endian::little ? 1 : 0;
constexpr std::size_t kHeadSize = kDataAlignment;
static_assert(sizeof(Head) <= kHeadSize);

constexpr std::size_t aligned(std::size_t size) noexcept {
    return (size + kDataAlignment - 1) / kDataAlignment * kDataAlignment;
}

}  // namespace

PackedBatch::PackedBatch(const Batch& batch) : encoder_(batch, 0, batch.length) {
    encoder_.describe(description_);
    data_at_ = aligned(kHeadSize + description_.bytes().size());
    size_ = aligned(data_at_ + encoder_.data_size());
}

void PackedBatch::write(std::byte* to) const noexcept {
    // The gaps between buffers must not expose old memory contents.
    std::memset(to, 0, size_);
    Head head{};
    std::memcpy(head.magic, kMagic, sizeof(kMagic));
    head.version = kVersion;
    head.is_little_endian = kIsLittleEndian;
    head.size = size_;
    head.description_size = description_.bytes().size();
    std::memcpy(to, &head, sizeof(head));
    std::memcpy(to + kHeadSize, description_.bytes().data(), description_.bytes().size());
    encoder_.write_data(to + data_at_);
}

Batch unpack_batch(std::string_view bytes) {
    Head head{};
    if (bytes.size() < kHeadSize) WireReader::fail("size of a packed batch");
    std::memcpy(&head, bytes.data(), sizeof(head));
    if (std::memcmp(head.magic, kMagic, sizeof(kMagic)) != 0 || head.version != kVersion ||
        head.is_little_endian != kIsLittleEndian)
        WireReader::fail("format of a packed batch");
    if (head.size != bytes.size() || head.description_size > bytes.size() - kHeadSize)
        WireReader::fail("size of a packed batch");
    const auto description_size = static_cast<std::size_t>(head.description_size);
    const std::size_t data_at = aligned(kHeadSize + description_size);
    if (data_at > bytes.size()) WireReader::fail("size of a packed batch");
    WireReader description(bytes.substr(kHeadSize, description_size));
    const std::string_view data = bytes.substr(data_at);
    Batch batch = decode_copied(description, std::as_bytes(std::span(data.data(), data.size())));
    description.expect_end();
    return batch;
}

}  // namespace epe::engine
