#include "context_wrap.h"

#include "convert.h"
#include "trust_store_wrap.h"

namespace tls_client_cert {

Napi::Function ContextWrap::Define(Napi::Env env) {
  return DefineClass(
      env, kName,
      {
          Expose<&ContextWrap::SetAsksForClientCert>("setAsksForClientCert"),
          Expose<&ContextWrap::AsksForClientCert>("asksForClientCert"),
      });
}

ContextWrap::ContextWrap(const Napi::CallbackInfo& info) : Wrap(info) {
  const Napi::Object options = info[0].ToObject();
  const TrustStoreWrap* trust =
      TrustStoreWrap::From(info.Env(), options.Get("trust"));
  ContextOptions plain;
  plain.trust = trust->get();
  plain.min_version = ToInt(options.Get("minVersion"));
  plain.max_version = ToInt(options.Get("maxVersion"));
  plain.cipher_list = ToOptionalString(options.Get("cipherList"));
  plain.cipher_suites = ToOptionalString(options.Get("cipherSuites"));
  plain.groups = ToOptionalString(options.Get("groups"));
  plain.signature_schemes = ToOptionalString(options.Get("signatureSchemes"));
  // A double, as it comes: an SSL_OP_ above bit 31 must not be cut off.
  plain.client_signature_schemes =
      ToOptionalString(options.Get("clientSignatureSchemes"));
  plain.options =
      static_cast<uint64_t>(options.Get("options").ToNumber().Int64Value());
  plain.allow_partial_trust_chain =
      ToBool(options.Get("allowPartialTrustChain"));
  auto made = Context::Create(plain);
  if (!made.ok()) Throw(info.Env(), made.failure());
  context_ = std::move(made.value());
}

Napi::Value ContextWrap::SetAsksForClientCert(const Napi::CallbackInfo& info) {
  context_->SetAsksForClientCert(ToBool(info[0]));
  return info.Env().Undefined();
}

Napi::Value ContextWrap::AsksForClientCert(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), context_->AsksForClientCert());
}

}  // namespace tls_client_cert
