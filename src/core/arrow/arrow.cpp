// The Arrow C Data Interface: schemas, arrays and streams, and the release of each.
#include "core/arrow/arrow.h"

#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/arrow/arrow_import.h"
#include "core/arrow/arrow_layout.h"
#include "core/error.h"

namespace epe {

namespace {

// ---------------------------------------------------------------------------------------- schemas

/// The private data of an ArrowSchema.
struct SchemaOwner {
    std::string format;
    std::string name;
    std::string metadata;
    std::vector<std::unique_ptr<ArrowSchema>> children{};
    std::vector<ArrowSchema*> child_pointers{};
    std::unique_ptr<ArrowSchema> dictionary{};
};

template <typename T>
void release_if_alive(T* owned) noexcept {
    if (owned != nullptr && owned->release != nullptr) owned->release(owned);
}

void release_schema(ArrowSchema* schema) {
    const std::unique_ptr<SchemaOwner> owner(static_cast<SchemaOwner*>(schema->private_data));
    for (const auto& child : owner->children) release_if_alive(child.get());
    release_if_alive(owner->dictionary.get());
    schema->release = nullptr;
}

void fill_schema(const ArrowNode& node, ArrowSchema& schema) {
    schema = ArrowSchema{};
    auto owner = std::make_unique<SchemaOwner>(SchemaOwner{node.format, node.name, node.metadata});
    // If an allocation fails from here on, the owner can release the incomplete schema.
    SchemaOwner& own = *owner;
    schema.private_data = owner.release();
    schema.release = release_schema;
    schema.format = own.format.c_str();
    schema.name = own.name.c_str();
    schema.metadata = own.metadata.empty() ? nullptr : own.metadata.data();
    schema.flags = node.flags;
    for (const ArrowNode& child : node.children) {
        own.children.push_back(std::make_unique<ArrowSchema>());
        own.child_pointers.push_back(own.children.back().get());
        fill_schema(child, *own.children.back());
    }
    schema.n_children = static_cast<std::int64_t>(own.children.size());
    schema.children = own.child_pointers.data();
    if (!node.dictionary.empty()) {
        own.dictionary = std::make_unique<ArrowSchema>();
        fill_schema(node.dictionary[0], *own.dictionary);
        schema.dictionary = own.dictionary.get();
    }
}

// ----------------------------------------------------------------------------------------- arrays

/// The private data of an ArrowArray: it owns the node's buffers; its children have been moved out.
struct ArrayOwner {
    ArrowNode node{};
    std::vector<const void*> buffers{};
    std::vector<std::unique_ptr<ArrowArray>> children{};
    std::vector<ArrowArray*> child_pointers{};
    std::unique_ptr<ArrowArray> dictionary{};
};

void release_array(ArrowArray* array) {
    const std::unique_ptr<ArrayOwner> owner(static_cast<ArrayOwner*>(array->private_data));
    for (const auto& child : owner->children) release_if_alive(child.get());
    release_if_alive(owner->dictionary.get());
    array->release = nullptr;
}

/// A validity buffer without bytes is a null pointer; some readers need an address for the others.
const void* address_of(const Buffer& buffer, bool is_validity) noexcept {
    static const std::int64_t kNothing = 0;
    return buffer.data() != nullptr || is_validity ? static_cast<const void*>(buffer.data())
                                                   : &kNothing;
}

void fill_array(ArrowNode&& node, ArrowArray& array) {
    array = ArrowArray{};
    auto owner = std::make_unique<ArrayOwner>();
    ArrayOwner& own = *owner;
    own.node = std::move(node);
    array.private_data = owner.release();
    array.release = release_array;
    array.length = own.node.length;
    array.null_count = own.node.null_count;
    array.offset = own.node.offset;
    for (const Buffer& buffer : own.node.buffers)
        own.buffers.push_back(address_of(buffer, own.node.has_validity && own.buffers.empty()));
    array.n_buffers = static_cast<std::int64_t>(own.buffers.size());
    array.buffers = own.buffers.data();
    for (ArrowNode& child : own.node.children) {
        own.children.push_back(std::make_unique<ArrowArray>());
        own.child_pointers.push_back(own.children.back().get());
        fill_array(std::move(child), *own.children.back());
    }
    array.n_children = static_cast<std::int64_t>(own.children.size());
    array.children = own.child_pointers.data();
    if (!own.node.dictionary.empty()) {
        own.dictionary = std::make_unique<ArrowArray>();
        fill_array(std::move(own.node.dictionary[0]), *own.dictionary);
        array.dictionary = own.dictionary.get();
    }
}

// ----------------------------------------------------------------------------------------- stream

struct StreamOwner {
    ArrowNode type{};  ///< formats and names of the columns
    std::vector<ArrowArray> arrays{};
    std::size_t given = 0;  ///< number of arrays already returned

