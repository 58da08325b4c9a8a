// Binary parameters of SQL statements, sent from an engine to the backend.
#include "engine/common/parameter_batch.h"

#include <gtest/gtest.h>

#include <span>
#include <string>

#include "engine/common/batch_codec.h"
#include "engine/common/call_messages.h"

namespace epe::engine {
namespace {

/// The received batch.
Batch sent(const Batch& batch) {
    const BatchEncoder encoder(batch, 0, batch.length);
    WireWriter description;
    encoder.describe(description);
    std::vector<std::byte> data(encoder.data_size());
    encoder.write_data(data.data());
    WireReader from(description.bytes());
    return decode_copied(from, std::span<const std::byte>(data));
}

std::vector<HostParameter> some_parameters(const std::string& large) {
    std::vector<HostParameter> parameters(5);
    parameters[0].text = "text";
    parameters[1].bytes = large;
    parameters[1].sql_type = "bytea";
    parameters[3].bytes = std::string_view();
    parameters[4].bytes = std::string_view("\0x\0", 3);
    return parameters;
}

TEST(ParameterBatch, BytesTravelBesideTheParameters) {
    const std::string large(100'000, 'x');
    const std::vector<HostParameter> given = some_parameters(large);
    WireWriter to;
    write(to, given);
    EXPECT_LT(to.bytes().size(), 200U);
    WireReader from(to.bytes());
    std::vector<std::string> types;
    std::vector<HostParameter> taken = read_parameters(from, types);
    from.expect_end();
    ASSERT_TRUE(has_bytes(taken));
    const Batch batch = sent(batch_of_bytes(given));
    set_bytes(taken, batch);
    ASSERT_EQ(taken.size(), given.size());
    for (std::size_t i = 0; i < given.size(); ++i) {
        EXPECT_EQ(taken[i].text, given[i].text) << i;
        EXPECT_EQ(taken[i].bytes, given[i].bytes) << i;
        EXPECT_STREQ(taken[i].sql_type, given[i].sql_type) << i;
    }
}

TEST(ParameterBatch, NoBytesNoBatch) {
    std::vector<HostParameter> parameters(2);
    parameters[0].text = "text";
    EXPECT_FALSE(has_bytes(parameters));
}

TEST(ParameterBatch, AnEngineMustSendWhatTheParametersNeed) {
    const std::string large(1000, 'x');
    std::vector<HostParameter> parameters = some_parameters(large);
    Batch few = batch_of_bytes(parameters);
    few.columns.pop_back();
    EXPECT_THROW(set_bytes(parameters, few), ProtocolError);
    Batch many = batch_of_bytes(parameters);
    many.columns.push_back(std::move(batch_of_bytes(parameters).columns.front()));
    EXPECT_THROW(set_bytes(parameters, many), ProtocolError);
    Batch none = batch_of_bytes(parameters);
    none.length = 0;
    EXPECT_THROW(set_bytes(parameters, none), ProtocolError);
    Batch null = batch_of_bytes(parameters);
    null.columns[1] = null_column(1);
    EXPECT_THROW(set_bytes(parameters, null), ProtocolError);
    Batch text = batch_of_bytes(parameters);
    text.columns[0].type = Kind::kText;
    EXPECT_THROW(set_bytes(parameters, text), ProtocolError);
}

TEST(ParameterBatch, TooManyAreRefused) {
    std::vector<HostParameter> parameters(static_cast<std::size_t>(kMostColumns) + 1);
    for (HostParameter& parameter : parameters) parameter.bytes.emplace();
    EXPECT_THROW(batch_of_bytes(parameters), Error);
}

}  // namespace
}  // namespace epe::engine
