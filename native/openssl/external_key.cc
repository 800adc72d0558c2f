#include "external_key.h"

#include <openssl/async.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>
#include <new>
#include <string>
#include <utility>

// OpenSSL finds what to sign with by a key's provider. Ours, provider(7), is
// built in and lives in a library context of its own: nobody else's keys can
// get into it, nor a fetch of somebody else's find it.

namespace tls_client_cert {

namespace {

constexpr const char* kProviderName = "tls-client-cert";
// The one parameter by which MakeExternalKey hands over a KeySource.
constexpr const char* kSourceParam = "tls-client-cert-source";

constexpr char kRsa[] = "RSA";
constexpr char kRsaPss[] = "RSA-PSS";
constexpr char kEc[] = "EC";
constexpr char kEd25519[] = "ED25519";
constexpr char kEd448[] = "ED448";

struct KeySource {
  EVP_PKEY* public_key;
  const std::vector<SignatureScheme>* schemes;
  ExternalSignature* signature;
};

// ---- keymgmt: provider-keymgmt(7)

// `type` is what the functions below cannot know otherwise.
struct Key {
  const char* type = nullptr;
  EvpPkeyPointer public_key;
  bool is_private = false;
  std::vector<SignatureScheme> schemes;
  ExternalSignature* signature = nullptr;
};

template <typename T>
T* New() {
  return new (std::nothrow) T();
}

template <const char* Type>
void* NewKey(void*) {
  Key* key = New<Key>();
  if (key != nullptr) key->type = Type;
  return key;
}

void FreeKey(void* key) { delete static_cast<Key*>(key); }

int KeyHas(const void* of, int selection) {
  const Key& key = *static_cast<const Key*>(of);
  if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0) {
    return key.is_private ? 1 : 0;
  }
  return key.public_key ? 1 : 0;
}

int MatchKeys(const void* one, const void* other, int) {
  const EVP_PKEY* first = static_cast<const Key*>(one)->public_key.get();
  const EVP_PKEY* second = static_cast<const Key*>(other)->public_key.get();
  return first != nullptr && second != nullptr &&
         EVP_PKEY_eq(first, second) == 1;
}

// Ours brings a KeySource; OpenSSL brings a certificate's public key, to match.
int ImportKey(void* into, int, const OSSL_PARAM params[]) {
  Key* key = static_cast<Key*>(into);
  if (const OSSL_PARAM* param = OSSL_PARAM_locate_const(params, kSourceParam)) {
    const void* pointer = nullptr;
    size_t size = 0;
    if (OSSL_PARAM_get_octet_ptr(param, &pointer, &size) != 1 ||
        size != sizeof(KeySource)) {
      return 0;
    }
    const KeySource* source = static_cast<const KeySource*>(pointer);
    if (EVP_PKEY_up_ref(source->public_key) != 1) return 0;
    key->public_key.reset(source->public_key);
    key->is_private = true;
    key->schemes = *source->schemes;
    key->signature = source->signature;
    return 1;
  }
  const EvpPkeyCtxPointer ctx(
      EVP_PKEY_CTX_new_from_name(nullptr, key->type, nullptr));
  EVP_PKEY* imported = nullptr;
  if (!ctx || EVP_PKEY_fromdata_init(ctx.get()) != 1 ||
      EVP_PKEY_fromdata(ctx.get(), &imported, EVP_PKEY_PUBLIC_KEY,
                        const_cast<OSSL_PARAM*>(params)) != 1) {
    return 0;
  }
  key->public_key.reset(imported);
  return 1;
}

bool AllowsPss(const Key& key) {
  return key.schemes.empty() ||
         std::any_of(key.schemes.begin(), key.schemes.end(), IsRsaPss);
}

// What OpenSSL asks of a key it asks of the public half.
int GetKeyParams(void* of, OSSL_PARAM params[]) {
  const Key& key = *static_cast<const Key*>(of);
  if (!key.public_key ||
      EVP_PKEY_get_params(key.public_key.get(), params) != 1) {
    return 0;
  }
  // OpenSSL has no way to ask whether a key can do RSA-PSS, only whether it
  // is long enough for it; the length of a signature it learns when it signs.
  OSSL_PARAM* size = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_MAX_SIZE);
  if (size != nullptr && !AllowsPss(key)) return OSSL_PARAM_set_int(size, 1);
  return 1;
}

const OSSL_PARAM* GettableKeyParams(void*) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, nullptr),
      OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, nullptr),
      OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, nullptr),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, nullptr, 0),
      OSSL_PARAM_END};
  return params;
}

