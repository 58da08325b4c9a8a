// The iterator over frames for functions with input type "iterator".
#pragma once

#include "core/pipeline/ports.h"
#include "py/base/ref_internal.h"
#include "py/input/input_builder_internal.h"

namespace epe::py {

/// Adds the type `_oml_epe.Batches` to the module. Called once, at start.
void add_batch_iterator_type(PyObject* module);

/// Owns a Python iterator over a stream and disconnects it when destroyed: the script may keep the
/// object, but not read from it after its call.
class BatchIterator {
   public:
    BatchIterator(BatchStream& stream, InputBuilder& inputs);
    ~BatchIterator();
    BatchIterator(const BatchIterator&) = delete;
    BatchIterator& operator=(const BatchIterator&) = delete;

    Ref object() const noexcept { return object_.copy(); }

   private:
    Ref object_;
};

}  // namespace epe::py
