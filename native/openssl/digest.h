// SHA-256 over a list of inputs.
#ifndef TLS_CLIENT_CERT_OPENSSL_DIGEST_H_
#define TLS_CLIENT_CERT_OPENSSL_DIGEST_H_

#include <vector>

#include "bytes.h"

namespace tls_client_cert {

// Each input is told apart from the next. Empty when OpenSSL has no memory.
Bytes Sha256(const std::vector<BytesView>& inputs);

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_DIGEST_H_
