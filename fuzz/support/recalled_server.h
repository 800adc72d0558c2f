// The server of a Conversation. What it says follows from how it was made, from
// its random numbers and from what it was told. So what one said before is
// recalled where another is told the same, and a real one is made only when it
// hears something new: it is then told what went before. That is half of what a
// handshake costs.
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

  // `circumstances`: all that `make` depends on. `on_key_line` gets what
  // SSL_CTX_set_keylog_callback(3) would.
  RecalledServer(BytesView circumstances, uint64_t seed, Make make,
                 OnKeyLine on_key_line);
  ~RecalledServer();
  RecalledServer(const RecalledServer&) = delete;
  RecalledServer& operator=(const RecalledServer&) = delete;

  // What it says to it.
  Bytes Tell(BytesView ciphertext);
  // What it has said since, of what was done with real().
  Bytes Take();
  // From here on there is nothing to recall.
  test::MemoryServer& real();

 private:
  struct Reply {
    Bytes said;
    std::vector<std::string> key_lines;
  };
  static void KeyLine(const SSL* ssl, const char* line);
  static bool Recall(const Bytes& digest, Reply* reply);
  static void Remember(const Bytes& digest, const Reply& reply);

  void Materialize();
  Reply Hear(BytesView ciphertext);

  Make make_;
  OnKeyLine on_key_line_;
  uint64_t random_state_;
  Bytes digest_;             // of the circumstances, and of what it was told
  std::vector<Bytes> told_;  // while there is no real one
  std::unique_ptr<test::MemoryServer> server_;
  Reply* hearing_ = nullptr;
  bool is_new_ = true;  // nothing was done with it but what it was told
};

}  // namespace tls_client_cert::fuzz

#endif  // TLS_CLIENT_CERT_FUZZ_RECALLED_SERVER_H_
