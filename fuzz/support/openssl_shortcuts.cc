// What OpenSSL does over and over between one execution and the next, and which
// is neither under test nor changed by an input, is done once. These stand in
// for libcrypto's functions of the same names, which it calls by way of the
// dynamic linker.
#include <dlfcn.h>
#include <openssl/decoder.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>

#include "determinism.h"
#include "require.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

// A process of one thread. CRYPTO_THREAD_write_lock(3)
extern "C" int CRYPTO_THREAD_read_lock(CRYPTO_RWLOCK*) { return 1; }
extern "C" int CRYPTO_THREAD_write_lock(CRYPTO_RWLOCK*) { return 1; }
extern "C" int CRYPTO_THREAD_unlock(CRYPTO_RWLOCK*) { return 1; }

// OSSL_PARAM_locate(3). Not by strcmp(), behind which AddressSanitizer measures
// both strings; what is read here it sees as well.
extern "C" OSSL_PARAM* OSSL_PARAM_locate(OSSL_PARAM* params, const char* name) {
  if (params == nullptr || name == nullptr) return nullptr;
  for (; params->key != nullptr; params++) {
    const char* a = params->key;
    const char* b = name;
    while (*a == *b && *a != 0) {
      a++;
      b++;
    }
    if (*a == *b) return params;
  }
  return nullptr;
}

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

// Of signatures that were found to be right: their digests, where they hash to.
constexpr size_t kRight = 1 << 14;
uint8_t right[kRight][SHA256_DIGEST_LENGTH];

// Keys for X25519, each by the random numbers that it was drawn from.
struct Drawn {
  uint64_t before = 0;
  uint64_t after = 0;
  EVP_PKEY* key = nullptr;
};
constexpr size_t kDrawn = 1 << 12;
Drawn drawn[kDrawn];

}  // namespace

// EVP_PKEY_generate(3). Inputs have few seeds, and a connection draws its first
// key share at the same place always.
extern "C" int EVP_PKEY_generate(EVP_PKEY_CTX* ctx, EVP_PKEY** key) {
  using tls_client_cert::fuzz::ExchangeRandomState;
  static const auto original =
      Original<decltype(&EVP_PKEY_generate)>("EVP_PKEY_generate");
  if (key == nullptr || *key != nullptr ||
      EVP_PKEY_CTX_is_a(ctx, "X25519") != 1 ||
      EVP_PKEY_CTX_get_operation(ctx) != EVP_PKEY_OP_KEYGEN) {
    return original(ctx, key);
  }
  const uint64_t before = ExchangeRandomState(0);
  Drawn& known = drawn[before % kDrawn];
  if (known.key == nullptr || known.before != before) {
    ExchangeRandomState(before);
    const int result = original(ctx, key);
    if (result != 1) return result;
    EVP_PKEY_free(known.key);
    EVP_PKEY_up_ref(*key);
    known.before = before;
    known.after = ExchangeRandomState(0);
    known.key = *key;
  } else {
    EVP_PKEY_up_ref(known.key);
    *key = known.key;
  }
  ExchangeRandomState(known.after);
  return 1;
}

// ECDSA_verify(3). A chain's signatures are the same in each execution, and
// most of those over a handshake.
extern "C" int ECDSA_verify(int type, const unsigned char* hash, int hash_size,
                            const unsigned char* signature, int signature_size,
                            EC_KEY* key) {
  static const auto original =
      Original<decltype(&ECDSA_verify)>("ECDSA_verify");
  const EC_POINT* point = EC_KEY_get0_public_key(key);
  const EC_GROUP* group = EC_KEY_get0_group(key);
  uint8_t bytes[512];
  const size_t point_size =
      point == nullptr || hash_size < 0 || hash_size > 64 ||
              signature_size < 0 || signature_size > 200 ||
              EC_GROUP_get_curve_name(group) != NID_X9_62_prime256v1
          ? 0
          : EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED,
                               bytes + 2, 200, nullptr);
  if (point_size == 0) {
    return original(type, hash, hash_size, signature, signature_size, key);
  }
  bytes[0] = static_cast<uint8_t>(hash_size);
  bytes[1] = static_cast<uint8_t>(signature_size);
  uint8_t* end = std::copy(hash, hash + hash_size, bytes + 2 + point_size);
  end = std::copy(signature, signature + signature_size, end);
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(bytes, static_cast<size_t>(end - bytes), digest);
  uint8_t* slot = right[(digest[0] << 8 | digest[1]) % kRight];
  if (std::memcmp(slot, digest, sizeof(digest)) == 0) return 1;
  const int result =
      original(type, hash, hash_size, signature, signature_size, key);
  if (result == 1) std::memcpy(slot, digest, sizeof(digest));
  return result;
}

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
