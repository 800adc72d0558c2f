// Under whose name, and under which trust, a TLS session was made: written
// into the session itself, so that it goes wherever the session goes.
#ifndef TLS_CLIENT_CERT_OPENSSL_SESSION_MARK_H_
#define TLS_CLIENT_CERT_OPENSSL_SESSION_MARK_H_

#include <optional>

#include "bytes.h"
#include "pointers.h"

namespace tls_client_cert {

struct SessionMark {
  // As whom the server may know the client in this session.
  enum class Identity : uint8_t {
    kUnasked,   // it never asked
    kDeclined,  // it asked, and was shown no certificate
    kOne,       // it was shown `certificate`
    kSeveral,   // first one, then another or none: nobody can say what counts
    // It was shown `certificate` after the handshake: a ticket that came then
    // may have been on its way before, and it may know nobody (TLS 1.3).
    kOneLater,
  };

  Identity identity = Identity::kUnasked;
  Bytes certificate;  // SHA-256 of the leaf, if it has_certificate
  Bytes trust;        // Context::trust_digest() of who verified the server

  void Declined();
  // A handshake of its own (TLS 1.2) in which the server did not ask.
  void NotShownAgain();
  // `later`: after the handshake, TLS 1.3.
  void Shown(const Bytes& fingerprint, bool later = false);
  bool has_certificate() const {
    return identity == Identity::kOne || identity == Identity::kOneLater;
  }
};

bool WriteSessionMark(SSL_SESSION* session, const SessionMark& mark);
// Nothing when the session was not made by this library.
std::optional<SessionMark> ReadSessionMark(SSL_SESSION* session);

// The DER form. Empty, or null, when it could not be made or read.
SecretBytes SerializeSession(SSL_SESSION* session);
SslSessionPointer ParseSession(BytesView der);

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_SESSION_MARK_H_
