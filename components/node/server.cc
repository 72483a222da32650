#include "node/server.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>

#include "base/log.h"
#include "base/os.h"
#include "base/version.h"
#include "crypto/bootstrap.h"
#include "datastore/log_store.h"
#include "datastore/sqlite_log.h"
#include "http/server.h"
#include "http/socket_stream.h"
#include "node/control_plane.h"
#include "node/credentials.h"
#include "node/data_lock.h"
#include "node/local_node.h"
#include "node/node_address.h"
#include "node/pki.h"
#include "node/server_paths.h"
#include "node/service_notify.h"

namespace koi::node {

namespace {

using base::Result;
using base::Task;

constexpr auto request_grace = std::chrono::seconds(5);

// Everything that one server is made of, in the order in which it starts.
class ServerProcess {
 public:
  ServerProcess(boost::asio::io_context& io, ServerOptions options, std::string notify_socket)
      : io_(io),
        options_(std::move(options)),
        notify_socket_(std::move(notify_socket)),
        paths_(options_.data_dir),
        disk_("koi-disk", 1) {}

  // 1 lock  2 keys and token  3 datastore  4 control plane  5 API port  6 kubeconfig  7 node.
  // Each step finds what an interrupted start left and goes on from there.
  Task<Result<>> start() {
    auto lock = DataLock::take(paths_);
    if (!lock) co_return base::fail(std::move(lock).error());
    lock_.emplace(std::move(*lock));
    if (auto done = make_credentials(); !done) co_return done;
    if (auto done = open_store(); !done) co_return done;
    auto listener = bind();
    if (!listener) co_return base::fail(std::move(listener).error());
    if (auto done = make_control_plane(); !done) co_return done;
    if (auto done = co_await control_plane_->start(); !done) co_return done;
    if (auto done = serve(std::move(*listener)); !done) co_return done;
    if (auto done = write_kubeconfig(); !done) co_return done;
    base::log::info("server.ready", {{"version", base::kubernetes_version},
                                     {"address", server_url()},
                                     {"kubeconfig", options_.write_kubeconfig.string()}});
    if (!options_.disable_agent) {
      if (auto done = co_await start_node(); !done) co_return done;
    }
    notify_service_manager(notify_socket_, "READY=1");
    co_return Result<>();
  }

  // In reverse; after a start that failed too. Pods go on.
  Task<> stop() {
    notify_service_manager(notify_socket_, "STOPPING=1");
    if (node_) co_await node_->stop();
    if (http_) co_await http_->stop(request_grace);
    if (control_plane_) co_await control_plane_->stop();
    if (store_) co_await store_->stop();
    base::log::info("server.stopped");
  }

 private:
  Result<> make_credentials() {
    if (options_.node_ip.empty()) {
      auto address = find_node_address();
      if (!address) return base::fail(std::move(address).error());
      options_.node_ip = *address;
    }
    PkiOptions pki_options{.node_name = options_.node_name,
                           .dns_names = {},
                           .ip_addresses = {options_.node_ip, first_service_address()}};
    for (const std::string& name : options_.tls_san) {
      const bool is_ip = name.find_first_not_of("0123456789.:abcdefABCDEF") == name.npos;
      (is_ip ? pki_options.ip_addresses : pki_options.dns_names).push_back(name);
    }
    auto pki = ensure_pki(*files_, *clock_, *random_, paths_, pki_options);
    if (!pki) return base::fail(std::move(pki).error());
    pki_.emplace(std::move(*pki));
    auto token = ensure_token(*files_, *random_, paths_.token(), options_.token);
    return token ? Result<>() : Result<>(base::fail(std::move(token).error()));
  }

  Result<> open_store() {
    if (auto made = files_->make_directories(paths_.datastore(), 0700); !made) return made;
    auto log = datastore::open_sqlite_log(paths_.datastore(), "");
    if (!log) return base::fail(std::move(log).error());
    log_ = std::move(*log);
    store_ = std::make_unique<datastore::LogStore>(
        datastore::LogStore::Doors{*clock_, io_.get_executor(), *log_, disk_});
    if (auto opened = store_->open(); !opened) {
      store_.reset();
      return base::fail(std::move(opened).error().during("open datastore"));
    }
    store_->start();
    return {};
  }

  Result<std::unique_ptr<http::Listener>> bind() {
    http::ListenOptions listen;
    listen.address = options_.bind_address;
    listen.port = options_.https_listen_port;
    auto listener = http::listen_tcp(io_.get_executor(), listen);
    if (listener) return listener;
    return base::fail(std::move(listener).error().during(
        "listen on " + options_.bind_address + ":" + std::to_string(options_.https_listen_port)));
  }

