// A private key out of PEM or DER bytes.
#ifndef TLS_CLIENT_CERT_OPENSSL_KEY_READER_H_
#define TLS_CLIENT_CERT_OPENSSL_KEY_READER_H_

#include "credential.h"
#include "failure.h"
#include "pointers.h"

namespace tls_client_cert {

// Reads PKCS#8 (plain or encrypted) and the traditional forms. `index` is
// which of several inputs this is, for the failure.
Result<EvpPkeyPointer> ReadPrivateKey(const KeyInput& input, int index);

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_KEY_READER_H_
