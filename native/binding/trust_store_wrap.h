#ifndef TLS_CLIENT_CERT_BINDING_TRUST_STORE_WRAP_H_
#define TLS_CLIENT_CERT_BINDING_TRUST_STORE_WRAP_H_

#include <napi.h>

#include <memory>

#include "../openssl/trust_store.h"
#include "wrap.h"

namespace tls_client_cert {

class TrustStoreWrap : public Wrap<TrustStoreWrap> {
 public:
  static constexpr const char* kName = "TrustStore";
  static constexpr uint64_t kTag = 1;
  static constexpr auto kLive = &LiveCounts::trust_stores;

  static Napi::Function Define(Napi::Env env);

  // new TrustStore({ authorities, crls, base?, system? }): see lib/binding.ts.
  explicit TrustStoreWrap(const Napi::CallbackInfo& info);

  const std::shared_ptr<const TrustStore>& get() const { return store_; }

 private:
  std::shared_ptr<const TrustStore> store_;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_BINDING_TRUST_STORE_WRAP_H_
