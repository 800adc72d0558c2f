#include "credential_wrap.h"

#include "convert.h"

namespace tls_client_cert {

namespace {

Result<Credential::Pointer> CreateFrom(const Napi::Object& input) {
  if (input.Has("pfx")) {
    PfxInput pfx;
    pfx.bytes = ToBytes(input.Get("pfx"));
    pfx.passphrase = ToOptionalBytes(input.Get("passphrase"));
    return Credential::Create(pfx);
  }
  if (input.Get("schemes").IsArray()) {
    ExternalKeyInput external;
    external.certificate = ToBytes(input.Get("certificate"));
    external.chain = ToBytesList(input.Get("chain"));
    const auto schemes = input.Get("schemes").As<Napi::Array>();
    for (uint32_t i = 0; i < schemes.Length(); i++) {
      external.schemes.push_back(
          static_cast<SignatureScheme>(ToInt(schemes.Get(i))));
    }
    return Credential::Create(external);
  }
  CertificateInput pair;
  pair.certificate = ToBytes(input.Get("certificate"));
  pair.chain = ToBytesList(input.Get("chain"));
  if (input.Get("keys").IsArray()) {
    const auto keys = input.Get("keys").As<Napi::Array>();
    for (uint32_t i = 0; i < keys.Length(); i++) {
      const Napi::Object key = keys.Get(i).ToObject();
      pair.keys.push_back(
          {ToBytes(key.Get("bytes")), ToOptionalBytes(key.Get("passphrase"))});
    }
  }
  return Credential::Create(pair);
}

}  // namespace

Napi::Function CredentialWrap::Define(Napi::Env env) {
  return DefineClass(env, kName,
                     {Expose<&CredentialWrap::Certificates>("certificates"),
                      Expose<&CredentialWrap::Subject>("subject"),
                      Expose<&CredentialWrap::Issuers>("issuers")});
}

CredentialWrap::CredentialWrap(const Napi::CallbackInfo& info) : Wrap(info) {
  auto made = CreateFrom(info[0].ToObject());
  if (!made.ok()) Throw(info.Env(), made.failure());
  credential_ = std::move(made.value());
}

Napi::Value CredentialWrap::Certificates(const Napi::CallbackInfo& info) {
  return FromCertificates(info.Env(), credential_->certificate(),
                          credential_->chain());
}

Napi::Value CredentialWrap::Subject(const Napi::CallbackInfo& info) {
  return FromName(info.Env(),
                  X509_get_subject_name(credential_->certificate()));
}

Napi::Value CredentialWrap::Issuers(const Napi::CallbackInfo& info) {
  Napi::Array list = Napi::Array::New(info.Env());
  const auto append = [&](const X509* certificate) {
    list.Set(list.Length(),
             FromName(info.Env(), X509_get_issuer_name(certificate)));
  };
  append(credential_->certificate());
  for (int i = 0; i < sk_X509_num(credential_->chain()); i++) {
    append(sk_X509_value(credential_->chain(), i));
  }
  return list;
}

}  // namespace tls_client_cert
