// The addon's exports, and nothing else; lib/binding.ts has their types.
#include <napi.h>
#include <openssl/crypto.h>

#include <functional>

#include "binding/connection_wrap.h"
#include "binding/context_wrap.h"
#include "binding/convert.h"
#include "binding/credential_wrap.h"
#include "binding/environment.h"
#include "binding/socket_transport_wrap.h"
#include "binding/store_wrap.h"
#include "binding/trust_store_wrap.h"
#include "openssl/certificate_reader.h"
#include "openssl/distinguished_name.h"
#include "openssl/error_stack.h"

namespace tls_client_cert {

namespace {

Napi::Value ParseName(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto name = ParseDistinguishedName(ToBytes(info[0]));
  if (!name) return env.Null();
  Napi::Object record = Napi::Object::New(env);
  record.Set("text", name->text);
  Napi::Array attributes = Napi::Array::New(env);
  for (const auto& [type, value] : name->attributes) {
    Napi::Array pair = Napi::Array::New(env, 2);
    pair.Set(0U, type);
    pair.Set(1U, value);
    attributes.Set(attributes.Length(), pair);
  }
  record.Set("attributes", attributes);
  return record;
}

Napi::Value NamesMeet(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(
      info.Env(), HaveCommonName(ToBytesList(info[0]), ToBytesList(info[1])));
}

Napi::Value Issuers(const Napi::CallbackInfo& info) {
  const ErrorStack errors;
  std::vector<X509Pointer> certificates;
  if (!ReadCertificates(ToBytes(info[0]), &certificates)) {
    return info.Env().Null();
  }
  Napi::Array list = Napi::Array::New(info.Env());
  for (const X509Pointer& certificate : certificates) {
    list.Set(list.Length(),
             FromName(info.Env(), X509_get_issuer_name(certificate.get())));
  }
  return list;
}

Napi::Value LiesAbove(const Napi::CallbackInfo& info) {
  const std::less<const uint8_t*> below;
  return Napi::Boolean::New(
      info.Env(), below(ToBytes(info[1]).data, ToBytes(info[0]).data));
}

Napi::Value Live(const Napi::CallbackInfo& info) {
  const LiveCounts& live = *Environment::Get(info.Env())->live;
  Napi::Object record = Napi::Object::New(info.Env());
  record.Set("trustStores", live.trust_stores);
  record.Set("contexts", live.contexts);
  record.Set("credentials", live.credentials);
  record.Set("connections", live.connections);
  record.Set("storeKeys", live.store_keys);
  record.Set("socketTransports", live.socket_transports);
  return record;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  auto* environment = new Environment;
  env.SetInstanceData(environment);
  environment->poll_handles->Begin(env);
  env.AddCleanupHook([closing = environment->closing] { *closing = true; });
  exports.Set("TrustStore", TrustStoreWrap::Define(env));
  exports.Set("Context", ContextWrap::Define(env));
  exports.Set("Credential", CredentialWrap::Define(env));
  exports.Set("Connection", ConnectionWrap::Define(env));
  exports.Set("SocketTransport", SocketTransportWrap::Define(env));
  environment->store_key_class = Napi::Persistent(StoreKeyWrap::Define(env));
  exports.Set("liesAbove", Napi::Function::New(env, LiesAbove));
  exports.Set("openStore", Napi::Function::New(env, OpenStoreInPool));
  exports.Set("parseName", Napi::Function::New(env, ParseName));
  exports.Set("haveCommonName", Napi::Function::New(env, NamesMeet));
  exports.Set("issuers", Napi::Function::New(env, Issuers));
  exports.Set("live", Napi::Function::New(env, Live));
  exports.Set("opensslVersion",
              Napi::String::New(env, OpenSSL_version(OPENSSL_VERSION_STRING)));
  return exports;
}

}  // namespace

}  // namespace tls_client_cert

using tls_client_cert::Init;
NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
