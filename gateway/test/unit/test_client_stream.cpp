// Tests of the flushing of pieces of a response.
#include "client_stream.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string>

namespace epe::gateway {
namespace {

class ClientStreamTest : public testing::Test {
   protected:
    ClientStreamTest() {
        std::array<int, 2> ends{};
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
        client_ = ends[0];
        stream_.emplace(ends[1], nullptr);
        stream_->begin_head();
    }
    ~ClientStreamTest() override { close(client_); }

    void ask(const std::string& text) {
        EXPECT_EQ(send(client_, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
        std::string taken(text.size(), ' ');
        EXPECT_EQ(stream_->read(taken.data(), taken.size()), static_cast<ssize_t>(text.size()));
        EXPECT_EQ(taken, text);
    }
    void put(const std::string& text) {
        EXPECT_EQ(stream_->write(text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
    /// The bytes received by the client.
    std::string arrived() {
        std::array<char, 1 << 16> bytes{};
        const ssize_t count = recv(client_, bytes.data(), bytes.size(), 0);
        return count > 0 ? std::string(bytes.data(), static_cast<std::size_t>(count)) : "";
    }

    int client_ = -1;
    std::optional<ClientStream> stream_;
};

TEST_F(ClientStreamTest, AHeadWaitsForItsBody) {
    ask("request\r\n");
    put("head ");
    EXPECT_EQ(arrived(), "");
    put("body");
    EXPECT_EQ(arrived(), "head body");
}

TEST_F(ClientStreamTest, AHeadWithoutBodyGoesAtTheEnd) {
    ask("request\r\n");
    put("head");
    EXPECT_TRUE(stream_->flush());
    EXPECT_EQ(arrived(), "head");
}

TEST_F(ClientStreamTest, EachFurtherPieceGoesAtOnce) {
    ask("request\r\n");
    put("head ");
    put("event 1");
    EXPECT_EQ(arrived(), "head event 1");
    for (const char* event : {"event 2", "event 3", "event 4"}) {
        put(event);
        EXPECT_EQ(arrived(), event);
    }
}

TEST_F(ClientStreamTest, TheNextHeadWaitsAgain) {
    for (int i = 0; i < 2; ++i) {
        stream_->begin_head();
        ask("request\r\n");
        put("head ");
        EXPECT_EQ(arrived(), "");
        put("body");
        EXPECT_EQ(arrived(), "head body");
    }
}

TEST_F(ClientStreamTest, WhatPrecedesTheBodyOfARequestGoesBeforeItIsRead) {
    ask("head");
    put("100 Continue");
    ask("body");
    EXPECT_EQ(arrived(), "100 Continue");
    put("head ");
    EXPECT_EQ(arrived(), "");
}

TEST_F(ClientStreamTest, ALongBodyGoesWhole) {
    ask("request\r\n");
    put("head ");
    const std::string body(30'000, 'x');
    put(body);
    EXPECT_EQ(arrived(), "head " + body);
}

TEST_F(ClientStreamTest, AnEndlessHeadIsCut) {
    const std::string line(8192, 'x');
    std::array<char, 8192> taken{};
    std::size_t total = 0;
    ssize_t count = 1;
    while (count > 0 && total < 1'000'000) {
        EXPECT_EQ(send(client_, line.data(), line.size(), 0), static_cast<ssize_t>(line.size()));
        count = stream_->read(taken.data(), taken.size());
        if (count > 0) total += static_cast<std::size_t>(count);
    }
    EXPECT_EQ(count, -1);
    EXPECT_LE(total, 65'536U);
}

TEST_F(ClientStreamTest, AClientThatHasGoneIsNotWritable) {
    EXPECT_TRUE(stream_->is_writable());
    close(client_);
    client_ = -1;
    EXPECT_FALSE(stream_->is_writable());
}

TEST_F(ClientStreamTest, ABodyHasAnEndHoweverItIsFramed) {
    stream_->begin_body(10, /* is_chunked */ false);
    ask("12345");
    const std::string text = "678901";
    EXPECT_EQ(send(client_, text.data(), text.size(), 0), 6);
    std::string taken(100, ' ');
    EXPECT_EQ(stream_->read(taken.data(), 6), -1);
}

TEST_F(ClientStreamTest, ABodyInChunksIsWholeAtItsEnd) {
    const std::string whole = "2\r\n{}\r\n0\r\n\r\n";
    for (const std::string& text :
         {whole, whole.substr(0, 10), std::string("2\r\n{}\r\n0\r\nA: b\r\n\r\n")}) {
        stream_->begin_body(100, /* is_chunked */ true);
        EXPECT_EQ(send(client_, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
        std::string taken(text.size(), ' ');
        (void)stream_->read(taken.data(), taken.size());
        EXPECT_EQ(stream_->has_whole_body(), text == whole) << text;
    }
    stream_->begin_body(100, /* is_chunked */ false);
    EXPECT_TRUE(stream_->has_whole_body());
}

TEST_F(ClientStreamTest, AHeadThatIsNoneIsRefused) {
    const std::string text = "GET / HTTP/1.1\r\nContent-Length : 5\r\n";
    EXPECT_EQ(send(client_, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    std::string taken(text.size(), ' ');
    EXPECT_EQ(stream_->read(taken.data(), taken.size()), -1);
}

}  // namespace
}  // namespace epe::gateway
