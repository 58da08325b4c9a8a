// Partitioners: split the input of one request into calls.
#include "core/pipeline/partitioner.h"

#include <algorithm>
#include <utility>

namespace epe {

namespace {

/// Decides how many rows to fetch per step: enough to amortize the fetch, few enough to stay
/// narrow.
class StepSize {
   public:
    std::int64_t rows() const noexcept { return rows_; }
    void learn(std::size_t bytes, std::int64_t rows) noexcept {
        if (rows <= 0) return;
        const std::size_t width = std::max<std::size_t>(bytes / static_cast<std::size_t>(rows), 1);
        // Grows slowly: the rows to come may be wider than those seen.
        const std::int64_t most = std::min(kStepRows, rows_ * kGrowth);
        rows_ = std::clamp<std::int64_t>(static_cast<std::int64_t>(kStreamBytes / width), 1, most);
    }

   private:
    static constexpr std::int64_t kGrowth = 16;
    // Starts small: a row may have megabytes.
    std::int64_t rows_ = 8;
};

/// Reads an input step by step into a builder.
class StepReader {
   public:
    StepReader(InputSource& source, BatchBuilder& builder) : source_(source), builder_(builder) {}
    bool is_at_end() const noexcept { return is_at_end_; }
    /// Appends the rows of one step, at most that many.
    void read_step(std::int64_t most_rows = kStepRows) {
        is_at_end_ = source_.read(builder_, std::min(step_.rows(), most_rows)) == 0;
        step_.learn(builder_.bytes(), builder_.rows());
    }

   private:
    InputSource& source_;
    BatchBuilder& builder_;
    StepSize step_{};
    bool is_at_end_ = false;
};

/// Numbers the calls, and the input rows that they cover, in the order of their creation.
class CallCounter {
   public:
    Call next(std::int64_t first_row, std::int64_t row_count) {
        Call call;
        call.number = ++calls_;
        call.first_row = first_row;
        call.row_count = row_count;
        call.input_row = rows_;
        rows_ += row_count;
        return call;
    }

   private:
    std::int64_t calls_ = 0;
    std::int64_t rows_ = 0;
};

class IndexCut final : public Cut {
   public:
    IndexCut(EvalFunction function, std::int64_t times) : function_(function), times_(times) {}

    bool next(Work& work) override {
        constexpr std::int64_t kCallsAtOnce = 1024;
        if (done_ == times_) return false;
        work = Work{};
        work.function = function_;
        const std::int64_t end = std::min(times_, done_ + kCallsAtOnce);
        while (done_ < end) {
            Call call;
            call.number = ++done_;
            if (function_ == EvalFunction::kIndex) call.name = std::to_string(call.number);
            work.calls.push_back(std::move(call));
        }
        return true;
    }

   private:
    EvalFunction function_;
    std::int64_t times_;
    std::int64_t done_ = 0;
};

class WholeCut final : public Cut {
   public:
    WholeCut(InputSource& source, BuildOptions options)
        : source_(source), builder_(source.schema(), options) {}

    bool next(Work& work) override {
        if (is_done_) return false;
        is_done_ = true;
        while (source_.read(builder_, 0) > 0) {
        }
        work = Work{};
        work.function = EvalFunction::kTable;
        work.batch = builder_.finish();
        Call call;
        call.row_count = work.batch.length;
        work.calls.push_back(std::move(call));
        return true;
    }

   private:
    InputSource& source_;
    BatchBuilder builder_;
    bool is_done_ = false;
};

/// Chunks of equal size; small chunks share a batch, increasingly many while they stay small.
class RowCut final : public Cut {
   public:
    RowCut(InputSource& source, BuildOptions options, std::int64_t rows)
        : builder_(source.schema(), options), reader_(source, builder_), rows_(rows) {}

    bool next(Work& work) override {
        const std::int64_t wanted = rows_ * chunks_;
        while (!reader_.is_at_end() && builder_.rows() < wanted)
            reader_.read_step(wanted - builder_.rows());
        if (builder_.rows() == 0) return false;
        if (builder_.bytes() < kStreamBytes / 2 && wanted <= kStepRows / 2) chunks_ *= 2;
        work = Work{};
        work.function = EvalFunction::kRow;
        work.batch = builder_.finish();
        for (std::int64_t first = 0; first < work.batch.length; first += rows_) {
            Call call = counter_.next(first, std::min(rows_, work.batch.length - first));
            call.name = std::to_string(call.number);
            work.calls.push_back(std::move(call));
        }
        return true;
    }

