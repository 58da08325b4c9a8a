// Tests of engine/common/leftovers and process_mark: processes that are found, and those that are
// not.
#include "engine/common/leftovers.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace epe::engine {
namespace {

class Leftovers : public testing::Test {
   protected:
    void SetUp() override {
        std::string name = std::filesystem::temp_directory_path() / "epe_unit_XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        parent_ = name;
    }
    void TearDown() override {
        for (const pid_t child : children_) {
            (void)kill(child, SIGKILL);
            (void)waitpid(child, nullptr, 0);
        }
        std::filesystem::remove_all(parent_);
    }

    /// A stopped child; with an owner's folder in its environment, like a zygote.
    ProcessMark stopped_child(const std::string& folder = {}) {
        const std::string variable = std::string(kFolderVariable) + "=" + folder;
        const pid_t child = fork();
        if (child == 0) {
            const char* const arguments[] = {"/bin/sh", "-c", "kill -STOP $$", nullptr};
            const char* const environment[] = {"A=B", folder.empty() ? "C=D" : variable.c_str(),
                                               nullptr};
            (void)execve(arguments[0], const_cast<char* const*>(arguments),
                         const_cast<char* const*>(environment));
            _exit(1);
        }
        children_.push_back(child);
        int status = 0;
        EXPECT_EQ(waitpid(child, &status, WUNTRACED), child);
        EXPECT_TRUE(WIFSTOPPED(status));
        return *mark_of(child);
    }
    /// Whether a child has been killed; reaps it. Returns immediately, false while it is alive.
    bool was_killed(const ProcessMark& child) {
        int status = 0;
        if (waitpid(child.pid, &status, WNOHANG) != child.pid) return false;
        std::erase(children_, child.pid);
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    }
    /// The owner's folder of this process, or of one that has ended.
    std::string make_owner(bool is_alive) {
        std::string folder = owner_folder(parent_);
        if (!is_alive) {
            const std::string boot = folder.substr(folder.rfind('.'));
            folder = parent_ + "/" + to_text({getpid(), 1}) + boot;
        }
        std::filesystem::create_directory(folder);
        return folder;
    }
    static std::string record(const std::string& owner, ProcessMark engine, ProcessMark backend) {
        std::string folder = owner + "/" + engine_folder_name(engine, backend);
        std::filesystem::create_directories(folder + "/left by a script");
        return folder;
    }

    std::string parent_{};
    std::vector<pid_t> children_{};
};

TEST_F(Leftovers, TellProcessesByTheirStart) {
    const ProcessMark child = stopped_child();
    EXPECT_EQ(child.pid, children_.back());
    EXPECT_GT(child.start, 0U);
    EXPECT_EQ(read_mark(to_text(child)), child);
    EXPECT_TRUE(open_process(child));
    // The same process ID, used by an earlier process.
    EXPECT_FALSE(open_process(ProcessMark{child.pid, child.start - 1}));
    kill(child.pid, SIGKILL);
    siginfo_t info{};
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child.pid), &info, WEXITED | WNOWAIT), 0);
    EXPECT_TRUE(mark_of(child.pid));    // a zombie
    EXPECT_FALSE(open_process(child));  // has ended, though
    EXPECT_TRUE(was_killed(child));
    EXPECT_FALSE(mark_of(child.pid));
    EXPECT_FALSE(open_process(ProcessMark{}));
    EXPECT_FALSE(open_process(ProcessMark{-1, 1}));
    for (const char* text : {"", "1", "1.", ".1", "1.2.", "1.2x", "x.1", "-1.2", "1.-2", " 1.2",
                             "99999999999999999999.1", "1.99999999999999999999999"})
        EXPECT_FALSE(read_mark(text)) << text;
}

