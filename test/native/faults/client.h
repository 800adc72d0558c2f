// A Connection whose every call may run out of memory, and a server whose
// calls may not.
#ifndef TLS_CLIENT_CERT_TEST_FAULTS_CLIENT_H_
#define TLS_CLIENT_CERT_TEST_FAULTS_CLIENT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../pair.h"
#include "allocator.h"
#include "explore.h"

namespace tls_client_cert::test::faults {

// What one connection is to come to.
struct Meeting {
  Context::Pointer context;
  ServerOptions server;
  ConnectionOptions options;
  std::function<void(MemoryServer*)> prepare;  // the server, before it is met
  Credential::Pointer answer;                  // null: declined
  // In its place, made for each run.
  const Identity* answer_anew = nullptr;
  const Identity* signs_with = nullptr;  // the key of an external one
  Bytes shared_key;                      // of "me"
  // Whom the server has to know in the end; null: nobody.
  const Identity* shown = nullptr;
  bool trusted = true;  // the server is to be
  bool resumed = false;
  bool writes_down = false;  // keys and messages
  // Once it is open.
  std::function<std::string(class Client*)> then;
};

class Client {
 public:
  explicit Client(const Meeting& meeting);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // From the first byte to the last.
  Outcome Run();

  // Goes on, answering whatever is asked, until the wire is silent. Empty, or
  // what is wrong; or, with failed(), what a failure is about to say.
  std::string Handshake();
  std::string ReadAll();
  // Data goes both ways, and all of it arrives.
  std::string Talk();

  bool failed() const { return failure_.has_value(); }
  void Fail(const Failure& failure) { failure_ = failure; }
  Connection& connection() { return *connection_; }
  MemoryServer& server() { return server_; }
  int requests() const { return requests_; }
  int renegotiations() const { return renegotiations_; }
  const std::vector<SecretBytes>& sessions() const { return sessions_; }

 private:
  std::string Live();
  std::string Settle(Step step, bool* again);
  std::string AnswerRequest();
  std::string CheckShown();
  bool Feed();
  void Drain();

  const Meeting& meeting_;
  Credential::Pointer answer_;
  MemoryServer server_;
  std::unique_ptr<Connection> connection_;
  std::optional<Failure> failure_;
  Bytes received_;
  std::vector<SecretBytes> sessions_;
  int requests_ = 0;
  int renegotiations_ = 0;
};

// As Explore, of a connection.
void Explore(const std::string& name, const Meeting& meeting,
             size_t most = kMost);

}  // namespace tls_client_cert::test::faults

#endif  // TLS_CLIENT_CERT_TEST_FAULTS_CLIENT_H_
