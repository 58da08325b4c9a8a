// What a script prints and warns, on its way to the client.
#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <set>
#include <string>
#include <string_view>

#include "core/pipeline/ports.h"
#include "py/base/ref_internal.h"

namespace epe::py {

/// The printed lines and warnings of one request. Complete lines become notices at once, the
/// first kFirstLines of them; of the rest only the last kLastLines, at the end of the request.
class Output {
   public:
    static constexpr std::int64_t kFirstLines = 1000;
    static constexpr std::size_t kLastLines = 100;
    /// Distinct warnings; of further ones the number is told at the end of the request.
    static constexpr std::size_t kMostWarnings = 1000;
    /// A line is cut here when nothing ends it.
    static constexpr std::size_t kLongestLine = std::size_t{1} << 20;

    enum Stream : std::uint8_t { kStdout = 0, kStderr = 1 };

    explicit Output(Host& host) noexcept : host_(host) {}

    /// On the engine's thread only. May throw what Host::notice throws.
    void write(Stream stream, std::string_view text);
    /// From other threads, which hold the GIL but may not call PostgreSQL: sent with the next
    /// write() or end_call().
    void write_later(Stream stream, std::string_view text);
    /// Once per distinct category, text and line.
    void warn(const std::string& text, const std::string& identity);

    /// Sends what has not been ended by a newline. Sends everything before it throws.
    void end_call();
    /// Also what was held back.
    void end_request();

   private:
    void send_complete_lines(Stream stream);
    void send_line(std::string_view line);
    void notice(const std::string& line);

    Host& host_;
    std::string partial_[2]{};
    std::string later_[2]{};
    std::int64_t line_count_ = 0;
    std::deque<std::string> held_back_{};
    std::set<std::string> warned_{};
    std::int64_t warnings_left_out_ = 0;
    std::exception_ptr failure_{};  // of end_call(), until everything is sent
    bool is_ending_ = false;
};

/// The objects that stand as sys.stdout and sys.stderr while a script runs (borrowed).
PyObject* output_stream(Output::Stream stream);

/// Makes the stream objects and takes over warnings.showwarning. Called once, at start.
void install_output(PyObject* module);

/// To be called at the start of a request: warnings that an earlier request has shown are shown
/// again.
void forget_shown_warnings();

}  // namespace epe::py
