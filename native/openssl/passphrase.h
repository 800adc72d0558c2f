// Passphrases for whatever asks in the way of PEM.
#ifndef TLS_CLIENT_CERT_OPENSSL_PASSPHRASE_H_
#define TLS_CLIENT_CERT_OPENSSL_PASSPHRASE_H_

#include <optional>

#include "bytes.h"

namespace tls_client_cert {

struct PassphrasePrompt {
  const std::optional<BytesView>* passphrase;
  bool asked = false;
};

// pem_password_cb(3), with a PassphrasePrompt: OpenSSL asks only where it needs
// one.
int GivePassphrase(char* buffer, int size, int rwflag, void* prompt);

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_PASSPHRASE_H_