TEST_F(Leftovers, OfAnOwnerEndThoughTheyAreStopped) {
    const std::string own = make_owner(true);
    const ProcessMark zygote = stopped_child(own);
    const ProcessMark engine = stopped_child();
    const ProcessMark reused = stopped_child();
    const ProcessMark gateway = stopped_child();
    std::filesystem::create_directory(own + "/" + gateway_folder_name(gateway));
    const ProcessMark stranger = stopped_child(parent_ + "/other");
    const ProcessMark elsewhere = stopped_child("/elsewhere/" + own.substr(parent_.size() + 1));
    record(own, engine, *mark_of(getpid()));
    record(own, {reused.pid, reused.start - 1}, *mark_of(getpid()));
    end_owner(own);
    EXPECT_TRUE(was_killed(zygote));
    EXPECT_TRUE(was_killed(engine));
    EXPECT_TRUE(was_killed(gateway));
    EXPECT_FALSE(was_killed(reused));
    EXPECT_FALSE(was_killed(stranger));
    EXPECT_FALSE(was_killed(elsewhere));
    EXPECT_FALSE(std::filesystem::exists(own));
    end_owner(own);  // no-op now
}

TEST_F(Leftovers, OfDeadOwnersEnd) {
    const std::string own = make_owner(true);
    const std::string dead = make_owner(false);
    const std::string rebooted = own.substr(0, own.rfind('.')) + ".00000000";
    std::filesystem::create_directory(rebooted);
    const std::string removed = parent_ + "/" + to_text({getpid(), 2}) + own.substr(own.rfind('.'));
    const ProcessMark kept = stopped_child(own);
    const ProcessMark kept_engine = stopped_child();
    const ProcessMark zygote = stopped_child(dead);
    const ProcessMark engine = stopped_child();
    const ProcessMark homeless = stopped_child(removed);
    record(own, kept_engine, *mark_of(getpid()));
    record(dead, engine, *mark_of(getpid()));
    const std::vector<std::string> others{"engines.sock", "x", "1.2", "1.2.3.4", "-1.2.3", "1-2"};
    for (const std::string& name : others) std::filesystem::create_directory(parent_ + "/" + name);
    const std::string old_living = parent_ + "/" + std::to_string(getpid());
    const std::string old_dead = parent_ + "/2147483600";  // no process has such an ID
    std::filesystem::create_directory(old_living);
    std::filesystem::create_directory(old_dead);
    end_dead_owners(parent_);
    for (const ProcessMark& each : {zygote, engine, homeless}) {
        siginfo_t info{};
        ASSERT_EQ(waitid(P_PID, static_cast<id_t>(each.pid), &info, WEXITED | WNOWAIT), 0);
        EXPECT_TRUE(was_killed(each));
    }
    EXPECT_FALSE(was_killed(kept));
    EXPECT_FALSE(was_killed(kept_engine));
    for (const std::string& folder : {own, old_living})
        EXPECT_TRUE(std::filesystem::exists(folder)) << folder;
    for (const std::string& folder : {dead, rebooted, old_dead})
        EXPECT_FALSE(std::filesystem::exists(folder)) << folder;
    for (const std::string& name : others)
        EXPECT_TRUE(std::filesystem::exists(parent_ + "/" + name)) << name;
}

TEST_F(Leftovers, AreReadFromTheNamesOfFolders) {
    const std::string own = make_owner(true);
    const std::string folder = record(own, {11, 22}, {33, 44});
    for (const char* name : {"1", "1.2", "1.2-", "-1.2", "1.2-3", "1.2-3.4-5", "left"})
        std::filesystem::create_directory(own + "/" + name);
    const std::vector<EngineRecord> records = engine_records(own);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].engine, (ProcessMark{11, 22}));
    EXPECT_EQ(records[0].backend, (ProcessMark{33, 44}));
    EXPECT_EQ(records[0].folder, folder);
    const std::string gateway = own + "/" + gateway_folder_name({55, 66});
    for (const std::string& name : {gateway, own + "/gateway-", own + "/gateway-1.2-3"})
        std::filesystem::create_directory(name);
    const std::vector<GatewayRecord> gateways = gateway_records(own);
    ASSERT_EQ(gateways.size(), 1U);
    EXPECT_EQ(gateways[0].gateway, (ProcessMark{55, 66}));
    EXPECT_EQ(gateways[0].folder, gateway);
    EXPECT_TRUE(engine_records(own + "/none").empty());
    EXPECT_TRUE(marked_processes(parent_ + "/none").empty());
}

}  // namespace
}  // namespace epe::engine
