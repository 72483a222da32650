#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "agent/hollow.h"
#include "base/blocking_pool.h"
#include "crypto/key.h"
#include "datastore/log_store.h"
#include "datastore/sqlite_vfs.h"
#include "node/control_plane.h"
#include "simulation/switch_client.h"
#include "testing/sim_clock.h"
#include "testing/sim_files.h"
#include "testing/sim_random.h"

namespace koi::simulation {

// A whole cluster in one thread under simulated time: the API server, scheduler and controllers
// that ship, on a disk that loses what was not synced, and hollow nodes that live on while the
// server is down. One seed decides everything: the same seed gives the same run.
class SimCluster {
 public:
  SimCluster(std::uint64_t seed, int nodes);
  ~SimCluster();

  // Starts or restarts the server. The process is new; only the disk is what it was.
  void boot_server();
  // The power of the server fails: what was not synced is lost, calls under way fail.
  void crash_server();
  // Stops an agent and starts it anew on the same node: what runs goes on.
  void restart_agent(std::size_t node);

  // Runs until `done` holds, at most this much simulated time; returns whether it held.
  template <class Done>
  bool run_until(base::Duration horizon, Done done) {
    return testing::run_until(io_, clock_, horizon, done);
  }
  // Lets a little simulated time pass.
  void run_for(base::Duration duration);

  // A client with all rights, connected for as long as the server lives; unavailable otherwise.
  client::ApiClient& admin() { return admin_; }
  // What the store holds now under a resource; empty while the server is down.
  std::vector<api::ObjectPtr> objects(const client::Resource& resource) const;

  // Runs one call to its end.
  template <class T>
  base::Result<T> await(base::Task<base::Result<T>> call);

  testing::SimRandom& random() { return random_; }
  testing::SimClock& clock() { return clock_; }
  // Grows with everything that happens to the store and the nodes: equal runs have equal traces.
  std::uint64_t trace() const;

 private:
  struct Server;
  struct Node;
  void run_task(base::Task<> task);
  void connect(SwitchClient& client, auth::Identity identity);
  base::Task<> disconnect_all();

  boost::asio::io_context io_;
  testing::SimRandom random_;
  testing::SimClock clock_;
  testing::SimFiles files_;
  datastore::FilesVfs vfs_;
  crypto::PrivateKey signing_key_;
  SwitchClient admin_;
  std::unique_ptr<Server> server_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

template <class T>
base::Result<T> SimCluster::await(base::Task<base::Result<T>> call) {
  base::Result<T> result = base::fail(base::Code::timeout, "the call did not end");
  auto keep = [](base::Task<base::Result<T>> inner, base::Result<T>& into) -> base::Task<> {
    into = co_await std::move(inner);
  };
  run_task(keep(std::move(call), result));
  return result;
}

}  // namespace koi::simulation
