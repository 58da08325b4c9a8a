#include "value_text.h"

#include <charconv>

namespace epe::gateway {
namespace {

/// Consumes a text from the front.
class Scanner {
   public:
    explicit Scanner(std::string_view text) : rest_(text) {}

    bool skip(std::string_view token) {
        if (!rest_.starts_with(token)) return false;
        rest_.remove_prefix(token.size());
        return true;
    }
    std::optional<std::int64_t> number() {
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
        if (error != std::errc() || rest_.front() == '-' || value > kLargest) return std::nullopt;
        rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
        return value;
    }
    std::string_view rest() const { return rest_; }
    bool is_done() const { return rest_.empty(); }

   private:
    /// A plausible year: later arithmetic cannot overflow.
    static constexpr std::int64_t kLargest = 999'999'999;

    std::string_view rest_;
};

/// Days from 1970-01-01 to a date in the proleptic Gregorian calendar. Years start in March here,
/// so that the leap day is the last day of a year.
std::int64_t days_from_civil(std::int64_t year, std::int64_t month, std::int64_t day) {
    constexpr std::int64_t kDaysOf400Years = 146097;
    constexpr std::int64_t kEpoch = 719468;  // from 0000-03-01 to 1970-01-01
    const std::int64_t shifted = month > 2 ? year : year - 1;
    const std::int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    const std::int64_t year_of_era = shifted - era * 400;
    const std::int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    const std::int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * kDaysOf400Years + day_of_era - kEpoch;
}

struct Civil {
    std::int64_t year, month, day;
};

std::optional<Civil> read_civil(Scanner& scanner) {
    const auto year = scanner.number();
    if (!year || !scanner.skip("-")) return std::nullopt;
    const auto month = scanner.number();
    if (!month || !scanner.skip("-")) return std::nullopt;
    const auto day = scanner.number();
    if (!day || *month < 1 || *month > 12 || *day < 1 || *day > 31) return std::nullopt;
    return Civil{*year, *month, *day};
}

/// The rest of a date: " BC" (1 BC is year 0), or empty.
std::optional<std::int64_t> finish_days(Scanner& scanner, Civil civil) {
    if (scanner.skip(" BC")) civil.year = 1 - civil.year;
    if (!scanner.is_done()) return std::nullopt;
    return days_from_civil(civil.year, civil.month, civil.day);
}

/// "HH:MM:SS" or a prefix of it, in seconds.
std::optional<std::int64_t> read_clock(Scanner& scanner) {
    std::int64_t seconds = 0;
    for (const std::int64_t unit : {3600, 60, 1}) {
        if (unit != 3600 && !scanner.skip(":")) break;
        const auto part = scanner.number();
        if (!part) return std::nullopt;
        seconds += *part * unit;
    }
    return seconds;
}

/// ".25" in microseconds.
std::optional<std::int64_t> read_fraction(Scanner& scanner) {
    constexpr std::size_t kDigits = 6;
    if (!scanner.skip(".")) return 0;
    const std::size_t before = scanner.rest().size();
    auto fraction = scanner.number();
    const std::size_t digits = before - scanner.rest().size();
    if (!fraction || digits > kDigits) return std::nullopt;
    for (std::size_t i = digits; i < kDigits; ++i) *fraction *= 10;
    return fraction;
}

std::optional<std::int64_t> read_zone(Scanner& scanner) {
    if (scanner.skip("+")) return read_clock(scanner);
    if (!scanner.skip("-")) return 0;
    const auto zone = read_clock(scanner);
    return zone ? std::optional(-*zone) : std::nullopt;
}

unsigned hex_digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
    return 16;
}

}  // namespace

std::optional<std::int32_t> days_of(std::string_view text) {
    Scanner scanner(text);
    const auto civil = read_civil(scanner);
    if (!civil) return std::nullopt;
    const auto days = finish_days(scanner, *civil);
    if (!days || *days != static_cast<std::int32_t>(*days)) return std::nullopt;
    return static_cast<std::int32_t>(*days);
}

std::optional<std::int64_t> microseconds_of(std::string_view text) {
    constexpr std::int64_t kSecondsOfDay = 86400;
    constexpr std::int64_t kMicroseconds = 1'000'000;
    Scanner scanner(text);
    const auto civil = read_civil(scanner);
    if (!civil || !scanner.skip(" ")) return std::nullopt;
    const auto clock = read_clock(scanner);
    const auto fraction = read_fraction(scanner);
    const auto zone = read_zone(scanner);
    if (!clock || !fraction || !zone) return std::nullopt;
    const auto days = finish_days(scanner, *civil);
    if (!days) return std::nullopt;
    std::int64_t microseconds = 0;
    if (__builtin_mul_overflow(*days * kSecondsOfDay + *clock - *zone, kMicroseconds,
                               &microseconds) ||
        __builtin_add_overflow(microseconds, *fraction, &microseconds))
        return std::nullopt;
    return microseconds;
}

std::optional<__int128> decimal_of(std::string_view text, int scale) {
    const bool is_negative = text.starts_with('-');
    if (is_negative) text.remove_prefix(1);
    __int128 digits = 0;
    int behind_point = -1;
    for (const char c : text) {
        if (c == '.' && behind_point < 0) {
            behind_point = 0;
            continue;
        }
        if (c < '0' || c > '9') return std::nullopt;
        if (__builtin_mul_overflow(digits, 10, &digits) ||
            __builtin_add_overflow(digits, c - '0', &digits))
            return std::nullopt;
        if (behind_point >= 0) ++behind_point;
    }
    if ((behind_point < 0 ? 0 : behind_point) != scale || text.empty()) return std::nullopt;
    return is_negative ? -digits : digits;
}

std::optional<std::string> bytes_of(std::string_view text) {
    if (!text.starts_with("\\x") || text.size() % 2 != 0) return std::nullopt;
    std::string bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 2; i < text.size(); i += 2) {
        const unsigned high = hex_digit(text[i]);
        const unsigned low = hex_digit(text[i + 1]);
        if (high > 15 || low > 15) return std::nullopt;
        bytes.push_back(static_cast<char>(high << 4U | low));
    }
    return bytes;
}

}  // namespace epe::gateway
