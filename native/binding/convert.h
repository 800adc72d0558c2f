// Between JavaScript values and the plain types of native/openssl.
#ifndef TLS_CLIENT_CERT_BINDING_CONVERT_H_
#define TLS_CLIENT_CERT_BINDING_CONVERT_H_

#include <napi.h>

#include <optional>
#include <string>
#include <vector>

#include "../openssl/bytes.h"
#include "../openssl/failure.h"
#include "../openssl/pointers.h"

namespace tls_client_cert {

// The arguments were checked in TypeScript; what is wrong here is a fault of
// ours, and reads as absent or empty rather than as memory.

// Views of memory that JavaScript keeps alive for the length of the call.
BytesView ToBytes(Napi::Value value);
std::vector<BytesView> ToBytesList(Napi::Value value);
std::optional<BytesView> ToOptionalBytes(Napi::Value value);

std::optional<std::string> ToOptionalString(Napi::Value value);
// Empty when it is no string.
SecretString ToSecretString(Napi::Value value);
int ToInt(Napi::Value value);
bool ToBool(Napi::Value value);

Napi::Value FromBytes(Napi::Env env, BytesView bytes);
Napi::Value FromCertificates(Napi::Env env, X509* leaf,
                             const STACK_OF(X509) * chain);
// The name's DER.
Napi::Value FromName(Napi::Env env, const X509_NAME* name);
// A string, or null for a null pointer.
Napi::Value FromChars(Napi::Env env, const char* text);

// A plain record that lib/errors.ts makes a public error of.
Napi::Object FromFailure(Napi::Env env, const Failure& failure);
// An Error that carries the record as `failure`.
Napi::Error ToError(Napi::Env env, const Failure& failure);
[[noreturn]] void Throw(Napi::Env env, const Failure& failure);

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_BINDING_CONVERT_H_
