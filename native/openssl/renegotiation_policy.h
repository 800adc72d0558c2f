// Which renegotiations (TLS 1.2 and below) there may be.
#ifndef TLS_CLIENT_CERT_OPENSSL_RENEGOTIATION_POLICY_H_
#define TLS_CLIENT_CERT_OPENSSL_RENEGOTIATION_POLICY_H_

#include <chrono>
#include <optional>

#include "failure.h"
#include "pointers.h"

namespace tls_client_cert {

// How often a server may ask for a handshake within a connection.
struct RenegotiationLimit {
  int count = 3;
  std::chrono::seconds window{600};
};

// RFC 9113, section 9.2.1, and RFC 8740: on HTTP/2 a server asks for nothing.
bool AgreedOnHttp2(const SSL* ssl);

class RenegotiationPolicy {
 public:
  explicit RenegotiationPolicy(const RenegotiationLimit& limit)
      : limit_(limit) {}

  // From now on none of the server's.
  void Disable() { disabled_ = true; }

  // Why none can begin on this connection, whoever wants it.
  static std::optional<FailureReason> WhyNot(const SSL* ssl);
  // The server asks for one, which counts: why it does not get it.
  std::optional<FailureReason> WhyRefuse(const SSL* ssl);

 private:
  RenegotiationLimit limit_;
  bool disabled_ = false;
  int asked_ = 0;  // since window_start_
  std::chrono::steady_clock::time_point window_start_;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_RENEGOTIATION_POLICY_H_
