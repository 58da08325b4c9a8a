// What a call returned becomes batches of the output shape.
#pragma once

#include "core/pipeline/ports.h"
#include "py/base/ref_internal.h"

namespace epe::py {

/// The output shape of a request in Python's terms, made once a request.
class ResultFormat {
   public:
    ResultFormat(const Controls& controls, const OutputShape& shape);

    const OutputShape& shape() const noexcept { return shape_; }
    bool wants_figures() const noexcept;
    /// One result as rows of a relational shape.
    Batch relational(const Ref& result, std::int64_t first_row);
    /// One item of a generator as rows. `items` is empty before the first item and keeps what None
    /// means among the items of a lone column.
    Batch item(const Ref& item, Ref& items, std::int64_t first_row);
    /// The rows that are left when the generator has ended.
    Batch last_items(const Ref& items, std::int64_t first_row);
    /// The result, as long as it may be. Throws ScriptError 54000.
    Ref limited(Ref result) const;
    /// The one row of a JSON or XML shape.
    Batch json(const Ref& result, const Call& call, bool& is_frame);
    Batch xml(const Ref& result, const Call& call);
    /// A row a figure.
    Batch png(const Ref& result, const Call& call);
    /// The pickle of a result, a list of bytes-like pieces.
    Ref pickle(const Ref& result);
    /// A row for one of them, counted from 1.
    Batch pickle_piece(PyObject* piece, std::int64_t number, const Call& call);

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

/// Reads the result of one call piece by piece: a generator of frames gives one for each item,
/// everything else gives one.
class ResultReader {
   public:
    ResultReader(ResultFormat& format, const Call& call, Ref result);

    /// False at the end. Throws ScriptError, or Error for values that do not fit.
    bool next(CallResult& piece);

   private:
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
