// The server of a Conversation. What it says follows from how it was made, from
// its random numbers, from what it was told and what was done with it. So what
// one said before is recalled where another one's story is the same, and a real
// one is made only when that goes on in a new way: it then goes through all of
// it. That is half of what a handshake costs.
#ifndef TLS_CLIENT_CERT_FUZZ_RECALLED_SERVER_H_
#define TLS_CLIENT_CERT_FUZZ_RECALLED_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bytes.h"
#include "memory_server.h"

namespace tls_client_cert::fuzz {

class RecalledServer {
 public:
  using Make = std::function<std::unique_ptr<test::MemoryServer>()>;
  using OnKeyLine = std::function<void(const std::string&)>;
  using Action = std::function<void(test::MemoryServer&)>;

  // `circumstances`: all that `make` depends on. `on_key_line` gets what
  // SSL_CTX_set_keylog_callback(3) would.
  RecalledServer(BytesView circumstances, uint64_t seed, Make make,
                 OnKeyLine on_key_line);
  ~RecalledServer();
  RecalledServer(const RecalledServer&) = delete;
  RecalledServer& operator=(const RecalledServer&) = delete;

  // What it says to it.
  Bytes Tell(BytesView ciphertext);
  // What it says when that is done. `name`: all that `action` depends on.
  Bytes Do(BytesView name, Action action);

 private:
  struct Reply {
    Bytes said;
    std::vector<std::string> key_lines;
  };
  static void KeyLine(const SSL* ssl, const char* line);
  static bool Recall(const Bytes& digest, Reply* reply);
  static void Remember(const Bytes& digest, const Reply& reply);

  void Materialize();
  Reply Try(const Action& action);
  Bytes GoOn(uint8_t kind, BytesView name, Action action);

  Make make_;
  OnKeyLine on_key_line_;
  uint64_t random_state_;
  Bytes digest_;                 // of the circumstances, and of its story
  std::vector<Action> earlier_;  // while there is no real one
  std::unique_ptr<test::MemoryServer> server_;
  Reply* hearing_ = nullptr;
};

}  // namespace tls_client_cert::fuzz

#endif  // TLS_CLIENT_CERT_FUZZ_RECALLED_SERVER_H_
