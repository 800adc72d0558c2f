// What crossed the wire in a handshake, as OpenSSL's message callback saw it.
#ifndef TLS_CLIENT_CERT_OPENSSL_HANDSHAKE_LOG_H_
#define TLS_CLIENT_CERT_OPENSSL_HANDSHAKE_LOG_H_

#include <optional>
#include <vector>

#include "bytes.h"
#include "signature_scheme.h"

namespace tls_client_cert {

// OpenSSL tells nobody that it sent an empty Certificate in place of one that
// it could not use; only the messages themselves do.
class HandshakeLog {
 public:
  enum class Certificate { kNotRequested, kRequested, kSentEmpty, kSent };

  // What of it others have to act on. kNotRequested: below TLS 1.3, of a full
  // handshake.
  enum class Note {
    kNothing,
    kHelloRequest,
    kNotRequested,
    kCertificateWritten
  };

  // The body of SSL_CTX_set_msg_callback(3).
  Note Record(bool outgoing, int version, int content_type, BytesView message);

  // A renegotiation is complete. One that made a session of its own and did
  // not ask leaves the server with no certificate.
  void EndRenegotiation(bool resumed);

  // From a ClientHello to the second Finished. Not by SSL_get_state(3): its
  // numbers are not the same in all releases of OpenSSL 3.
  bool in_handshake() const { return finished_ < 2; }
  bool server_hello_received() const { return server_hello_received_; }

  Certificate certificate() const { return certificate_; }
  // The scheme of the client's CertificateVerify; none below TLS 1.2, where
  // the message does not name one.
  std::optional<SignatureScheme> signature_scheme() const {
    return signature_scheme_;
  }
  // The schemes the server takes in certificates (RFC 8446, section 4.2.3);
  // empty when it did not say.
  const std::vector<SignatureScheme>& certificate_schemes() const {
    return certificate_schemes_;
  }
  // The description of the last alert that the peer sent (RFC 8446, 6).
  std::optional<uint8_t> received_alert() const { return received_alert_; }

 private:
  void RecordRequest(int version, BytesView body);

  Certificate certificate_ = Certificate::kNotRequested;
  // Since the last ClientHello.
  bool server_hello_received_ = false;
  bool requested_ = false;
  int finished_ = 0;
  std::optional<SignatureScheme> signature_scheme_;
  std::vector<SignatureScheme> certificate_schemes_;
  std::optional<uint8_t> received_alert_;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_HANDSHAKE_LOG_H_
