// Keys that are elsewhere: what OpenSSL, or whoever else gets hold of such a
// key, may ask of its provider, in any order and of any shape; and keys shared
// in advance. The input is a list of Calls.
#include <openssl/async.h>
#include <openssl/core_names.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "determinism.h"
#include "external_key.h"
#include "input.h"
#include "require.h"
#include "script_mutator.h"
#include "shared_key.h"
#include "target.h"
#include "world.h"

namespace tls_client_cert::fuzz {

namespace {

constexpr int kMostCalls = 48;

// The numbers are part of saved inputs: add at the end.
enum class Kind : uint8_t {
  kMake,
  kGetParams,
  kInit,
  kSetParams,
  kAskSize,
  kSign,
  kSignOnFibre,
  kSupply,
  kRefuse,
  kMatch,
  kImport,
  kExport,
  kOtherOperation,
  kUpdate,
  kCopy,
  kVerify,
  kSchemes,
  kLeaf,
  kSharedAnswer,
  kSharedRefuse,
  kSharedAwait,
  kSharedAwaitOnFibre,
};
constexpr int kKinds = 22;

struct Call {
  static constexpr size_t kSize = 5;
  Kind kind;
  uint8_t a, b, c, d;
};

constexpr const char* kDigests[] = {
    "SHA256", "SHA2-256", "SHA384", "SHA512",     "SHA1",       "SHA224",
    "MD5",    "",         nullptr,  "SHA3-256",   "BLAKE2b512", "MD5-SHA1",
    "UNDEF",  "no such",  "sha256", "RSA-SHA256", "SHAKE128",   "SM3",
};

constexpr const char* kKeyParams[] = {
    OSSL_PKEY_PARAM_BITS,           OSSL_PKEY_PARAM_SECURITY_BITS,
    OSSL_PKEY_PARAM_MAX_SIZE,       OSSL_PKEY_PARAM_GROUP_NAME,
    OSSL_PKEY_PARAM_DEFAULT_DIGEST, OSSL_PKEY_PARAM_MANDATORY_DIGEST,
    OSSL_PKEY_PARAM_PUB_KEY,        OSSL_PKEY_PARAM_PRIV_KEY,
    OSSL_PKEY_PARAM_RSA_N,          OSSL_PKEY_PARAM_RSA_D,
    OSSL_PKEY_PARAM_EC_PUB_X,       OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY,
    "tls-client-cert-source",       "no such",
};

constexpr const char* kSigningParams[] = {
    OSSL_SIGNATURE_PARAM_PAD_MODE,     OSSL_SIGNATURE_PARAM_PSS_SALTLEN,
    OSSL_SIGNATURE_PARAM_MGF1_DIGEST,  OSSL_SIGNATURE_PARAM_DIGEST,
    OSSL_SIGNATURE_PARAM_ALGORITHM_ID, "no such",
};

constexpr const char* kTexts[] = {
    "pss", "pkcs1", "none",   "oaep", "",   "digest", "max",   "auto",
    "20",  "-5",    "SHA256", "p",    "ps", "psss",   "P-256",
};

constexpr unsigned kTypes[] = {
    OSSL_PARAM_INTEGER,
    OSSL_PARAM_UNSIGNED_INTEGER,
    OSSL_PARAM_REAL,
    OSSL_PARAM_UTF8_STRING,
    OSSL_PARAM_OCTET_STRING,
    OSSL_PARAM_UTF8_PTR,
    OSSL_PARAM_OCTET_PTR,
    0,
    99,
};

// Parameters of any type and size. Their memory is as long as they say it is,
// as OSSL_PARAM(3) has it, and no longer; a text has no end but its size.
class Params {
 public:
  // OpenSSL itself takes for granted that a text ends with a zero, and that
  // there is something: so does what we hand on to it, unread.
  explicit Params(bool handed_on = false) : handed_on_(handed_on) {}

