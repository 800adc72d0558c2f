#include "trust_store_wrap.h"

#include "convert.h"

namespace tls_client_cert {

Napi::Function TrustStoreWrap::Define(Napi::Env env) {
  return DefineClass(env, kName, {});
}

TrustStoreWrap::TrustStoreWrap(const Napi::CallbackInfo& info) : Wrap(info) {
  const Napi::Object options = info[0].ToObject();
  const auto authorities = ToBytesList(options.Get("authorities"));
  const auto crls = ToBytesList(options.Get("crls"));
  std::shared_ptr<const TrustStore> base;
  if (options.Get("base").IsObject()) {
    const TrustStoreWrap* wrap = From(info.Env(), options.Get("base"));
    base = wrap->get();
  }
  auto made = ToBool(options.Get("system"))
                  ? TrustStore::SystemDefault()
                  : TrustStore::Shared(authorities, crls, base);
  if (!made.ok()) Throw(info.Env(), made.failure());
  store_ = std::move(made.value());
}

}  // namespace tls_client_cert
