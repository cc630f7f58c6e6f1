// Decides where a ledger lives: in place on a local disk, otherwise in the node's scratch.
#include "kilobragg/core/error.hpp"
#include "kilobragg/core/hash.hpp"
#include "kilobragg/report/live_ledger.hpp"

#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

namespace kilobragg::report {
namespace {

namespace fs = std::filesystem;

/// f_type of file systems that one machine alone writes (statfs(2), linux/magic.h).
constexpr std::array<std::uint32_t, 12> local_types{
    0xEF53,     // ext2, ext3, ext4
    0x58465342, // xfs
    0x9123683E, // btrfs
    0x2FC12FC1, // zfs
    0xF2F52010, // f2fs
    0xCA451A4E, // bcachefs
    0x01021994, // tmpfs
    0x858458F6, // ramfs
    0x794C7630, // overlay, whose upper layer is a local disk
    0x52654973, // reiserfs
    0x3153464A, // jfs
    0x01021997, // 9p, as sandboxes use it
};

std::string scratch_folder(const MachineView& machine) {
  if (machine.scratch) return *machine.scratch;
  const auto is_local = machine.is_local ? machine.is_local : is_local_disk;
  const std::array<const char*, 3> folders{std::getenv("SLURM_TMPDIR"), std::getenv("TMPDIR"),
                                           "/tmp"};
  for (const char* folder : folders)
    if (folder != nullptr && ::access(folder, W_OK | X_OK) == 0 && is_local(folder)) return folder;
  core::fail(
      "there is no local folder for the run ledger (neither $SLURM_TMPDIR, $TMPDIR nor /tmp is "
      "a disk of this node that can be written) set TMPDIR to one?");
}

} // namespace

bool is_local_disk(const std::string& folder) {
  struct statfs status {};
  if (::statfs(folder.c_str(), &status) != 0) return false;
  const auto type = static_cast<std::uint32_t>(status.f_type);
  return std::find(local_types.begin(), local_types.end(), type) != local_types.end();
}

LedgerPlace place_ledger(const std::string& output_dir, const MachineView& machine) {
  std::error_code error;
  const fs::path folder = fs::canonical(output_dir, error);
  core::require(!error, "cannot use the folder {} ({})", output_dir, error.message());
  LedgerPlace place;
  place.published = (folder / ledger_name).string();
  const auto is_local = machine.is_local ? machine.is_local : is_local_disk;
  if (is_local(folder.string())) {
    place.live = place.published;
  } else {
    const std::string name = fmt::format("kilobragg-{}-{}-{}", ::getuid(),
                                         core::md5_hex(folder.string()).substr(0, 12), ledger_name);
    place.live = (fs::path(scratch_folder(machine)) / name).string();
  }
  return place;
}

void remove_ledger(const std::string& path) {
  std::error_code ignored;
  for (const char* ending : {"", "-wal", "-shm", "-journal"}) fs::remove(path + ending, ignored);
}

RunLedger open_ledger(const LedgerPlace& place) {
  if (!place.in_place()) {
    remove_ledger(place.live);
    if (fs::exists(place.published)) {
      std::error_code error;
      fs::copy_file(place.published, place.live, error);
      core::require(!error, "cannot copy {} to {} ({})", place.published, place.live,
                    error.message());
    }
  }
  return RunLedger(place.live);
}

} // namespace kilobragg::report