  template <size_t N>
  void Add(const char* const (&names)[N], const Call& call) {
    if (count_ == std::size(params_) - 1) return;
    const size_t size = std::max<size_t>(call.d & 0x3f, handed_on_ ? 1 : 0);
    Storage& storage = storages_[count_];
    storage = Storage(handed_on_ ? size + 1 : size);
    if (handed_on_) storage.memory[size] = 0;
    const char* text = kTexts[call.c % std::size(kTexts)];
    if (size > 0) {
      std::memset(storage.memory.get(), call.c, size);
      const size_t copied = std::min(size, std::strlen(text));
      if ((call.d & 0x40) == 0) std::memcpy(storage.memory.get(), text, copied);
    }
    OSSL_PARAM& param = params_[count_];
    param.key = names[call.a % N];
    param.data_type = kTypes[call.b % std::size(kTypes)];
    param.data =
        (call.d & 0x80) != 0 && !handed_on_ ? nullptr : storage.memory.get();
    param.data_size = size;
    param.return_size = OSSL_PARAM_UNMODIFIED;
    // A pointer is one, to something that is there.
    if (param.data_type == OSSL_PARAM_UTF8_PTR ||
        param.data_type == OSSL_PARAM_OCTET_PTR) {
      pointers_[count_] = text;
      param.data = &pointers_[count_];
      param.data_size = std::strlen(text);
    }
    count_++;
    params_[count_] = OSSL_PARAM_construct_end();
  }

  OSSL_PARAM* get() { return params_; }

 private:
  OSSL_PARAM params_[4] = {OSSL_PARAM_construct_end()};
  Storage storages_[4];
  const char* pointers_[4] = {};
  size_t count_ = 0;
  bool handed_on_;
};

class Machine {
 public:
  Machine() { Make({Kind::kMake, 0, 0, 0, 0}); }
  ~Machine() {
    // A fibre is always ended before what it works with goes.
    EndJob();
  }

  void Perform(const Call& call);

 private:
  struct Signing {
    EVP_MD_CTX* ctx;
    size_t room;
  };
  struct Waiting {
    SharedKey* shared;
    const char* hint;
    unsigned identity_size;
    unsigned key_size;
  };

  void Make(const Call& call);
  void Init(const Call& call);
  void Import(const Call& call);
  void Export(const Call& call);
  void OtherOperation(const Call& call);
  void StartSigning(const Call& call);
  void StartWaiting(const Call& call);
  void Start(int (*function)(void*), void* arguments, size_t size);
  void Resume();
  void EndJob();
  const Person& Whose() const {
    return TheWorld().people[who_ % TheWorld().people.size()];
  }

  static int SignNow(void* arguments);
  static int AwaitNow(void* arguments);

