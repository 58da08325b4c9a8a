// Finds and ends processes of supervisors that no longer exist.
//
// An owner, the engine launcher or a backend, starts supervisors one after the other. All of them
// work in the owner's folder, whose name contains the owner and the boot of the machine. Two marks
// show which processes belong to a folder, even after their supervisor has died:
//
// - Supervisors, zygotes and their forks have the folder in their initial environment
// (kFolderVariable). They run no user's code, so /proc/PID/environ is reliable.
// - An engine could overwrite that. So its supervisor creates a folder for it before it runs, whose
// name contains the engine and the backend it works for. Engines cannot rename or remove it.
// - A gateway, whose memory and environment are closed to other processes of the same user, has
// such a folder as well.
//
// Processes are signalled through pidfds, opened before their identity is checked, so that the
// reuse of process IDs does no harm.
#pragma once

#include <string>
#include <vector>

#include "engine/common/process_mark.h"

namespace epe::engine {

/// Variable of the environment that holds the owner's folder.
inline constexpr const char* kFolderVariable = "OML_EPE_FOLDER";

/// Folder below `parent` for the supervisors of this process.
std::string owner_folder(const std::string& parent);

/// Name of an engine's folder inside its owner's.
std::string engine_folder_name(const ProcessMark& engine, const ProcessMark& backend);

/// An engine as named by its folder.
struct EngineRecord {
    ProcessMark engine{};
    ProcessMark backend{};
    std::string folder{};
};
std::vector<EngineRecord> engine_records(const std::string& folder);

/// The same for gateways.
std::string gateway_folder_name(const ProcessMark& gateway);
struct GatewayRecord {
    ProcessMark gateway{};
    std::string folder{};
};
std::vector<GatewayRecord> gateway_records(const std::string& folder);

/// A process that has an owner's folder in its environment.
struct MarkedProcess {
    ProcessMark mark{};
    Descriptor process{};
    std::string folder{};  ///< of its owner
    std::string name{};    ///< name in the kernel, which a process sets itself
};
/// All marked processes below `parent`, but for this one.
std::vector<MarkedProcess> marked_processes(const std::string& parent);

/// Kills every process of the owner's folder except this one, waits up to a second for their end,
/// and removes the folder.
void end_owner(const std::string& folder);
/// Does so for all owners below `parent` that have ended.
void end_dead_owners(const std::string& parent);

/// Does not fail: files that cannot be removed stay.
void remove_folder(const std::string& folder) noexcept;

}  // namespace epe::engine
