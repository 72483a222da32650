#include <sys/random.h>

#include <cerrno>

#include "base/check.h"
#include "base/os.h"

namespace koi::base {

namespace {

class OsRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> bytes) override {
    std::size_t filled = 0;
    while (filled < bytes.size()) {
      const ssize_t count = getrandom(bytes.data() + filled, bytes.size() - filled, 0);
      CHECK_THAT(count >= 0 || errno == EINTR, "getrandom failed");
      if (count > 0) filled += static_cast<std::size_t>(count);
    }
  }
};

}  // namespace

std::unique_ptr<Random> make_os_random() { return std::make_unique<OsRandom>(); }

}  // namespace koi::base
