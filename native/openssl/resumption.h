// Whether a session may be resumed, and as whom.
#ifndef TLS_CLIENT_CERT_OPENSSL_RESUMPTION_H_
#define TLS_CLIENT_CERT_OPENSSL_RESUMPTION_H_

#include <optional>
#include <vector>

#include "bytes.h"
#include "credential.h"
#include "pointers.h"
#include "session_mark.h"

namespace tls_client_cert {

// Who a connection would be without a session.
struct Self {
  Bytes trust;  // Context::trust_digest()
  // Any of these, if the server asks.
  std::vector<Credential::Pointer> credentials;
  // None of them: it declines whatever is asked.
  bool declines = false;
  // The server has to know one of them.
  bool must_be_known = false;
};

// An identity is resumed only by one that would be the same. What cannot be
// offered costs a full handshake and nothing else.
class Resumption {
 public:
  // Null when the session in `der` must not be offered, or cannot be read.
  SslSessionPointer Choose(BytesView der, const Self& self);

  // Whose session it is that Choose gave.
  const std::optional<SessionMark>& mark() const { return mark_; }
  // The credential behind it; null when the server was shown none.
  const Credential::Pointer& credential() const { return credential_; }

 private:
  bool Fits(const SessionMark& mark, const Self& self);

  std::optional<SessionMark> mark_;
  Credential::Pointer credential_;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_RESUMPTION_H_