const OSSL_PARAM* ImportTypes(int) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_octet_ptr(kSourceParam, nullptr, 0), OSSL_PARAM_END};
  return params;
}

template <const char* Type>
const char* OperationName(int operation) {
  return operation == OSSL_OP_SIGNATURE && Type == kEc ? "ECDSA" : Type;
}

// ---- signature: provider-signature(7)

struct Signing {
  const Key* key = nullptr;
  SignatureForm form;
};

void* NewSigning(void*, const char*) { return New<Signing>(); }

void FreeSigning(void* signing) { delete static_cast<Signing*>(signing); }

// By any of its names: libssl has several for one.
int DigestByName(const char* name) {
  if (name == nullptr || *name == '\0') return NID_undef;
  const EVP_MD* digest = EVP_get_digestbyname(name);
  return digest == nullptr ? -1 : EVP_MD_get_type(digest);
}

// As OSSL_PARAM(3) has it, a text ends where its size says, with no zero there.
bool IsText(const OSSL_PARAM& param, const std::string& text) {
  const char* data = static_cast<const char*>(param.data);
  return text.compare(0, text.npos, data, strnlen(data, param.data_size)) == 0;
}

int SetSigningParams(void* of, const OSSL_PARAM params[]) {
  Signing* signing = static_cast<Signing*>(of);
  const OSSL_PARAM* padding =
      params == nullptr
          ? nullptr
          : OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
  if (padding == nullptr) return 1;
  // OpenSSL's getters do not look whether there is anything.
  if (padding->data == nullptr || padding->data_size == 0) return 0;
  int mode = 0;
  if (padding->data_type == OSSL_PARAM_UTF8_STRING) {
    signing->form.pss = IsText(*padding, "pss");
    return 1;
  }
  if (OSSL_PARAM_get_int(padding, &mode) != 1) return 0;
  signing->form.pss = mode == RSA_PKCS1_PSS_PADDING;
  return 1;
}

// The salt is as long as the digest in all of TLS (RFC 8446, section 4.2.3).
const OSSL_PARAM* SettableSigningParams(void*, void*) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, nullptr, 0),
      OSSL_PARAM_END};
  return params;
}

int InitSigning(void* of, const char* digest_name, void* with,
                const OSSL_PARAM params[]) {
  Signing* signing = static_cast<Signing*>(of);
  signing->key = static_cast<const Key*>(with);
  signing->form = SignatureForm();
  signing->form.digest = DigestByName(digest_name);
  // TLS has a scheme with SHA-224 that has no name (RFC 8446, section 4.2.3).
  if (signing->form.digest < 0 || signing->form.digest == NID_sha224) return 0;
  signing->form.pss = std::strcmp(signing->key->type, "RSA-PSS") == 0;
  // This is also how OpenSSL asks whether a key can sign with a digest.
  const std::vector<SignatureScheme>& schemes = signing->key->schemes;
  const auto has_digest = [&](SignatureScheme scheme) {
    return DigestOfScheme(scheme) == signing->form.digest;
  };
  if (!schemes.empty() &&
      std::none_of(schemes.begin(), schemes.end(), has_digest)) {
    return 0;
  }
  // An RSA-PSS key may be bound to one digest (RFC 4055, section 3.1).
  const EvpMdCtxPointer ctx(EVP_MD_CTX_new());
  if (signing->form.pss &&
      (!ctx || EVP_DigestVerifyInit_ex(ctx.get(), nullptr, digest_name, nullptr,
                                       nullptr, signing->key->public_key.get(),
                                       nullptr) != 1)) {
    return 0;
  }
  return SetSigningParams(of, params);
}

int Sign(void* of, uint8_t* out, size_t* size, size_t room, const uint8_t* data,
         size_t data_size) {
  const Signing& signing = *static_cast<const Signing*>(of);
  const Key& key = *signing.key;
  if (!key.public_key) return 0;
  if (out == nullptr) {
    *size = static_cast<size_t>(EVP_PKEY_get_size(key.public_key.get()));
    return 1;
  }
  ExternalSignature* answer = key.signature;
  if (answer == nullptr || !answer->Await({data, data_size}, signing.form)) {
    return 0;
  }
  const Bytes& signature = answer->signature();
  if (signature.empty() || signature.size() > room) return 0;
  *size = signature.size();
  std::memcpy(out, signature.data(), *size);
  return 1;
}

