#pragma once

#include "base/random.h"
#include "base/task.h"
#include "base/time.h"
#include "client/api_client.h"
#include "client/informer_factory.h"

namespace koi::controllers {

// What every controller works with. All of it outlives the controller; one executor.
struct Context {
  client::ApiClient& client;
  base::Clock& clock;
  base::Random& random;
  client::InformerFactory& informers;
  base::TaskGroup& tasks;  // its stop() ends the controller's tasks
};

// One control loop. Registers with its informers when made; works once started.
class Controller {
 public:
  virtual ~Controller() = default;
  virtual void start() = 0;
};

}  // namespace koi::controllers