  size_t who_ = 0;
  ExternalSignature signature_;
  SharedKey shared_;
  EvpPkeyPointer key_;
  EvpMdCtxPointer md_;
  EVP_PKEY_CTX* key_ctx_ = nullptr;  // the EVP_MD_CTX's
  ASYNC_JOB* job_ = nullptr;
  ASYNC_WAIT_CTX* wait_ = nullptr;
};

void Machine::Make(const Call& call) {
  EndJob();
  md_.reset();
  key_ctx_ = nullptr;
  who_ = call.a;
  std::vector<SignatureScheme> schemes;
  static constexpr SignatureScheme kSome[] = {0x0403, 0x0804, 0x0401, 0x0807,
                                              0x0603, 0xffff, 0x0201, 0x0809};
  for (size_t i = 0; i < std::size(kSome); i++) {
    if ((call.b >> i & 1) != 0) schemes.push_back(kSome[i]);
  }
  key_ = MakeExternalKey(X509_get0_pubkey(Whose().identity.certificate.get()),
                         schemes, (call.c & 1) != 0 ? nullptr : &signature_);
  REQUIRE(key_ != nullptr);
}

void Machine::Init(const Call& call) {
  Params params;
  if ((call.a & 1) != 0)
    params.Add(kSigningParams, {call.kind, 0, call.a, call.b, call.c});
  md_.reset(EVP_MD_CTX_new());
  key_ctx_ = nullptr;
  if (EVP_DigestSignInit_ex(md_.get(), &key_ctx_,
                            kDigests[call.d % std::size(kDigests)], nullptr,
                            nullptr, key_.get(), params.get()) != 1) {
    md_.reset();
    key_ctx_ = nullptr;
  }
}

// As OpenSSL does when it looks whether two keys are one; and as nobody does.
void Machine::Import(const Call& call) {
  const EvpPkeyCtxPointer ctx(
      EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
  Params params(true);
  params.Add(kKeyParams, call);
  EVP_PKEY* made = nullptr;
  if (ctx) EVP_PKEY_fromdata_settable(ctx.get(), EVP_PKEY_KEYPAIR);
  if (!ctx || EVP_PKEY_fromdata_init(ctx.get()) != 1) return;
  EVP_PKEY_fromdata(ctx.get(), &made,
                    (call.d & 1) != 0 ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                    params.get());
  const EvpPkeyPointer owner(made);
  if (made == nullptr) return;
  // Without a source it has nothing to sign with.
  const EvpMdCtxPointer md(EVP_MD_CTX_new());
  size_t size = 0;
  uint8_t byte = 0;
  uint8_t out[512];
  size = sizeof(out);
  if (EVP_DigestSignInit_ex(md.get(), nullptr, "SHA256", nullptr, nullptr, made,
                            nullptr) == 1) {
    REQUIRE(EVP_DigestSign(md.get(), out, &size, &byte, 1) != 1);
  }
}

// There is no private half to get, whoever asks how.
void Machine::Export(const Call& call) {
  const BioPointer bio(BIO_new(BIO_s_mem()));
  switch (call.a % 6) {
    case 0:
      REQUIRE(PEM_write_bio_PrivateKey(bio.get(), key_.get(), nullptr, nullptr,
                                       0, nullptr, nullptr) != 1);
      break;
    case 1:
      EVP_PKEY_print_private(bio.get(), key_.get(), 0, nullptr);
      break;
    case 2: {
      OSSL_PARAM* params = nullptr;
      if (EVP_PKEY_todata(key_.get(), EVP_PKEY_KEYPAIR, &params) == 1) {
        OSSL_PARAM_free(params);
      }
      break;
    }
    case 3: {
      const EvpPkeyPointer copy(EVP_PKEY_dup(key_.get()));
      break;
    }
    case 4: {
      uint8_t raw[64];
      size_t size = sizeof(raw);
      REQUIRE(EVP_PKEY_get_raw_private_key(key_.get(), raw, &size) != 1);
      break;
    }
    default:
      PEM_write_bio_PUBKEY(bio.get(), key_.get());
  }
}

void Machine::OtherOperation(const Call& call) {
  const EvpPkeyCtxPointer ctx(
      EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
  if (!ctx) return;
  switch (call.a % 8) {
    case 0:
      REQUIRE(EVP_PKEY_sign_init(ctx.get()) != 1);
      break;
    case 1:
      EVP_PKEY_verify_init(ctx.get());
      break;
    case 2:
      EVP_PKEY_encrypt_init(ctx.get());
      break;
    case 3:
      EVP_PKEY_decrypt_init(ctx.get());
      break;
    case 4:
      EVP_PKEY_derive_init(ctx.get());
      break;
    case 5:
      EVP_PKEY_keygen_init(ctx.get());
      break;
    case 6:
      EVP_PKEY_check(ctx.get());
      break;
    default:
      EVP_PKEY_pairwise_check(ctx.get());
  }
}

int Machine::SignNow(void* arguments) {
  const Signing signing = *static_cast<Signing*>(arguments);
  // On the heap, so that one byte too many is seen.
  Storage out(signing.room);
  const uint8_t data[] = "what is to be signed";
  size_t size = signing.room;
  const int done =
      EVP_DigestSign(signing.ctx, out.memory.get(), &size, data, sizeof(data));
  if (done == 1 && signing.room > 0) REQUIRE(size <= signing.room);
  return done == 1 ? 1 : 0;
}

int Machine::AwaitNow(void* arguments) {
  const Waiting waiting = *static_cast<Waiting*>(arguments);
  Storage identity(waiting.identity_size);
  Storage key(waiting.key_size);
  const unsigned size = waiting.shared->Await(
      waiting.hint, reinterpret_cast<char*>(identity.memory.get()),
      waiting.identity_size, key.memory.get(), waiting.key_size);
  REQUIRE(size <= waiting.key_size);
  return 1;
}

void Machine::Start(int (*function)(void*), void* arguments, size_t size) {
  if (job_ != nullptr || function == nullptr) return;
  wait_ = ASYNC_WAIT_CTX_new();
  int result = 0;
  if (ASYNC_start_job(&job_, wait_, &result, function, arguments, size) !=
      ASYNC_PAUSE) {
    job_ = nullptr;
    ASYNC_WAIT_CTX_free(wait_);
    wait_ = nullptr;
  }
}

void Machine::Resume() {
  if (job_ == nullptr) return;
  int result = 0;
  if (ASYNC_start_job(&job_, wait_, &result, nullptr, nullptr, 0) ==
      ASYNC_PAUSE) {
    return;
  }
  job_ = nullptr;
  ASYNC_WAIT_CTX_free(wait_);
  wait_ = nullptr;
}

void Machine::EndJob() {
  while (job_ != nullptr) {
    signature_.Refuse();
    shared_.Refuse();
    Resume();
  }
}

void Machine::StartSigning(const Call& call) {
  if (!md_ || job_ != nullptr) return;
  Signing signing{md_.get(), static_cast<size_t>(call.a) << (call.b & 1)};
  Start(SignNow, &signing, sizeof(signing));
}

void Machine::StartWaiting(const Call& call) {
  static constexpr const char* kHints[] = {nullptr, "", "a hint"};
  Waiting waiting{&shared_, kHints[call.a % 3], call.b, call.c};
  if (call.kind == Kind::kSharedAwaitOnFibre) {
    Start(AwaitNow, &waiting, sizeof(waiting));
  } else if (job_ == nullptr) {
    AwaitNow(&waiting);
  }
}

void Machine::Perform(const Call& call) {
  // While a fibre waits, nobody else touches what it works with.
  const bool free = job_ == nullptr;
  const Bytes some(static_cast<size_t>(call.a) << (call.b & 1), call.c);
  switch (call.kind) {
    case Kind::kMake:
      Make(call);
      break;
    case Kind::kGetParams: {
      Params params;
      params.Add(kKeyParams, call);
      EVP_PKEY_get_params(key_.get(), params.get());
      REQUIRE(EVP_PKEY_gettable_params(key_.get()) != nullptr);
      break;
    }
    case Kind::kInit:
      if (free) Init(call);
      break;
    case Kind::kSetParams: {
      if (key_ctx_ == nullptr || !free) break;
      Params params;
      params.Add(kSigningParams, call);
      EVP_PKEY_CTX_set_params(key_ctx_, params.get());
      break;
    }
    case Kind::kAskSize: {
      if (!md_ || !free) break;
      size_t size = 0;
      const int done = EVP_DigestSign(md_.get(), nullptr, &size, nullptr, 0);
      if (done == 1) REQUIRE(size > 0);
      break;
    }
    case Kind::kSign: {
      if (!md_ || !free) break;
      Signing signing{md_.get(), static_cast<size_t>(call.a) + 1};
      // Nobody can be waited for here.
      REQUIRE(SignNow(&signing) == 0);
      break;
    }
    case Kind::kSignOnFibre:
      StartSigning(call);
      break;
    case Kind::kSupply:
      signature_.Supply(some);
      Resume();
      break;
    case Kind::kRefuse:
      signature_.Refuse();
      Resume();
      break;
    case Kind::kMatch:
      EVP_PKEY_eq(key_.get(), TheWorld().people[call.a % 3].identity.key.get());
      EVP_PKEY_eq(TheWorld().people[call.a % 3].external->key(), key_.get());
      break;
    case Kind::kImport:
      Import(call);
      break;
    case Kind::kExport:
      Export(call);
      break;
    case Kind::kOtherOperation:
      OtherOperation(call);
      break;
    case Kind::kUpdate:
      if (md_ && free)
        EVP_DigestSignUpdate(md_.get(), some.data(), some.size());
      break;
    case Kind::kCopy: {
      if (!md_ || !free) break;
      const EvpMdCtxPointer copy(EVP_MD_CTX_new());
      EVP_MD_CTX_copy_ex(copy.get(), md_.get());
      break;
    }
    case Kind::kVerify:
      signature_.IsMadeBy(X509_get0_pubkey(Whose().identity.certificate.get()),
                          some);
      break;
    case Kind::kSchemes:
      KeyFitsScheme(key_.get(),
                    static_cast<SignatureScheme>(call.a << 8 | call.b),
                    (call.c & 1) != 0 ? TLS1_3_VERSION : TLS1_2_VERSION);
      SchemesOfKeyType(key_.get());
      break;
    case Kind::kLeaf:
      REQUIRE(X509_check_private_key(Whose().identity.certificate.get(),
                                     key_.get()) == 1);
      break;
    case Kind::kSharedAnswer:
      shared_.Answer(std::string(call.d, 'm'), some);
      Resume();
      break;
    case Kind::kSharedRefuse:
      shared_.Refuse();
      Resume();
      break;
    case Kind::kSharedAwait:
    case Kind::kSharedAwaitOnFibre:
      StartWaiting(call);
      break;
  }
  ERR_clear_error();
}

}  // namespace

void Execute(BytesView bytes) {
  Input input(bytes);
  SeedRandomNumbers(1);
  Machine machine;
  for (int i = 0; i < kMostCalls && !input.empty(); i++) {
    Call call;
    call.kind = static_cast<Kind>(input.Byte() % kKinds);
    call.a = input.Byte();
    call.b = input.Byte();
    call.c = input.Byte();
    call.d = input.Byte();
    machine.Perform(call);
  }
}

}  // namespace tls_client_cert::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  tls_client_cert::fuzz::TheWorld();
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                          size_t max_size, unsigned seed) {
  return tls_client_cert::fuzz::MutateScript(
      data, size, max_size, seed, 0, tls_client_cert::fuzz::Call::kSize);
}
