// What can be asked of a connection and changes nothing, as JavaScript values.
#ifndef TLS_CLIENT_CERT_BINDING_CONNECTION_FACTS_H_
#define TLS_CLIENT_CERT_BINDING_CONNECTION_FACTS_H_

#include <napi.h>

#include "../openssl/connection.h"

namespace tls_client_cert {

// Each as lib/binding.ts has it.
Napi::Value FromCipher(Napi::Env env, const CipherNames& names);
Napi::Value FromEphemeralKey(Napi::Env env, const Connection& connection);
Napi::Value FromSharedAlgorithms(Napi::Env env, const Connection& connection);
Napi::Value FromFinished(Napi::Env env, const Connection& connection,
                         bool server);
Napi::Value FromTicket(Napi::Env env, const Connection& connection);
// By length, label and context; throws what Throw() does.
Napi::Value FromKeyingMaterial(const Napi::CallbackInfo& info,
                               const Connection& connection);
// Empties it.
Napi::Value FromKeyLines(Napi::Env env, Journal* journal);

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_BINDING_CONNECTION_FACTS_H_
