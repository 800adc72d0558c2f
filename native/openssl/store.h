// What lies behind a URI of OSSL_STORE: ossl_store(7).
#ifndef TLS_CLIENT_CERT_OPENSSL_STORE_H_
#define TLS_CLIENT_CERT_OPENSSL_STORE_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bytes.h"
#include "failure.h"
#include "store_key.h"

namespace tls_client_cert {

struct StoreInput {
  SecretString uri;                    // may have a PIN in it
  std::vector<std::string> providers;  // see ProviderLibrary::Load
  std::string property_query;          // empty: none
  std::optional<BytesView> passphrase;
};

struct StoreContents {
  std::vector<Bytes> certificates;  // DER, in the store's order
  std::vector<std::shared_ptr<StoreKey>> keys;
};

// Blocks for as long as the providers do. Never asks anybody: a store that
// wants a passphrase gets the one in `input`, or fails.
Result<StoreContents> OpenStore(const StoreInput& input);

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_STORE_H_
