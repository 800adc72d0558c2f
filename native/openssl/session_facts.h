// What was agreed on in a handshake, for those who bind something to it.
#ifndef TLS_CLIENT_CERT_OPENSSL_SESSION_FACTS_H_
#define TLS_CLIENT_CERT_OPENSSL_SESSION_FACTS_H_

#include <optional>
#include <string>
#include <vector>

#include "bytes.h"
#include "failure.h"
#include "pointers.h"

namespace tls_client_cert {

// What the server contributed to the key exchange of this handshake.
struct EphemeralKey {
  enum class Kind { kNone, kDh, kEcdh };
  Kind kind = Kind::kNone;
  std::string name;  // of the curve, as OpenSSL calls it; kEcdh only
  int bits = 0;
};

EphemeralKey EphemeralKeyOf(SSL* ssl);

// SSL_get_shared_sigalgs(3), as "ECDSA+SHA256", the preferred first.
std::vector<std::string> SharedSignatureAlgorithms(SSL* ssl);

// The Finished message last sent, or received; empty before there is one.
enum class Sender { kClient, kServer };
Bytes FinishedOf(const SSL* ssl, Sender sender);

// The current session's ticket; empty when it has none.
BytesView TicketOf(const SSL* ssl);

// The stapled OCSP response in DER; empty when the server sent none.
BytesView OcspResponseOf(SSL* ssl);

// SSL_export_keying_material(3). No context is not the same as an empty one.
Result<SecretBytes> ExportKeyingMaterial(SSL* ssl, size_t size,
                                         const std::string& label,
                                         std::optional<BytesView> context);

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_SESSION_FACTS_H_
