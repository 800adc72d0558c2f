// The authorities that a client trusts, parsed once and shared.
#ifndef TLS_CLIENT_CERT_OPENSSL_TRUST_STORE_H_
#define TLS_CLIENT_CERT_OPENSSL_TRUST_STORE_H_

#include <memory>
#include <utility>
#include <vector>

#include "bytes.h"
#include "failure.h"
#include "pointers.h"

namespace tls_client_cert {

// Immutable once made, so any number of contexts and threads may hold it.
class TrustStore {
 public:
  // `base`, when given, is a store whose authorities are trusted as well.
  // Revocation lists, when given, must cover the whole chain, as in Node.
  static Result<std::shared_ptr<const TrustStore>> Create(
      const std::vector<BytesView>& authorities,
      const std::vector<BytesView>& crls,
      const std::shared_ptr<const TrustStore>& base);

  // The same input gives the same store for as long as anyone in the process
  // holds it: worker threads do not parse the bundled roots again. What is
  // based on OpenSSL's own files is made each time, as these may change.
  static Result<std::shared_ptr<const TrustStore>> Shared(
      const std::vector<BytesView>& authorities,
      const std::vector<BytesView>& crls = {},
      const std::shared_ptr<const TrustStore>& base = nullptr);

  // OpenSSL's own files and folders (`node --use-openssl-ca`).
  static Result<std::shared_ptr<const TrustStore>> SystemDefault();

  X509_STORE* get() const { return store_.get(); }
  // Equal for stores made from the same input.
  const Bytes& digest() const { return digest_; }

 private:
  TrustStore(X509StorePointer store, bool has_default_paths, Bytes digest)
      : store_(std::move(store)),
        has_default_paths_(has_default_paths),
        digest_(std::move(digest)) {}

  X509StorePointer store_;
  // OpenSSL looks into its folders only when a name is missing, so what they
  // hold cannot be copied out of the store.
  bool has_default_paths_;
  Bytes digest_;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_TRUST_STORE_H_