  Result<> make_control_plane() {
    if (!options_.disable_agent) {
      node_ = std::make_unique<LocalNode>(
          LocalNode::Doors{io_.get_executor(), *clock_, *random_, *files_},
          LocalNodeOptions{.data_dir = options_.data_dir,
                           .node_name = options_.node_name,
                           .node_ip = options_.node_ip,
                           .cluster_cidr = options_.cluster_cidr,
                           .control_plane = true});
    }
    ControlPlaneOptions plane_options;
    plane_options.service_cidr = options_.service_cidr;
    plane_options.cluster_cidr = options_.cluster_cidr;
    plane_options.advertise_address = options_.node_ip;
    plane_options.advertise_port = options_.https_listen_port;
    plane_options.server_ca_pem = pki_->server_ca.certificate;
    auto control_plane =
        ControlPlane::create({io_.get_executor(), *store_, *clock_, *random_, node_.get()},
                             pki_->service_account_key, plane_options);
    if (!control_plane) return base::fail(std::move(control_plane).error());
    control_plane_ = std::move(*control_plane);
    return {};
  }

  Result<> serve(std::unique_ptr<http::Listener> listener) {
    http::ServerTls tls;
    tls.certificate_chain_pem = pki_->serving.certificate;
    tls.key_pem = pki_->serving.key;
    tls.client_ca_pem = pki_->client_ca.certificate;
    auto context = http::TlsServerContext::make(*clock_, tls);
    if (!context) return base::fail(std::move(context).error());
    http_ = std::make_unique<http::Server>(*clock_, control_plane_->handler(),
                                           std::vector<base::Executor>{io_.get_executor()});
    http_->listen(std::move(listener), std::move(*context));
    return {};
  }

  Result<> write_kubeconfig() {
    const base::Path& path = options_.write_kubeconfig;
    if (auto made = files_->make_directories(path.parent_path(), 0755); !made) return made;
    return files_->write_atomically(path, render_kubeconfig(*pki_, server_url()),
                                    options_.write_kubeconfig_mode);
  }

  Task<Result<>> start_node() {
    node_client_ = control_plane_->client(ControlPlane::node_identity(options_.node_name));
    co_return co_await node_->start(*node_client_);
  }

  std::string server_url() const {
    const bool any = options_.bind_address == "0.0.0.0" || options_.bind_address == "::";
    const std::string host = any ? "127.0.0.1" : options_.bind_address;
    const std::string shown = host.find(':') == host.npos ? host : "[" + host + "]";
    return "https://" + shown + ":" + std::to_string(options_.https_listen_port);
  }

  // "10.43.0.0/16" -> "10.43.0.1": what pods call the API server by.
  std::string first_service_address() const {
    const std::string& cidr = options_.service_cidr;
    const auto slash = cidr.find('/');
    const auto dot = cidr.rfind('.', slash);
    const int last = std::atoi(cidr.substr(dot + 1, slash - dot - 1).c_str());
    return cidr.substr(0, dot + 1) + std::to_string(last + 1);
  }

  boost::asio::io_context& io_;
  ServerOptions options_;
  std::string notify_socket_;
  ServerPaths paths_;
  std::unique_ptr<base::Clock> clock_ = base::make_os_clock();
  std::unique_ptr<base::Random> random_ = base::make_os_random();
  std::unique_ptr<base::Files> files_ = base::make_os_files();
  base::BlockingPool disk_;
  std::optional<DataLock> lock_;
  std::optional<Pki> pki_;
  std::unique_ptr<datastore::RevisionLog> log_;
  std::unique_ptr<datastore::LogStore> store_;
  std::unique_ptr<LocalNode> node_;
  std::unique_ptr<ControlPlane> control_plane_;
  std::unique_ptr<http::Server> http_;
  std::unique_ptr<client::ApiClient> node_client_;
};

Task<> serve_until_signal(ServerProcess& process, boost::asio::signal_set& signals, int& code) {
  auto started = co_await process.start();
  if (started) {
    const int signal = co_await signals.async_wait(boost::asio::use_awaitable);
    base::log::info("server.stopping", {{"signal", signal}});
  } else {
    std::fprintf(stderr, "koi server: %s\n", started.error().message.c_str());
    code = 1;
  }
  co_await process.stop();
  signals.cancel();
}

// One arena: the heap is used by one busy thread, and every further one would hold memory back.
void tune_process() {
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

}  // namespace

int run_server(const ServerOptions& options) {
  base::log::configure(options.log_level, options.log_format);
  if (::geteuid() != 0 && !options.disable_agent) {
    std::fputs("koi server: running pods needs root; start it as root, or with --disable-agent\n",
               stderr);
    return 1;
  }
  tune_process();
  const char* notify = std::getenv("NOTIFY_SOCKET");
  boost::asio::io_context io(1);
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  ServerProcess process(io, options, notify != nullptr ? notify : "");
  int code = 0;
  base::TaskGroup tasks(io.get_executor());
  tasks.spawn("server", serve_until_signal(process, signals, code));
  io.run();
  return code;
}

}  // namespace koi::node