// ---- the provider

using Function = void (*)(void);

#define TCC_FUNCTION(id, function) {id, reinterpret_cast<Function>(function)}

template <const char* Type>
const OSSL_DISPATCH* KeyFunctions() {
  static const OSSL_DISPATCH functions[] = {
      TCC_FUNCTION(OSSL_FUNC_KEYMGMT_NEW, NewKey<Type>),
      TCC_FUNCTION(OSSL_FUNC_KEYMGMT_FREE, FreeKey),
      TCC_FUNCTION(OSSL_FUNC_KEYMGMT_HAS, KeyHas),
      TCC_FUNCTION(OSSL_FUNC_KEYMGMT_MATCH, MatchKeys),
      TCC_FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT, ImportKey),
      TCC_FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, ImportTypes),
      TCC_FUNCTION(OSSL_FUNC_KEYMGMT_GET_PARAMS, GetKeyParams),
      TCC_FUNCTION(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, GettableKeyParams),
      TCC_FUNCTION(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, OperationName<Type>),
      {0, nullptr}};
  return functions;
}

const OSSL_DISPATCH kSignatureFunctions[] = {
    TCC_FUNCTION(OSSL_FUNC_SIGNATURE_NEWCTX, NewSigning),
    TCC_FUNCTION(OSSL_FUNC_SIGNATURE_FREECTX, FreeSigning),
    TCC_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, InitSigning),
    TCC_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, Sign),
    TCC_FUNCTION(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, SetSigningParams),
    TCC_FUNCTION(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS,
                 SettableSigningParams),
    {0, nullptr}};

const OSSL_ALGORITHM* QueryOperation(void*, int operation, int* no_store) {
  constexpr const char* kProperties = "provider=tls-client-cert";
  // All names by which libssl may ask whether a key is of a type.
  static const OSSL_ALGORITHM keys[] = {
      {"RSA:rsaEncryption:1.2.840.113549.1.1.1", kProperties,
       KeyFunctions<kRsa>(), ""},
      {"RSA-PSS:RSASSA-PSS:1.2.840.113549.1.1.10", kProperties,
       KeyFunctions<kRsaPss>(), ""},
      {"EC:id-ecPublicKey:1.2.840.10045.2.1", kProperties, KeyFunctions<kEc>(),
       ""},
      {"ED25519:1.3.101.112", kProperties, KeyFunctions<kEd25519>(), ""},
      {"ED448:1.3.101.113", kProperties, KeyFunctions<kEd448>(), ""},
      {nullptr, nullptr, nullptr, nullptr}};
  static const OSSL_ALGORITHM signatures[] = {
      {"RSA", kProperties, kSignatureFunctions, ""},
      {"RSA-PSS", kProperties, kSignatureFunctions, ""},
      {"ECDSA", kProperties, kSignatureFunctions, ""},
      {"ED25519", kProperties, kSignatureFunctions, ""},
      {"ED448", kProperties, kSignatureFunctions, ""},
      {nullptr, nullptr, nullptr, nullptr}};
  *no_store = 0;
  if (operation == OSSL_OP_KEYMGMT) return keys;
  if (operation == OSSL_OP_SIGNATURE) return signatures;
  return nullptr;
}

// OSSL_PROVIDER_add_builtin(3)
int InitProvider(const OSSL_CORE_HANDLE* handle, const OSSL_DISPATCH*,
                 const OSSL_DISPATCH** out, void** context) {
  static const OSSL_DISPATCH functions[] = {
      TCC_FUNCTION(OSSL_FUNC_PROVIDER_QUERY_OPERATION, QueryOperation),
      {0, nullptr}};
  *out = functions;
  // There is nothing to keep, but null would mean that there is no provider.
  *context = const_cast<OSSL_CORE_HANDLE*>(handle);
  return 1;
}

#undef TCC_FUNCTION

// OpenSSL loads a provider's methods once. One that it had no memory for then
// it would miss ever after.
bool HasAllMethods(OSSL_LIB_CTX* context) {
  const auto has = [&](const char* key, const char* signature) {
    EVP_KEYMGMT* keymgmt = EVP_KEYMGMT_fetch(context, key, nullptr);
    EVP_SIGNATURE* method = EVP_SIGNATURE_fetch(context, signature, nullptr);
    const bool both = keymgmt != nullptr && method != nullptr;
    EVP_KEYMGMT_free(keymgmt);
    EVP_SIGNATURE_free(method);
    return both;
  };
  return has(kRsa, kRsa) && has(kRsaPss, kRsaPss) && has(kEc, "ECDSA") &&
         has(kEd25519, kEd25519) && has(kEd448, kEd448);
}

