// Converts the result of a call to batches of the output shape.
#pragma once

#include "core/pipeline/ports.h"
#include "py/base/ref_internal.h"

namespace epe::py {

/// The output shape of a request for Python, created once per request.
class ResultFormat {
   public:
    ResultFormat(const Controls& controls, const OutputShape& shape);

    const OutputShape& shape() const noexcept { return shape_; }
    bool wants_figures() const noexcept;
    /// Whether a call without figures has a row in a result of figures.
    bool always_gives_row() const noexcept { return controls_.always_gives_row; }
    /// One result as rows of a relational shape.
    Batch relational(const Ref& result, std::int64_t first_row);
    /// One item of a generator as rows. `items` is empty before the first item and stores the
    /// meaning of None among the items of a single column.
    Batch item(const Ref& item, Ref& items, std::int64_t first_row);
    /// The remaining rows after the end of the generator.
    Batch last_items(const Ref& items, std::int64_t first_row);
    /// Returns the result if it is within the limits. Throws ScriptError 54000.
    Ref limited(Ref result) const;
    /// The one row of a JSON or XML shape.
    Batch json(const Ref& result, const Call& call, bool& is_frame);
    Batch xml(const Ref& result, const Call& call);

   private:
    bool is_plain_scalar(PyObject* result) const noexcept;
    void prepare();
    Batch laid_out(const Ref& answer, std::int64_t first_row) const;

    const Controls& controls_;
    const OutputShape& shape_;
    Ref names_{};
    Ref kinds_{};
    Ref by_position_{};
    Ref relational_function_{};
};

/// Reads the result of one call piece by piece: a generator of frames yields one per item, any
/// other result is one piece.
class ResultReader {
   public:
    ResultReader(ResultFormat& format, const Call& call, Ref result);

    /// False at the end. Throws ScriptError, or Error for values that do not fit.
    bool next(CallResult& piece);
    /// Whether it is known that no piece follows.
    bool is_done() const noexcept { return is_done_; }
    /// Closes a generator that has not ended, as `yield from` does. Throws ScriptError.
    void close();

   private:
    bool read_piece(CallResult& piece);
    Ref pickle_result(const Ref& result) const;
    Batch read_whole(bool& is_frame);

    ResultFormat& format_;
    const Call& call_;
    Ref result_;
    bool is_generator_;
    bool is_done_ = false;
    Ref pieces_{};  // of a pickle
    Ref items_{};   // see ResultFormat::item
    std::int64_t rows_ = 0;
};

}  // namespace epe::py
