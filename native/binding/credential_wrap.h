#ifndef TLS_CLIENT_CERT_BINDING_CREDENTIAL_WRAP_H_
#define TLS_CLIENT_CERT_BINDING_CREDENTIAL_WRAP_H_

#include <napi.h>

#include "../openssl/credential.h"
#include "wrap.h"

namespace tls_client_cert {

class CredentialWrap : public Wrap<CredentialWrap> {
 public:
  static constexpr const char* kName = "Credential";
  static constexpr uint64_t kTag = 3;
  static constexpr auto kLive = &LiveCounts::credentials;

  static Napi::Function Define(Napi::Env env);

  // new Credential(input): see lib/binding.ts.
  explicit CredentialWrap(const Napi::CallbackInfo& info);

  const Credential::Pointer& get() const { return credential_; }

 private:
  Napi::Value Certificates(const Napi::CallbackInfo& info);
  Napi::Value Subject(const Napi::CallbackInfo& info);
  Napi::Value Issuers(const Napi::CallbackInfo& info);

  Credential::Pointer credential_;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_BINDING_CREDENTIAL_WRAP_H_
