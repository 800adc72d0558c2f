// What OpenSSL does over and over between one execution and the next, and which
// is neither under test nor changed by an input, is done once. These stand in
// for libcrypto's functions of the same names, which it calls by way of the
// dynamic linker.
#include <dlfcn.h>
#include <openssl/decoder.h>
#include <openssl/evp.h>

#include <cstring>
#include <map>
#include <string>

#include "require.h"

// A process of one thread. CRYPTO_THREAD_write_lock(3)
extern "C" int CRYPTO_THREAD_read_lock(CRYPTO_RWLOCK*) { return 1; }
extern "C" int CRYPTO_THREAD_write_lock(CRYPTO_RWLOCK*) { return 1; }
extern "C" int CRYPTO_THREAD_unlock(CRYPTO_RWLOCK*) { return 1; }

namespace {

using NewDecoder = decltype(&OSSL_DECODER_CTX_new_for_pkey);
using FreeDecoder = decltype(&OSSL_DECODER_CTX_free);
using Decode = decltype(&OSSL_DECODER_from_data);

template <typename Function>
Function Original(const char* name) {
  void* found = dlsym(RTLD_NEXT, name);
  REQUIRE(found != nullptr);
  return reinterpret_cast<Function>(found);
}

// Of a certificate's key, which OpenSSL 3.0 asks all its decoders for whenever
// it parses one. This is the decoder that it has in its hands meanwhile.
struct KeyToDecode {
  EVP_PKEY** key;
  std::string type;
  OSSL_LIB_CTX* library;
  std::string properties;
  bool has_properties;
};

// One at a time, but one may begin while another is at work.
constexpr int kMostDepth = 4;
KeyToDecode waiting[kMostDepth];
int depth = 0;

bool IsWaiting(const OSSL_DECODER_CTX* ctx) {
  return depth > 0 &&
         reinterpret_cast<const KeyToDecode*>(ctx) == &waiting[depth - 1];
}

// The keys seen first, which are those that all executions share.
constexpr size_t kMostKeys = 32;

std::map<std::string, EVP_PKEY*>& Known() {
  // Never freed: the fuzzer ends by exit().
  static auto* const known = new std::map<std::string, EVP_PKEY*>;
  return *known;
}

}  // namespace

extern "C" OSSL_DECODER_CTX* OSSL_DECODER_CTX_new_for_pkey(
    EVP_PKEY** key, const char* input, const char* structure, const char* type,
    int selection, OSSL_LIB_CTX* library, const char* properties) {
  static const auto original =
      Original<NewDecoder>("OSSL_DECODER_CTX_new_for_pkey");
  if (depth == kMostDepth || selection != EVP_PKEY_PUBLIC_KEY ||
      type == nullptr || input == nullptr || std::strcmp(input, "DER") != 0 ||
      structure == nullptr ||
      std::strcmp(structure, "SubjectPublicKeyInfo") != 0) {
    return original(key, input, structure, type, selection, library,
                    properties);
  }
  KeyToDecode& next = waiting[depth++];
  next = {key, type, library, properties == nullptr ? "" : properties,
          properties != nullptr};
  return reinterpret_cast<OSSL_DECODER_CTX*>(&next);
}

extern "C" int OSSL_DECODER_from_data(OSSL_DECODER_CTX* ctx,
                                      const unsigned char** data,
                                      size_t* size) {
  static const auto original = Original<Decode>("OSSL_DECODER_from_data");
  if (!IsWaiting(ctx)) return original(ctx, data, size);
  static const auto original_new =
      Original<NewDecoder>("OSSL_DECODER_CTX_new_for_pkey");
  static const auto original_free =
      Original<FreeDecoder>("OSSL_DECODER_CTX_free");
  const KeyToDecode wanted = waiting[depth - 1];
  const std::string der(reinterpret_cast<const char*>(*data), *size);
  const auto known = Known().find(der);
  if (known != Known().end()) {
    EVP_PKEY_up_ref(known->second);
    *wanted.key = known->second;
    *data += *size;
    *size = 0;
    return 1;
  }
  OSSL_DECODER_CTX* decoder =
      original_new(wanted.key, "DER", "SubjectPublicKeyInfo",
                   wanted.type.c_str(), EVP_PKEY_PUBLIC_KEY, wanted.library,
                   wanted.has_properties ? wanted.properties.c_str() : nullptr);
  if (decoder == nullptr) return 0;
  const int result = original(decoder, data, size);
  original_free(decoder);
  if (result == 1 && *size == 0 && *wanted.key != nullptr &&
      Known().size() < kMostKeys) {
    EVP_PKEY_up_ref(*wanted.key);
    Known().emplace(der, *wanted.key);
  }
  return result;
}

extern "C" void OSSL_DECODER_CTX_free(OSSL_DECODER_CTX* ctx) {
  static const auto original = Original<FreeDecoder>("OSSL_DECODER_CTX_free");
  if (!IsWaiting(ctx)) return original(ctx);
  depth--;
}
