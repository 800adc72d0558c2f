#ifndef TLS_CLIENT_CERT_BINDING_STORE_WRAP_H_
#define TLS_CLIENT_CERT_BINDING_STORE_WRAP_H_

#include <napi.h>

#include <memory>

#include "../openssl/store_key.h"
#include "wrap.h"

namespace tls_client_cert {

class StoreKeyWrap : public Wrap<StoreKeyWrap> {
 public:
  static constexpr const char* kName = "StoreKey";
  static constexpr uint64_t kTag = 5;
  static constexpr auto kLive = &LiveCounts::store_keys;

  static Napi::Function Define(Napi::Env env);
  // The only way to one: its class is not exported, and its constructor throws.
  static Napi::Object Create(Napi::Env env, std::shared_ptr<StoreKey> key);

  explicit StoreKeyWrap(const Napi::CallbackInfo& info);
  ~StoreKeyWrap() override;

 private:
  Napi::Value PublicKey(const Napi::CallbackInfo& info);
  Napi::Value Schemes(const Napi::CallbackInfo& info);
  Napi::Value Sign(const Napi::CallbackInfo& info);

  std::shared_ptr<StoreKey> key_;
  std::shared_ptr<bool> closing_;
};

// openStore(options): see lib/binding.ts.
Napi::Value OpenStoreInPool(const Napi::CallbackInfo& info);

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_BINDING_STORE_WRAP_H_