    StreamOwner() = default;
    StreamOwner(const StreamOwner&) = delete;
    StreamOwner& operator=(const StreamOwner&) = delete;
    ~StreamOwner() {
        for (ArrowArray& array : arrays) release_if_alive(&array);
    }
};

StreamOwner& owner_of(ArrowArrayStream* stream) noexcept {
    return *static_cast<StreamOwner*>(stream->private_data);
}

int get_schema(ArrowArrayStream* stream, ArrowSchema* out) {
    try {
        fill_schema(owner_of(stream).type, *out);
        return 0;
    } catch (...) {
        release_if_alive(out);
        return ENOMEM;
    }
}

int get_next(ArrowArrayStream* stream, ArrowArray* out) {
    // Moved as the interface defines it: the array gets a new address and keeps its owner. A
    // released array means the end of the stream.
    StreamOwner& owner = owner_of(stream);
    *out = owner.given < owner.arrays.size()
               ? std::exchange(owner.arrays[owner.given++], ArrowArray{})
               : ArrowArray{};
    return 0;
}

const char* get_last_error(ArrowArrayStream*) { return nullptr; }

void release_stream(ArrowArrayStream* stream) {
    const std::unique_ptr<StreamOwner> owner(&owner_of(stream));
    stream->release = nullptr;
}

ArrowNode type_of(const ArrowNode& node) {
    ArrowNode type;
    type.format = node.format;
    type.name = node.name;
    type.flags = node.flags;
    type.metadata = node.metadata;
    for (const ArrowNode& child : node.children) type.children.push_back(type_of(child));
    for (const ArrowNode& texts : node.dictionary) type.dictionary.push_back(type_of(texts));
    return type;
}

}  // namespace

void export_stream(Batch&& batch, ArrowArrayStream& stream) {
    if (batch.is_matrix) throw Error(sqlstate::kInternal, "a matrix has no columns for Arrow");
    ArrowTable table;
    table.chunks.emplace_back();
    ArrowNode& root = table.chunks.back();
    root.format = "+s";
    root.length = batch.length;
    root.buffers.emplace_back();  // a row is never NULL
    for (std::size_t i = 0; i < batch.columns.size(); ++i)
        root.children.push_back(
            make_arrow_node(std::move(batch.columns[i]), (*batch.schema)[i].name));
    table.type = type_of(root);
    export_table(std::move(table), stream);
}

void export_table(ArrowTable&& table, ArrowArrayStream& stream) {
    auto owner = std::make_unique<StreamOwner>();
    owner->type = std::move(table.type);
    owner->arrays.reserve(table.chunks.size());
    for (ArrowNode& chunk : table.chunks) {
        owner->arrays.emplace_back();
        // if this throws, the owner releases it
        fill_array(std::move(chunk), owner->arrays.back());
    }
    stream = ArrowArrayStream{};
    stream.get_schema = get_schema;
    stream.get_next = get_next;
    stream.get_last_error = get_last_error;
    stream.release = release_stream;
    stream.private_data = owner.release();
}

}  // namespace epe
