#include "convert.h"

#include "../openssl/certificate_reader.h"

namespace tls_client_cert {

BytesView ToBytes(Napi::Value value) {
  // One call in place of the many that Napi::Uint8Array makes.
  napi_typedarray_type type = napi_int8_array;
  size_t size = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(value.Env(), value, &type, &size, &data, nullptr,
                               nullptr) != napi_ok ||
      type != napi_uint8_array) {
    return {};
  }
  return BytesView(static_cast<const uint8_t*>(data), size);
}

std::vector<BytesView> ToBytesList(Napi::Value value) {
  std::vector<BytesView> list;
  if (!value.IsArray()) return list;
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); i++) {
    list.push_back(ToBytes(array.Get(i)));
  }
  return list;
}

std::optional<BytesView> ToOptionalBytes(Napi::Value value) {
  if (!value.IsTypedArray()) return std::nullopt;
  return ToBytes(value);
}

std::optional<std::string> ToOptionalString(Napi::Value value) {
  if (!value.IsString()) return std::nullopt;
  return value.As<Napi::String>().Utf8Value();
}

SecretString ToSecretString(Napi::Value value) {
  size_t size = 0;
  if (napi_get_value_string_utf8(value.Env(), value, nullptr, 0, &size) !=
      napi_ok) {
    return {};
  }
  // It writes a zero behind the last byte.
  SecretString text(size + 1, '\0');
  napi_get_value_string_utf8(value.Env(), value, text.data(), text.size(),
                             &size);
  text.resize(size);
  return text;
}

int ToInt(Napi::Value value) {
  return value.IsNumber() ? value.As<Napi::Number>().Int32Value() : 0;
}

bool ToBool(Napi::Value value) {
  return value.IsBoolean() && value.As<Napi::Boolean>().Value();
}

Napi::Value FromBytes(Napi::Env env, BytesView bytes) {
  return Napi::Buffer<uint8_t>::Copy(env, bytes.data, bytes.size);
}

Napi::Value FromCertificates(Napi::Env env, X509* leaf,
                             const STACK_OF(X509) * chain) {
  Napi::Array list = Napi::Array::New(env);
  const auto append = [&](const X509* certificate) {
    const auto der = EncodeCertificate(certificate);
    // Without it the next one would be taken for the leaf.
    if (!der) Throw(env, TakeFailure(FailureReason::kInternal));
    list.Set(list.Length(), FromBytes(env, *der));
  };
  if (leaf != nullptr) append(leaf);
  for (int i = 0; i < sk_X509_num(chain); i++) append(sk_X509_value(chain, i));
  return list;
}

Napi::Value FromName(Napi::Env env, const X509_NAME* name) {
  const uint8_t* der = nullptr;
  size_t size = 0;
  X509_NAME_get0_der(name, &der, &size);
  return FromBytes(env, BytesView(der, size));
}

Napi::Value FromChars(Napi::Env env, const char* text) {
  if (text == nullptr) return env.Null();
  return Napi::String::New(env, text);
}

Napi::Object FromFailure(Napi::Env env, const Failure& failure) {
  Napi::Object record = Napi::Object::New(env);
  record.Set("reason", FailureReasonName(failure.reason));
  record.Set("index", failure.index);
  record.Set("detail", failure.detail);
  Napi::Array stack = Napi::Array::New(env);
  for (const ErrorRecord& error : failure.stack) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("text", error.text);
    entry.Set("library", error.library);
    entry.Set("reason", error.reason);
    stack.Set(stack.Length(), entry);
  }
  record.Set("stack", stack);
  return record;
}

Napi::Error ToError(Napi::Env env, const Failure& failure) {
  Napi::Error error = Napi::Error::New(env, FailureReasonName(failure.reason));
  error.Value().Set("failure", FromFailure(env, failure));
  return error;
}

void Throw(Napi::Env env, const Failure& failure) {
  throw ToError(env, failure);
}

}  // namespace tls_client_cert
