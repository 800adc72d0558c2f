// A Connection and its peer, and the wire between them.
#ifndef TLS_CLIENT_CERT_TEST_PAIR_H_
#define TLS_CLIENT_CERT_TEST_PAIR_H_

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "connection.h"
#include "memory_server.h"
#include "pki.h"

namespace tls_client_cert::test {

constexpr int kVersions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

// Trusts Root A, asks for client certificates, at security level 1.
ContextOptions TrustingOptions();
Context::Pointer MakeContext(const ContextOptions& options, bool asks = true);
Context::Pointer AskingContext();

ServerOptions ServerOf(int version);

// A record as it was on the wire: its content type and its whole size.
struct WireRecord {
  int type = 0;
  size_t size = 0;
};

class Pair {
 public:
  Pair(Context::Pointer context, const ServerOptions& server_options,
       ConnectionOptions options = {});

  // Goes on until the client wants something that the wire cannot give.
  Step Run();
  // Runs to kWantVerify, accepts, and runs on.
  Step RunPastVerify();
  // The same, answering with `credential`; then lets the server finish.
  Step RunAnswering(const Credential::Pointer& credential);

  // Moves what both sides have to say, without calling the client.
  void Exchange();
  // Client and server read whatever is there. The client's last step.
  Step ReadAll(Bytes* plaintext);
  Step ReadAll();

  // The sessions that came up on the way, and the complete renegotiations.
  const std::vector<Bytes>& sessions() const { return sessions_; }
  int renegotiations() const { return renegotiations_; }

  Connection& client() { return *client_; }
  void DestroyClient() { client_.reset(); }
  MemoryServer& server() { return *server_; }

  // How many bytes the client is given at a time; 0: all there are.
  void set_chunk(size_t chunk) { chunk_ = chunk; }

  // Every ciphertext that the client sent.
  const Bytes& wire() const { return wire_; }
  std::vector<WireRecord> Records() const;

 private:
  bool TakeNotice(Step step);
  bool FeedClient();
  void DrainClient();

  std::unique_ptr<Connection> client_;
  std::unique_ptr<MemoryServer> server_;
  ByteQueue to_client_;
  Bytes wire_;
  std::vector<Bytes> sessions_;
  int renegotiations_ = 0;
  size_t chunk_ = 0;
};

Bytes Text(const std::string& text);
// What is secret elsewhere is not in a test.
Bytes Plain(const SecretBytes& bytes);
SecretBytes Secret(const Bytes& bytes);
// As ConnectionOptions::alpn_protocols has them.
Bytes Alpn(const std::vector<std::string>& protocols);
// That data still arrives both ways.
void CheckAlive(Pair* pair);

bool Contains(const Bytes& haystack, const Bytes& needle);

// The reason texts of a failure's error stack, joined; for messages and finds.
std::string Reasons(const Failure& failure);

}  // namespace tls_client_cert::test

#endif  // TLS_CLIENT_CERT_TEST_PAIR_H_
