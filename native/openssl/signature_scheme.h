// TLS signature schemes (RFC 8446, section 4.2.3) by their code points.
#ifndef TLS_CLIENT_CERT_OPENSSL_SIGNATURE_SCHEME_H_
#define TLS_CLIENT_CERT_OPENSSL_SIGNATURE_SCHEME_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "pointers.h"

namespace tls_client_cert {

using SignatureScheme = uint16_t;

// What the server offered, as far as this side supports it as well, in the
// order of preference. Empty before a CertificateRequest was read.
std::vector<SignatureScheme> SharedSignatureSchemes(SSL* ssl);

// What the server offered, supported here or not.
std::vector<SignatureScheme> PeerSignatureSchemes(SSL* ssl);

// Whether OpenSSL could sign a CertificateVerify of protocol `version` with
// `key` under `scheme`.
bool KeyFitsScheme(EVP_PKEY* key, SignatureScheme scheme, int version);

// How something is signed, less the key: the digest's NID, NID_undef where the
// scheme has none of its own, and which padding of RSA's.
struct SignatureForm {
  int digest = 0;
  bool pss = false;
};

// Under which scheme of protocol `version` a signature by `key` is one.
std::optional<SignatureScheme> SchemeOf(EVP_PKEY* key, SignatureForm form,
                                        int version);

bool IsRsaPss(SignatureScheme scheme);
// NID_undef where it has none of its own; -1 for an unknown scheme.
int DigestOfScheme(SignatureScheme scheme);

// Under which schemes a key of this type and size may sign, of whatever
// version and whoever's the key is: a provider may still refuse some.
std::vector<SignatureScheme> SchemesOfKeyType(EVP_PKEY* key);

// Whether the signature on `certificate` is of a scheme in `accepted`, the
// rule OpenSSL applies for signature_algorithms_cert.
bool CertificateSignedUnder(X509* certificate,
                            const std::vector<SignatureScheme>& accepted);

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_SIGNATURE_SCHEME_H_
