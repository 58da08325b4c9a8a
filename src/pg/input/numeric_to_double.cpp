// numeric to double precision without text.
#include "pg/input/numeric_to_double_internal.h"

#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>

extern "C" {
#include "utils/numeric.h"
}

#if PG_VERSION_NUM >= 160000
extern "C" {
#include "varatt.h"
}
#endif

namespace epe::pg {

namespace {

// The layout of numeric on disk (src/backend/utils/adt/numeric.c), fixed since PostgreSQL 9.1: a
// header of one or two words, then digits to the base 10000.
constexpr std::uint16_t kSignMask = 0xC000;
constexpr std::uint16_t kNegative = 0x4000;
constexpr std::uint16_t kShort = 0x8000;
constexpr std::uint16_t kSpecial = 0xC000;
constexpr std::uint16_t kSpecialMask = 0xF000;
constexpr std::uint16_t kNotANumber = 0xC000;
constexpr std::uint16_t kMinusInfinity = 0xF000;
constexpr std::uint16_t kShortNegative = 0x2000;
constexpr std::uint16_t kShortWeightSign = 0x0040;
constexpr std::uint16_t kShortWeightMask = 0x003F;
constexpr int kBase = 10000;
constexpr int kDigitsPerBase = 4;

struct Digits {
    const std::int16_t* data;
    int count;
    int weight;
    bool is_negative;
};

constexpr double kPowersOfTen[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

Digits decode(const char* data, std::size_t size, std::uint16_t header) noexcept {
    Digits digits{};
    std::size_t header_size = sizeof(std::uint16_t);
    if ((header & kShort) != 0) {
        digits.is_negative = (header & kShortNegative) != 0;
        digits.weight = header & kShortWeightMask;
        if ((header & kShortWeightSign) != 0) digits.weight |= ~int{kShortWeightMask};
    } else {
        std::int16_t weight = 0;
        std::memcpy(&weight, data + sizeof(header), sizeof(weight));
        digits.weight = weight;
        digits.is_negative = (header & kSignMask) == kNegative;
        header_size += sizeof(weight);
    }
    digits.data = reinterpret_cast<const std::int16_t*>(data + header_size);
    if (size > header_size)
        digits.count = static_cast<int>((size - header_size) / sizeof(std::int16_t));
    return digits;
}

std::int16_t digit_at(const Digits& digits, int index) noexcept {
    std::int16_t digit = 0;  // a packed value need not be aligned
    std::memcpy(&digit, digits.data + index, sizeof(digit));
    return digit;
}

/// NaN or an infinity.
double special_value(std::uint16_t header) noexcept {
    switch (header & kSpecialMask) {
        case kNotANumber:
            return std::numeric_limits<double>::quiet_NaN();
        case kMinusInfinity:
            return -std::numeric_limits<double>::infinity();
        default:
            return std::numeric_limits<double>::infinity();
    }
}

/// Whether a double is the quotient or product of an integer and a power of ten that are both
/// exact, so that one operation rounds once.
bool divide_or_multiply(const Digits& digits, double& result) noexcept {
    constexpr std::uint64_t kExact = std::uint64_t{1} << 53;
    std::uint64_t whole = 0;
    int taken = 0;
    while (taken < digits.count && whole < kExact / kBase)
        whole = whole * kBase + static_cast<std::uint64_t>(digit_at(digits, taken++));
    const int exponent = (digits.weight - digits.count + 1) * kDigitsPerBase;
    if (taken < digits.count || exponent < -22 || exponent > 22) return false;
    result = exponent < 0 ? static_cast<double>(whole) / kPowersOfTen[-exponent]
                          : static_cast<double>(whole) * kPowersOfTen[exponent];
    if (digits.is_negative) result = -result;
    return true;
}

/// More digits than a double holds: round correctly with the library's parser.
double parse_long(const Digits& digits) noexcept {
    constexpr int kMostDigits = 800 / kDigitsPerBase;  // beyond 768 digits rounding cannot change
    char text[kMostDigits * kDigitsPerBase + 32];
    char* end = text;
    const int used = digits.count < kMostDigits ? digits.count : kMostDigits;
    for (int i = 0; i < used; ++i) {
        int digit = digit_at(digits, i);
        for (int place = kBase / 10; place > 0; place /= 10) {
            *end++ = static_cast<char>('0' + digit / place);
            digit %= place;
        }
    }
    // A further non-zero digit breaks a tie; one represents all of them.
    int exponent = (digits.weight - used + 1) * kDigitsPerBase;
    if (used < digits.count) {
        *end++ = '1';
        --exponent;
    }
    *end++ = 'e';
    end = std::to_chars(end, text + sizeof(text), exponent).ptr;
    double value = 0;
    const auto parsed = std::from_chars(text, end, value);
    if (parsed.ec == std::errc::result_out_of_range && digits.weight < 0) return 0;  // the nearest
    if (parsed.ec == std::errc::result_out_of_range)
        ereport(ERROR,
                (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                 errmsg("numeric value is out of range for double precision"),
                 errhint("Pass \"oml_numeric\":\"decimal\" to get decimal.Decimal objects.")));
    return value;
}

}  // namespace

bool plain_numeric(Datum value, double& result) noexcept {
    const auto* numeric = reinterpret_cast<const struct varlena*>(DatumGetPointer(value));
    if (VARATT_IS_COMPRESSED(numeric) || VARATT_IS_EXTERNAL(numeric)) return false;
    const char* data = VARDATA_ANY(numeric);
    std::uint16_t header = 0;
    std::memcpy(&header, data, sizeof(header));
    if ((header & kSignMask) != kSpecial)
        return divide_or_multiply(decode(data, VARSIZE_ANY_EXHDR(numeric), header), result);
    result = special_value(header);
    return true;
}

double numeric_to_double(Datum value) noexcept {
    auto* packed = reinterpret_cast<struct varlena*>(DatumGetPointer(value));
    struct varlena* numeric = PG_DETOAST_DATUM_PACKED(PointerGetDatum(packed));
    double result = 0;
    if (!plain_numeric(PointerGetDatum(numeric), result)) {
        const char* data = VARDATA_ANY(numeric);
        std::uint16_t header = 0;
        std::memcpy(&header, data, sizeof(header));
        const Digits digits = decode(data, VARSIZE_ANY_EXHDR(numeric), header);
        result = parse_long(digits);
        if (digits.is_negative) result = -result;
    }
    if (numeric != packed) pfree(numeric);
    return result;
}

}  // namespace epe::pg
