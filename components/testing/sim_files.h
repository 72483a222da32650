#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/files.h"
#include "base/random.h"

namespace koi::testing {

// A disk in memory that loses, at a crash, what was not synced: of each unsynced write it keeps
// all, nothing or a part, as the random source says. Directory changes take effect at once but are
// lost by a crash unless the directory was synced.
class SimFiles final : public base::Files {
 public:
  explicit SimFiles(base::Random& random);
  ~SimFiles() override;

  base::Result<std::unique_ptr<base::File>> open(const base::Path& path,
                                                 const base::OpenOptions& options) override;
  base::Result<> make_directories(const base::Path& path, std::uint32_t mode) override;
  base::Result<> rename(const base::Path& source, const base::Path& target) override;
  base::Result<> remove(const base::Path& path) override;
  base::Result<> remove_tree(const base::Path& path) override;
  base::Result<bool> exists(const base::Path& path) override;
  base::Result<std::vector<std::string>> list(const base::Path& directory) override;
  base::Result<> sync_directory(const base::Path& directory) override;

  // The power fails: open files turn useless, the disk goes back to what was synced.
  void crash();
  // Every write from now on fails with "No space left on device" until set back.
  void set_full(bool full);

 private:
  struct Disk;
  friend class SimFile;
  std::shared_ptr<Disk> disk_;
};

}  // namespace koi::testing
