// A private key that stays where it is: its provider signs with it.
#ifndef TLS_CLIENT_CERT_OPENSSL_STORE_KEY_H_
#define TLS_CLIENT_CERT_OPENSSL_STORE_KEY_H_

#include <memory>
#include <string>
#include <vector>

#include "bytes.h"
#include "failure.h"
#include "pointers.h"
#include "provider_library.h"
#include "signature_scheme.h"

namespace tls_client_cert {

// Any thread may use it; each call may block for as long as its provider does,
// and so may its destruction.
class StoreKey {
 public:
  // To be called during a Use of `library`, which the key keeps alive.
  static Result<std::shared_ptr<StoreKey>> Create(
      std::shared_ptr<ProviderLibrary> library, EvpPkeyPointer key,
      const std::string& property_query);

  ~StoreKey();
  StoreKey(const StoreKey&) = delete;
  StoreKey& operator=(const StoreKey&) = delete;

  // SubjectPublicKeyInfo in DER.
  const Bytes& public_key() const { return public_key_; }
  // Under which its provider begins a signature. It may still refuse to end
  // one, which only a signature would show.
  const std::vector<SignatureScheme>& schemes() const { return schemes_; }

  Result<Bytes> Sign(SignatureScheme scheme, BytesView data) const;

 private:
  StoreKey(std::shared_ptr<ProviderLibrary> library, EvpPkeyPointer key,
           const std::string& property_query);

  EvpMdCtxPointer Begin(SignatureScheme scheme) const;

  std::shared_ptr<ProviderLibrary> library_;
  EvpPkeyPointer key_;
  std::string query_;
  Bytes public_key_;
  std::vector<SignatureScheme> schemes_;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_STORE_KEY_H_
