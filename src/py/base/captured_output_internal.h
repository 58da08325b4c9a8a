// Sends the output and the warnings of a script to the client.
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

/// The printed lines and warnings of one request. Complete lines become notices immediately, up to
/// kFirstLines; of the rest only the last kLastLines, at the end of the request.
class Output {
   public:
    static constexpr std::int64_t kFirstLines = 1000;
    static constexpr std::size_t kLastLines = 100;
    /// Distinct warnings; the number of further ones is reported at the end of the request.
    static constexpr std::size_t kMostWarnings = 1000;
    /// Maximum length of a line.
    static constexpr std::size_t kLongestLine = std::size_t{1} << 20;

    enum Stream : std::uint8_t { kStdout = 0, kStderr = 1 };

    explicit Output(Host& host) noexcept : host_(host) {}

    /// On the engine's thread only. May throw the exceptions of Host::notice.
    void write(Stream stream, std::string_view text);
    /// From other threads, which hold the GIL but may not call PostgreSQL: sent with the next
    /// write() or end_call().
    void write_later(Stream stream, std::string_view text);
    /// Once per distinct category, text and line.
    void warn(const std::string& text, const std::string& identity);

    /// Sends an incomplete last line. Sends everything before it throws.
    void end_call();
    /// Also sends held-back lines.
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
    std::exception_ptr failure_{};  // of end_call(), until all output is sent
    bool is_ending_ = false;
};

/// The sys.stdout and sys.stderr of running scripts (borrowed).
PyObject* output_stream(Output::Stream stream);

/// Creates the stream objects and replaces warnings.showwarning. Called once, at start.
void install_output(PyObject* module);

/// To be called at the start of a request, and of each of its steps with the request's own output:
/// warnings that other requests have shown are shown again.
void forget_shown_warnings(const Output* except = nullptr);

}  // namespace epe::py
