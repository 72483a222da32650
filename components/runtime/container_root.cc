#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "linux/copy_tree.h"
#include "linux/mounts.h"
#include "runtime/container_init.h"
#include "runtime/mount_options.h"

// A container's file system. Bind sources are opened and the root is mounted while the host is
// still in view; everything else is attached after pivot_root, when no path, link or race inside
// the image can reach the host any more.
namespace koi::runtime {

using base::Code;
using base::fail;
using base::Result;
using linux::UniqueFd;

namespace {

struct OpenBind {
  UniqueFd mount;
  bool is_directory = true;
};

Result<UniqueFd> open_source(const MountSpec& mount) {
  auto source = linux::open_file(mount.source, O_PATH);
  if (!source || mount.sub_path.empty()) return source;
  constexpr unsigned long long inside = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  auto below = linux::open_at(source->get(), mount.sub_path, O_PATH, inside);
  if (below || below.error().code != Code::not_found) return below;
  // A missing sub path becomes a directory; the parts are made inside the volume only.
  auto made = linux::make_path_in_root(source->get(), mount.sub_path, false, 0750);
  if (!made) return made;
  return linux::open_at(source->get(), mount.sub_path, O_PATH, inside);
}

Result<OpenBind> open_bind(const MountSpec& mount, const MountOptions& options) {
  auto source = open_source(mount);
  if (!source) {
    // Whatever the path, it is the pod that named it.
    base::Error error = std::move(source).error();
    error.code = Code::invalid;
    return fail(std::move(error).during("mount '" + mount.destination + "'"));
  }
  struct stat info{};
  if (::fstat(source->get(), &info) != 0) return linux::fail_errno("stat", mount.source);
  auto clone = linux::clone_mount(source->get(), options.recursive);
  if (!clone) {
    return fail(std::move(clone).error().during("mount '" + mount.source + "'"));
  }
  linux::MountAttributes attributes;
  attributes.set = options.set;
  attributes.clear = options.clear;
  auto done = linux::set_mount_attributes(clone->get(), attributes);
  if (done) {
    linux::MountAttributes propagation;
    propagation.propagation = options.propagation == 0 ? MS_PRIVATE : options.propagation;
    propagation.recursive = options.recursive;
    done = linux::set_mount_attributes(clone->get(), propagation);
  }
  if (!done) return fail(std::move(done).error().during("mount '" + mount.source + "'"));
  return OpenBind{std::move(*clone), S_ISDIR(info.st_mode)};
}

// Sources whose mounts must appear on the host are taken from the host's own namespace.
Result<std::vector<OpenBind>> open_binds(const LaunchPlan& plan) {
  std::vector<OpenBind> binds(plan.spec.mounts.size());
  for (const bool from_host : {true, false}) {
    UniqueFd own;
    for (std::size_t i = 0; i < binds.size(); ++i) {
      const MountSpec& mount = plan.spec.mounts[i];
      const MountOptions options = parse_mount_options(mount.options);
      const bool elsewhere = mount.from_host && plan.host_mount_namespace >= 0;
      if (!(options.bind || mount.type == "bind") || elsewhere != from_host) continue;
      if (from_host && !own) {
        auto opened = linux::open_file("/proc/self/ns/mnt", O_RDONLY);
        if (!opened) return fail(std::move(opened).error());
        own = std::move(*opened);
        if (::setns(plan.host_mount_namespace, CLONE_NEWNS) != 0) {
          return linux::fail_errno("enter the host's mounts");
        }
      }
      auto bind = open_bind(mount, options);
      if (!bind) return fail(std::move(bind).error());
      binds[i] = std::move(*bind);
    }
    if (own && ::setns(own.get(), CLONE_NEWNS) != 0) return linux::fail_errno("return from host");
  }
  return binds;
}

// Where the kernel refuses an overlay (a state directory that is itself one, say) the container
// gets a copy: slow and large, but it runs.
Result<> copy_root(const LaunchPlan& plan) {
  auto upper = linux::open_file(plan.image.upper, O_RDONLY | O_DIRECTORY);
  if (!upper) return fail(std::move(upper).error());
  for (auto layer = plan.image.layers.rbegin(); layer != plan.image.layers.rend(); ++layer) {
    auto from = linux::open_file(*layer, O_RDONLY | O_DIRECTORY);
    if (!from) return fail(std::move(from).error());
    if (auto copied = linux::copy_layer(from->get(), upper->get()); !copied) return copied;
  }
  auto clone = linux::clone_mount(upper->get(), false);
  if (!clone) return fail(std::move(clone).error());
  auto target = linux::open_file(plan.image.mount_point, O_PATH | O_DIRECTORY);
  if (!target) return fail(std::move(target).error());
  return linux::attach_mount(clone->get(), target->get());
}

Result<> mount_root(const LaunchPlan& plan) {
  if (plan.image.layers.empty()) {
    auto source = linux::open_file(plan.spec.root_path, O_PATH | O_DIRECTORY);
    if (!source) return fail(std::move(source).error());
    auto clone = linux::clone_mount(source->get(), true);
    if (!clone) return fail(std::move(clone).error());
    linux::MountAttributes attributes;
    attributes.propagation = MS_PRIVATE;
    attributes.recursive = true;
    if (auto done = linux::set_mount_attributes(clone->get(), attributes); !done) return done;
    return linux::attach_mount(clone->get(), source->get());
  }
  auto mounted = linux::mount_overlay({plan.image.layers, plan.image.upper, plan.image.work},
                                      plan.image.mount_point);
  return mounted ? mounted : copy_root(plan);
}

bool on_proc(int fd) {
  struct statfs info{};
  return ::fstatfs(fd, &info) == 0 && info.f_type == PROC_SUPER_MAGIC;
}

// Kernel file systems go on real directories only: a link in the image must not move them.
Result<UniqueFd> kernel_mount_point(int root, const std::string& destination) {
  auto target = linux::make_path_in_root(root, destination, false);
  if (!target) return target;
  constexpr unsigned long long no_links = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS;
  return linux::open_at(root, destination, O_PATH | O_DIRECTORY, no_links);
}

Result<UniqueFd> make_cgroup_mount(const linux::CgroupTree& tree, int root, const MountSpec& mount,
                                   const MountOptions& options) {
  const linux::CgroupHierarchy* memory = tree.with("memory");
  if (memory == nullptr || memory->v2) {
    return linux::make_mount("cgroup2", "cgroup", {}, options.set);
  }
  auto top = linux::make_mount("tmpfs", "tmpfs", {"mode=755"},
                               options.set & ~std::uint64_t{MOUNT_ATTR_RDONLY});
  if (!top) return top;
  auto target = linux::make_path_in_root(root, mount.destination, false);
  if (!target) return target;
  if (auto done = linux::attach_mount(top->get(), target->get()); !done) return fail(done.error());
  for (const linux::CgroupHierarchy& hierarchy : tree.hierarchies) {
    if (hierarchy.v2 || hierarchy.controllers.empty()) continue;
    std::vector<std::string> controllers = hierarchy.controllers;
    std::string name;
    for (const std::string& each : controllers) name += (name.empty() ? "" : ",") + each;
    auto point = linux::make_path_in_root(root, mount.destination + "/" + name, false);
    if (!point) return point;
    auto group = linux::make_mount("cgroup", "cgroup", controllers, options.set);
    if (!group) continue;  // a controller that the machine mounted otherwise is left out
    if (auto done = linux::attach_mount(group->get(), point->get()); !done) {
      return fail(done.error());
    }
    if (controllers.size() == 1) continue;
    for (const std::string& each : controllers) {
      const std::string link = mount.destination + "/" + each;
      (void)::symlink(name.c_str(), link.c_str());
    }
  }
  return UniqueFd();
}

Result<> mount_file_system(const linux::CgroupTree& tree, int root, const MountSpec& mount) {
  const MountOptions options = parse_mount_options(mount.options);
  if (mount.type == "cgroup" || mount.type == "cgroup2") {
    auto made = make_cgroup_mount(tree, root, mount, options);
    if (!made) return fail(std::move(made).error());
    if (!*made) return {};
    auto target = linux::make_path_in_root(root, mount.destination, false);
    if (!target) return fail(std::move(target).error());
    return linux::attach_mount(made->get(), target->get());
  }
  const bool kernels_own = mount.type == "proc" || mount.type == "sysfs";
  auto target = kernels_own ? kernel_mount_point(root, mount.destination)
                            : linux::make_path_in_root(root, mount.destination, false);
  if (!target) return fail(std::move(target).error());
  auto made = linux::make_mount(mount.type, mount.source, options.data, options.set);
  if (!made) return fail(std::move(made).error());
  if (options.copy_up) {
    const UniqueFd image(::openat(target->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!image) return linux::fail_errno("open", mount.destination);
    if (auto copied = linux::copy_layer(image.get(), made->get()); !copied) return copied;
  }
  return linux::attach_mount(made->get(), target->get());
}

Result<> attach_bind(int root, const MountSpec& mount, const OpenBind& bind) {
  auto target = linux::make_path_in_root(root, mount.destination, !bind.is_directory);
  if (target && on_proc(target->get())) {
    return fail(Code::invalid, "'" + mount.destination + "' is inside /proc");
  }
  auto done = target ? linux::attach_mount(bind.mount.get(), target->get())
                     : Result<>(fail(target.error()));
  if (done) return done;
  base::Error error = std::move(done).error();
  error.code = Code::invalid;
  return fail(std::move(error).during("mount on '" + mount.destination + "'"));
}

Result<> make_device(int root, const DeviceSpec& device) {
  const mode_t type = device.type == 'b' ? S_IFBLK : S_IFCHR;
  const std::string& path = device.path;
  if (::mknod(path.c_str(), type | device.mode, makedev(device.major, device.minor)) == 0) {
    ::chmod(path.c_str(), device.mode);
    if (device.uid != 0 || device.gid != 0) (void)::chown(path.c_str(), device.uid, device.gid);
    return {};
  }
  if (errno == EEXIST) return {};
  if (errno == ENOENT) {
    auto made = linux::make_path_in_root(root, Path(path).parent_path().native(), false);
    if (!made) return fail(std::move(made).error());
    if (::mknod(path.c_str(), type | device.mode, makedev(device.major, device.minor)) == 0) {
      return {};
    }
  }
  return linux::fail_errno("make device", path);
}

Result<> fill_dev(int root, const Spec& spec) {
  const auto dev = std::find_if(spec.mounts.begin(), spec.mounts.end(), [](const MountSpec& mount) {
    return mount.destination == "/dev" && mount.type == "tmpfs";
  });
  if (dev != spec.mounts.end()) {
    const mode_t before = ::umask(0);
    const DeviceSpec standard[] = {{"/dev/null", 'c', 1, 3},    {"/dev/zero", 'c', 1, 5},
                                   {"/dev/full", 'c', 1, 7},    {"/dev/random", 'c', 1, 8},
                                   {"/dev/urandom", 'c', 1, 9}, {"/dev/tty", 'c', 5, 0}};
    for (const DeviceSpec& device : standard) {
      if (auto made = make_device(root, device); !made) return made;
    }
    (void)::symlink("/proc/self/fd", "/dev/fd");
    (void)::symlink("/proc/self/fd/0", "/dev/stdin");
    (void)::symlink("/proc/self/fd/1", "/dev/stdout");
    (void)::symlink("/proc/self/fd/2", "/dev/stderr");
    (void)::symlink("/proc/kcore", "/dev/core");
    (void)::symlink("pts/ptmx", "/dev/ptmx");
    ::umask(before);
  }
  for (const DeviceSpec& device : spec.devices) {
    if (auto made = make_device(root, device); !made) return made;
  }
  return {};
}

Result<> hide(int root, const std::vector<std::string>& paths) {
  UniqueFd empty;  // one empty directory serves for all
  for (const std::string& path : paths) {
    auto target = linux::open_at(root, path, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    if (!target) continue;
    struct stat info{};
    if (::fstat(target->get(), &info) != 0) continue;
    Result<UniqueFd> cover = UniqueFd();
    if (!S_ISDIR(info.st_mode)) {
      auto null = linux::open_file("/dev/null", O_PATH);
      if (!null) return fail(std::move(null).error());
      cover = linux::clone_mount(null->get(), false);
    } else if (empty) {
      cover = linux::clone_mount(empty.get(), false);
    } else {
      cover = linux::make_mount("tmpfs", "tmpfs", {"size=0k"}, MOUNT_ATTR_RDONLY);
    }
    if (!cover) return fail(std::move(cover).error().during("hide '" + path + "'"));
    if (auto done = linux::attach_mount(cover->get(), target->get()); !done) {
      return fail(std::move(done).error().during("hide '" + path + "'"));
    }
    if (S_ISDIR(info.st_mode) && !empty) empty = std::move(*cover);
  }
  return {};
}

Result<> protect(int root, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    auto target = linux::open_at(root, path, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    if (!target) continue;
    auto clone = linux::clone_mount(target->get(), true);
    if (!clone) return fail(std::move(clone).error().during("protect '" + path + "'"));
    linux::MountAttributes attributes;
    attributes.set = MOUNT_ATTR_RDONLY;
    attributes.recursive = true;
    auto done = linux::set_mount_attributes(clone->get(), attributes);
    if (done) done = linux::attach_mount(clone->get(), target->get());
    if (!done) return fail(std::move(done).error().during("protect '" + path + "'"));
  }
  return {};
}

Result<> set_sysctls(const Spec& spec) {
  for (const auto& [name, value] : spec.sysctl) {
    std::string path = name;
    std::replace(path.begin(), path.end(), '.', '/');
    if (path.find("..") != std::string::npos) {
      return fail(Code::invalid, "sysctl '" + name + "' is damaged");
    }
    if (auto done = linux::write_file("/proc/sys/" + path, value); !done) return done;
  }
  return {};
}

Result<> fill_root(const linux::CgroupTree& tree, const LaunchPlan& plan,
                   const std::vector<OpenBind>& binds) {
  auto root = linux::open_file("/", O_PATH | O_DIRECTORY);
  if (!root) return fail(std::move(root).error());
  bool devices_made = false;
  for (std::size_t i = 0; i < binds.size(); ++i) {
    const MountSpec& mount = plan.spec.mounts[i];
    auto done = binds[i].mount ? attach_bind(root->get(), mount, binds[i])
                               : mount_file_system(tree, root->get(), mount);
    if (!done) return fail(std::move(done).error().during("mount '" + mount.destination + "'"));
    if (mount.destination == "/dev" && !devices_made) {
      devices_made = true;
      if (done = fill_dev(root->get(), plan.spec); !done) return done;
    }
  }
  if (!devices_made) {
    if (auto done = fill_dev(root->get(), plan.spec); !done) return done;
  }
  if (auto done = set_sysctls(plan.spec); !done) return done;
  if (auto done = protect(root->get(), plan.spec.read_only_paths); !done) return done;
  if (auto done = hide(root->get(), plan.spec.masked_paths); !done) return done;
  if (!plan.spec.root_read_only) return {};
  linux::MountAttributes attributes;
  attributes.set = MOUNT_ATTR_RDONLY;
  return linux::set_mount_attributes(root->get(), attributes);
}

}  // namespace

Result<> enter_root(const linux::CgroupTree& tree, const LaunchPlan& plan) {
  auto binds = open_binds(plan);
  if (!binds) return fail(std::move(binds).error());
  if (auto done = linux::set_propagation("/", MS_SLAVE | MS_REC); !done) return done;
  if (auto done = mount_root(plan); !done) {
    return fail(std::move(done).error().during("mount root"));
  }
  const Path root = plan.image.layers.empty() ? Path(plan.spec.root_path) : plan.image.mount_point;
  if (auto done = linux::change_root(root); !done) return done;
  if (auto done = fill_root(tree, plan, *binds); !done) return done;
  const NamespaceSpec* uts = plan.spec.find_namespace("uts");
  const std::string& hostname = plan.spec.hostname;
  if (uts != nullptr && uts->path.empty() && !hostname.empty()) {
    if (::sethostname(hostname.c_str(), hostname.size()) != 0) return linux::fail_errno("hostname");
  }
  return {};
}

}  // namespace koi::runtime
