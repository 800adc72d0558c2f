// What this addon keeps for one Node environment (a thread's worth of Node).
#ifndef TLS_CLIENT_CERT_BINDING_ENVIRONMENT_H_
#define TLS_CLIENT_CERT_BINDING_ENVIRONMENT_H_

#include <napi.h>

#include <memory>

#include "../openssl/bytes.h"
#include "poll_handles.h"

namespace tls_client_cert {

// How many native objects of each class are alive, for leak tests.
struct LiveCounts {
  int trust_stores = 0;
  int contexts = 0;
  int credentials = 0;
  int connections = 0;
  int store_keys = 0;
  int socket_transports = 0;
};

// Storage that passes from one connection's queue to the next: only what is
// left over at the end of an operation gets memory of its own.
struct SpareStorage {
  Storage incoming{64 * 1024};
  Storage outgoing{160 * 1024};
};

class Environment {
 public:
  static Environment* Get(Napi::Env env) {
    return env.GetInstanceData<Environment>();
  }

  // Shared, because Node-API does not say whether it deletes this before or
  // after it finalizes the objects that count themselves here.
  const std::shared_ptr<LiveCounts> live = std::make_shared<LiveCounts>();

  // Set when the environment goes, before its objects are finalized: from then
  // on nothing can be given to the thread pool. Shared for the same reason.
  const std::shared_ptr<bool> closing = std::make_shared<bool>(false);

  // Likewise.
  const std::shared_ptr<SpareStorage> spare = std::make_shared<SpareStorage>();
  const std::shared_ptr<PollHandles> poll_handles =
      std::make_shared<PollHandles>();

  Napi::FunctionReference store_key_class;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_BINDING_ENVIRONMENT_H_
