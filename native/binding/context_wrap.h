#ifndef TLS_CLIENT_CERT_BINDING_CONTEXT_WRAP_H_
#define TLS_CLIENT_CERT_BINDING_CONTEXT_WRAP_H_

#include <napi.h>

#include "../openssl/context.h"
#include "wrap.h"

namespace tls_client_cert {

class ContextWrap : public Wrap<ContextWrap> {
 public:
  static constexpr const char* kName = "Context";
  static constexpr uint64_t kTag = 2;
  static constexpr auto kLive = &LiveCounts::contexts;

  static Napi::Function Define(Napi::Env env);

  // new Context(options): see lib/binding.ts.
  explicit ContextWrap(const Napi::CallbackInfo& info);

  const Context::Pointer& get() const { return context_; }

 private:
  Napi::Value SetAsksForClientCert(const Napi::CallbackInfo& info);
  Napi::Value AsksForClientCert(const Napi::CallbackInfo& info);

  Context::Pointer context_;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_BINDING_CONTEXT_WRAP_H_
