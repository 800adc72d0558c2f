#include "connection_facts.h"

#include "../openssl/session_facts.h"
#include "convert.h"

namespace tls_client_cert {

Napi::Value FromCipher(Napi::Env env, const CipherNames& names) {
  Napi::Object record = Napi::Object::New(env);
  record.Set("name", FromChars(env, names.name));
  record.Set("standardName", FromChars(env, names.standard));
  record.Set("version", FromChars(env, names.version));
  return record;
}

Napi::Value FromEphemeralKey(Napi::Env env, const Connection& connection) {
  const EphemeralKey key = EphemeralKeyOf(connection.ssl());
  Napi::Object record = Napi::Object::New(env);
  if (key.kind == EphemeralKey::Kind::kNone) return record;
  const bool named = key.kind == EphemeralKey::Kind::kEcdh;
  record.Set("type", named ? "ECDH" : "DH");
  if (named) record.Set("name", key.name);
  record.Set("size", key.bits);
  return record;
}

Napi::Value FromSharedAlgorithms(Napi::Env env, const Connection& connection) {
  const auto names = SharedSignatureAlgorithms(connection.ssl());
  Napi::Array list = Napi::Array::New(env, names.size());
  for (uint32_t i = 0; i < names.size(); i++) list.Set(i, names[i]);
  return list;
}

Napi::Value FromFinished(Napi::Env env, const Connection& connection,
                         bool server) {
  return FromBytes(env, FinishedOf(connection.ssl(),
                                   server ? Sender::kServer : Sender::kClient));
}

Napi::Value FromTicket(Napi::Env env, const Connection& connection) {
  return FromBytes(env, TicketOf(connection.ssl()));
}

Napi::Value FromKeyingMaterial(const Napi::CallbackInfo& info,
                               const Connection& connection) {
  const auto size = info[0].ToNumber().Uint32Value();
  auto made = ExportKeyingMaterial(connection.ssl(), size,
                                   ToOptionalString(info[1]).value_or(""),
                                   ToOptionalBytes(info[2]));
  if (!made.ok()) Throw(info.Env(), made.failure());
  return FromBytes(info.Env(), made.value());
}

Napi::Value FromKeyLines(Napi::Env env, Journal* journal) {
  Napi::Array list = Napi::Array::New(env);
  if (journal == nullptr) return list;
  for (const SecretBytes& line : journal->TakeKeyLines()) {
    list.Set(list.Length(), FromBytes(env, line));
  }
  return list;
}

}  // namespace tls_client_cert
