#include "store_key.h"

#include <openssl/core_names.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace tls_client_cert {

namespace {

Bytes EncodePublicKey(EVP_PKEY* key) {
  uint8_t* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  if (size <= 0) return {};
  Bytes bytes(der, der + size);
  OPENSSL_free(der);
  return bytes;
}

// Between two providers that can sign with keys of a type OpenSSL takes any,
// and gives the default one the public half of a key that it cannot have: it
// has to be told to take the key's own. By what name that one goes in queries
// is not known.
std::string SigningQuery(EVP_PKEY* key, const std::string& given) {
  const OSSL_PROVIDER* provider = EVP_PKEY_get0_provider(key);
  const bool by_default =
      provider == nullptr ||
      std::strcmp(OSSL_PROVIDER_get0_name(provider), "default") == 0;
  if (by_default || given.find("provider") != std::string::npos) return given;
  return given + (given.empty() ? "" : ",") + "?provider!=default";
}

}  // namespace

StoreKey::StoreKey(std::shared_ptr<ProviderLibrary> library, EvpPkeyPointer key,
                   const std::string& property_query)
    : library_(std::move(library)),
      key_(std::move(key)),
      query_(SigningQuery(key_.get(), property_query)) {}

StoreKey::~StoreKey() {
  if (!library_) return;
  const ProviderLibrary::Use use(library_.get());
  key_.reset();
}

Result<std::shared_ptr<StoreKey>> StoreKey::Create(
    std::shared_ptr<ProviderLibrary> library, EvpPkeyPointer key,
    const std::string& property_query) {
  Bytes public_key = EncodePublicKey(key.get());
  if (public_key.empty()) {
    return UnlessOutOfMemory({FailureReason::kStoreUnreadable, 0, "public key",
                              TakeProviderErrors()});
  }
  std::shared_ptr<StoreKey> made(
      new StoreKey(std::move(library), std::move(key), property_query));
  made->public_key_ = std::move(public_key);
  for (const SignatureScheme scheme : SchemesOfKeyType(made->key_.get())) {
    ErrorStack errors;
    // Twice: a method that OpenSSL had no memory to load it takes for missing,
    // and does not say so.
    if (made->Begin(scheme) || made->Begin(scheme)) {
      made->schemes_.push_back(scheme);
    } else if (auto why = TakeProviderErrors(); IsOutOfMemory(why)) {
      // Whoever called has the library's lock.
      made->key_.reset();
      made->library_.reset();
      return Failure{FailureReason::kInternal, 0, "", std::move(why)};
    }
  }
  return made;
}

EvpMdCtxPointer StoreKey::Begin(SignatureScheme scheme) const {
  const int digest = DigestOfScheme(scheme);
  if (digest < 0) return nullptr;
  char pss[] = OSSL_PKEY_RSA_PAD_MODE_PSS;
  char salt_length[] = OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST;
  // RFC 8446, section 4.2.3: the salt is as long as the digest.
  const OSSL_PARAM pss_parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, pss, 0),
      OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN,
                                       salt_length, 0),
      OSSL_PARAM_construct_end()};
  EvpMdCtxPointer context(EVP_MD_CTX_new());
  if (!context ||
      EVP_DigestSignInit_ex(
          context.get(), nullptr,
          digest == NID_undef ? nullptr : OBJ_nid2sn(digest),
          library_->context(), query_.empty() ? nullptr : query_.c_str(),
          key_.get(), IsRsaPss(scheme) ? pss_parameters : nullptr) != 1) {
    return nullptr;
  }
  return context;
}

Result<Bytes> StoreKey::Sign(SignatureScheme scheme, BytesView data) const {
  // A key of another type would sign as well, and under something else.
  if (std::find(schemes_.begin(), schemes_.end(), scheme) == schemes_.end()) {
    return Failure{FailureReason::kStoreSignature, 0, "", {}};
  }
  const ProviderLibrary::Use use(library_.get());
  Bytes signature;
  size_t size = 0;
  const EvpMdCtxPointer context = Begin(scheme);
  bool ok = context != nullptr && EVP_DigestSign(context.get(), nullptr, &size,
                                                 data.data, data.size) == 1;
  if (ok) {
    signature.resize(size);
    ok = EVP_DigestSign(context.get(), signature.data(), &size, data.data,
                        data.size) == 1;
  }
  if (!ok) {
    return UnlessOutOfMemory(
        {FailureReason::kStoreSignature, 0, "", TakeProviderErrors()});
  }
  signature.resize(size);
  return signature;
}

}  // namespace tls_client_cert