   private:
    BatchBuilder builder_;
    StepReader reader_;
    std::int64_t rows_;
    std::int64_t chunks_ = 1;
    CallCounter counter_{};
};

/// All complete groups of the rows read so far; the last group waits for the rest of its rows.
class GroupCut final : public Cut {
   public:
    GroupCut(InputSource& source, BuildOptions options)
        : builder_(source.schema(), options), reader_(source, builder_) {}

    bool next(Work& work) override {
        while (!reader_.is_at_end() && builder_.group_count() < 2) reader_.read_step();
        if (builder_.rows() == 0) return false;
        work = Work{};
        work.function = EvalFunction::kGroup;
        work.batch = reader_.is_at_end()
                         ? builder_.finish()
                         : builder_.finish_before(builder_.group_start(builder_.group_count() - 1));
        const Batch& batch = work.batch;
        for (std::size_t group = 0; group < batch.group_starts.size(); ++group) {
            const std::int64_t end = group + 1 < batch.group_starts.size()
                                         ? batch.group_starts[group + 1]
                                         : batch.length;
            const std::int64_t start = batch.group_starts[group];
            Call call = counter_.next(start, end - start);
            call.name = batch.group_names[group];
            work.calls.push_back(std::move(call));
        }
        return true;
    }

   private:
    BatchBuilder builder_;
    StepReader reader_;
    CallCounter counter_{};
};

/// Calls over a stream of batches: one call over everything, or one call per group. The partitioner
/// is the stream of its latest call; rows that the function did not read are skipped.
class StreamCut final : public Cut, private BatchStream {
   public:
    StreamCut(InputSource& source, BuildOptions options, EvalFunction function)
        : builder_(source.schema(), options), reader_(source, builder_), function_(function) {}

    bool next(Work& work) override {
        if (is_grouped() ? !start_group() : calls_ > 0) return false;
        work = Work{};
        work.function = function_;
        work.stream = this;
        Call call;
        call.number = ++calls_;
        call.input_row = rows_done_;
        if (is_grouped()) call.name = group_name_;
        work.calls.push_back(std::move(call));
        return true;
    }

   private:
    bool is_grouped() const noexcept { return function_ == EvalFunction::kGroup; }

    bool next(Batch& batch) override {
        if (is_group_read_) return false;
        // The builder may begin with the start of the group being read.
        std::int64_t boundary = next_boundary();
        while (!reader_.is_at_end() && boundary < 0 && builder_.bytes() < kStreamBytes) {
            reader_.read_step();
            boundary = next_boundary();
        }
        is_group_read_ = boundary >= 0 || reader_.is_at_end();
        batch = boundary >= 0 ? builder_.finish_before(boundary) : builder_.finish();
        has_own_start_ = false;
        rows_done_ += batch.length;
        if (batch.length > 0 || !has_given_) {
            has_given_ = true;
            return batch.length > 0 || !is_grouped();
        }
        return false;
    }

    /// Row of the builder at which the next group begins; -1 when there is none yet.
    std::int64_t next_boundary() const noexcept {
        const std::int64_t group = has_own_start_ ? 1 : 0;
        return is_grouped() && builder_.group_count() > group ? builder_.group_start(group) : -1;
    }

    /// Skips the rest of the previous group; false when no group follows.
    bool start_group() {
        Batch skipped;
        while (calls_ > 0 && !is_group_read_) (void)next(skipped);
        while (!reader_.is_at_end() && builder_.group_count() == 0) reader_.read_step();
        if (builder_.group_count() == 0) return false;
        group_name_ = builder_.group_name(0);
        is_group_read_ = false;
        has_own_start_ = true;
        has_given_ = false;
        return true;
    }

    BatchBuilder builder_;
    StepReader reader_;
    EvalFunction function_;
    std::string group_name_{};
    std::int64_t calls_ = 0;
    std::int64_t rows_done_ = 0;
    bool is_group_read_ = false;
    bool has_own_start_ = false;
    bool has_given_ = false;
};

}  // namespace

std::unique_ptr<Cut> cut_by_index(EvalFunction function, std::int64_t times) {
    return std::make_unique<IndexCut>(function, function == EvalFunction::kEval ? 1 : times);
}

std::unique_ptr<Cut> cut_whole(InputSource& source, BuildOptions options) {
    return std::make_unique<WholeCut>(source, options);
}

std::unique_ptr<Cut> cut_stream(InputSource& source, BuildOptions options, EvalFunction function) {
    return std::make_unique<StreamCut>(source, options, function);
}

std::unique_ptr<Cut> cut_by_rows(InputSource& source, BuildOptions options, std::int64_t rows) {
    return std::make_unique<RowCut>(source, options, rows);
}

std::unique_ptr<Cut> cut_by_group(InputSource& source, BuildOptions options) {
    return std::make_unique<GroupCut>(source, options);
}

}  // namespace epe