// Never freed: a key of another thread may outlive any of us. Null for want of
// memory, which the next call may find.
OSSL_LIB_CTX* LibraryContext() {
  static std::atomic<OSSL_LIB_CTX*> context{nullptr};
  OSSL_LIB_CTX* known = context;
  if (known != nullptr) return known;
  OSSL_LIB_CTX* made = OSSL_LIB_CTX_new();
  if (made == nullptr) return nullptr;
  OSSL_PROVIDER* provider = nullptr;
  if (OSSL_PROVIDER_add_builtin(made, kProviderName, InitProvider) == 1) {
    provider = OSSL_PROVIDER_load(made, kProviderName);
  }
  if (provider != nullptr && HasAllMethods(made) &&
      context.compare_exchange_strong(known, made)) {
    return made;
  }
  // Another thread was first, or memory was short. The context would leave a
  // loaded provider behind.
  if (provider != nullptr) OSSL_PROVIDER_unload(provider);
  OSSL_LIB_CTX_free(made);
  return context;
}

}  // namespace

void ExternalSignature::Supply(Bytes signature) {
  signature_ = std::move(signature);
  state_ = State::kSupplied;
}

bool ExternalSignature::Await(BytesView data, SignatureForm form) {
  if (discarded_) {
    signature_ = {0};
    return true;
  }
  if (ASYNC_get_current_job() == nullptr) {
    state_ = State::kRefused;
    return false;
  }
  data_.assign(data.data, data.data + data.size);
  form_ = form;
  state_ = State::kWanted;
  const bool paused = ASYNC_pause_job() == 1;
  const bool supplied = paused && state_ == State::kSupplied;
  if (!paused) state_ = State::kRefused;
  if (supplied) state_ = State::kIdle;
  Bytes().swap(data_);
  return supplied;
}

std::optional<bool> ExternalSignature::IsMadeBy(EVP_PKEY* key,
                                                BytesView signature) const {
  const EvpMdCtxPointer ctx(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_ctx = nullptr;  // the EVP_MD_CTX's
  const char* digest =
      form_.digest == NID_undef ? nullptr : OBJ_nid2sn(form_.digest);
  if (!ctx || EVP_DigestVerifyInit_ex(ctx.get(), &key_ctx, digest, nullptr,
                                      nullptr, key, nullptr) != 1) {
    return std::nullopt;
  }
  if (form_.pss &&
      (EVP_PKEY_CTX_set_rsa_padding(key_ctx, RSA_PKCS1_PSS_PADDING) != 1 ||
       EVP_PKEY_CTX_set_rsa_pss_saltlen(key_ctx, RSA_PSS_SALTLEN_DIGEST) !=
           1)) {
    return std::nullopt;
  }
  return EVP_DigestVerify(ctx.get(), signature.data, signature.size,
                          data_.data(), data_.size()) == 1;
}

bool ExternalKeysWork() { return ASYNC_is_capable() == 1; }

bool IsExternalKeyType(EVP_PKEY* public_key) {
  const char* const types[] = {kRsa, kRsaPss, kEc, kEd25519, kEd448};
  return std::any_of(std::begin(types), std::end(types), [&](const char* type) {
    return EVP_PKEY_is_a(public_key, type) == 1;
  });
}

EvpPkeyPointer MakeExternalKey(EVP_PKEY* public_key,
                               const std::vector<SignatureScheme>& schemes,
                               ExternalSignature* signature) {
  OSSL_LIB_CTX* context = LibraryContext();
  const char* type = EVP_PKEY_get0_type_name(public_key);
  if (context == nullptr || type == nullptr) return nullptr;
  KeySource source{public_key, &schemes, signature};
  void* pointer = &source;
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_ptr(kSourceParam, &pointer, sizeof(source)),
      OSSL_PARAM_construct_end()};
  const EvpPkeyCtxPointer ctx(
      EVP_PKEY_CTX_new_from_name(context, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!ctx || EVP_PKEY_fromdata_init(ctx.get()) != 1 ||
      EVP_PKEY_fromdata(ctx.get(), &key, EVP_PKEY_KEYPAIR,
                        const_cast<OSSL_PARAM*>(params)) != 1) {
    return nullptr;
  }
  return EvpPkeyPointer(key);
}

}  // namespace tls_client_cert
