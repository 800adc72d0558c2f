#include "credential.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <string>
#include <utility>

#include "certificate_reader.h"
#include "external_key.h"
#include "key_reader.h"

namespace tls_client_cert {

namespace {

bool IsSelfIssued(const X509* certificate) {
  return X509_NAME_cmp(X509_get_subject_name(certificate),
                       X509_get_issuer_name(certificate)) == 0;
}

bool IsIn(const STACK_OF(X509) * chain, const X509* certificate) {
  for (int i = 0; i < sk_X509_num(chain); i++) {
    if (X509_cmp(sk_X509_value(chain, i), certificate) == 0) return true;
  }
  return false;
}

bool IsNamedIssuer(const X509* issuer, const X509* certificate) {
  return X509_NAME_cmp(X509_get_subject_name(issuer),
                       X509_get_issuer_name(certificate)) == 0;
}

// A PFX keeps its certificates in no order; TLS 1.2 wants each to certify the
// one before (RFC 5246, section 7.4.2). The root stays out: the server has it.
X509StackPointer OrderChain(X509* leaf, STACK_OF(X509) * pool) {
  X509StackPointer chain(sk_X509_new_null());
  if (!chain) return nullptr;
  X509* current = leaf;
  while (!IsSelfIssued(current)) {
    X509* issuer = nullptr;
    for (int i = 0; i < sk_X509_num(pool) && issuer == nullptr; i++) {
      X509* candidate = sk_X509_value(pool, i);
      const int checked = X509_check_issued(candidate, current);
      if (checked == X509_V_OK) {
        issuer = candidate;
      } else if (checked == X509_V_ERR_UNSPECIFIED ||
                 checked == X509_V_ERR_OUT_OF_MEM) {
        // Extensions that cannot be read, or no memory to read them: a chain
        // without it might be cut short.
        if (IsNamedIssuer(candidate, current)) return nullptr;
      }
    }
    if (issuer == nullptr || IsSelfIssued(issuer)) break;
    // Certificates may issue each other in a circle: once around is enough.
    if (IsIn(chain.get(), issuer)) break;
    if (X509_up_ref(issuer) != 1) return nullptr;
    if (sk_X509_push(chain.get(), issuer) == 0) {
      X509_free(issuer);
      return nullptr;
    }
    current = issuer;
  }
  return chain;
}

// PKCS12_parse(3) wants a terminated string, and its copy must not stay
// behind in freed memory.
class TerminatedSecret {
 public:
  explicit TerminatedSecret(BytesView secret)
      : text_(secret.chars(), secret.size) {}
  ~TerminatedSecret() { OPENSSL_cleanse(text_.data(), text_.size()); }
  TerminatedSecret(const TerminatedSecret&) = delete;
  TerminatedSecret& operator=(const TerminatedSecret&) = delete;

  const char* get() const { return text_.c_str(); }

 private:
  std::string text_;
};

Failure PfxFailure(bool has_passphrase) {
  const bool differs =
      ErrorStack::LastIs(ERR_LIB_PKCS12, PKCS12_R_MAC_VERIFY_FAILURE);
  FailureReason reason = FailureReason::kPfxUnreadable;
  if (differs) {
    reason = has_passphrase ? FailureReason::kPfxPassphraseWrong
                            : FailureReason::kPfxPassphraseMissing;
  }
  Failure failure = TakeFailure(reason);
  if (failure.reason == FailureReason::kInternal) return failure;
  const auto says = [&failure](int why) {
    return std::any_of(failure.stack.begin(), failure.stack.end(),
                       [why](const ErrorRecord& record) {
                         return ERR_GET_REASON(record.code) == why;
                       });
  };
  // RC2-40, Whirlpool and their like are in OpenSSL 3's legacy provider only;
  // and there are ways to make a MAC that are newer than some OpenSSL.
  if (says(ERR_R_UNSUPPORTED) ||
      (differs && says(PKCS12_R_UNKNOWN_DIGEST_ALGORITHM))) {
    failure.reason = FailureReason::kPfxUnsupported;
  } else if (differs && says(PKCS12_R_MAC_GENERATION_ERROR)) {
    // OpenSSL says that it differs also where it could not compute the other.
    failure.reason = FailureReason::kInternal;
  }
  return failure;
}

// The leaf, which may bring its chain along, and what follows it.
std::optional<Failure> ReadChain(BytesView certificate,
                                 const std::vector<BytesView>& rest,
                                 X509Pointer* leaf, X509StackPointer* chain) {
  std::vector<X509Pointer> certificates;
  if (!ReadCertificates(certificate, &certificates)) {
    return TakeFailure(FailureReason::kCertificateUnreadable);
  }
  for (size_t i = 0; i < rest.size(); i++) {
    if (!ReadCertificates(rest[i], &certificates)) {
      return TakeFailure(FailureReason::kChainUnreadable, static_cast<int>(i));
    }
  }
  chain->reset(sk_X509_new_null());
  bool pushed = *chain != nullptr;
  for (size_t i = 1; pushed && i < certificates.size(); i++) {
    pushed = sk_X509_push(chain->get(), certificates[i].get()) > 0;
    if (pushed) certificates[i].release();  // NOLINT: the stack owns it now
  }
  if (!pushed) {
    return TakeFailure(FailureReason::kInternal);
  }
  *leaf = std::move(certificates[0]);
  return std::nullopt;
}

// X509_check_private_key(3) said no: that the keys are not a pair, or that it
// could not find out.
Failure TakeMismatch() {
  const bool differs =
      ErrorStack::LastIs(ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH) ||
      ErrorStack::LastIs(ERR_LIB_X509, X509_R_KEY_TYPE_MISMATCH);
  return TakeFailure(differs ? FailureReason::kKeyMismatch
                             : FailureReason::kInternal);
}

Bytes FingerprintOf(const X509* certificate) {
  Bytes digest(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  const bool made =
      X509_digest(certificate, EVP_sha256(), digest.data(), &size) == 1;
  digest.resize(made ? size : 0);
  return digest;
}

}  // namespace

Credential::Credential(X509Pointer certificate, EvpPkeyPointer key,
                       X509StackPointer chain)
    : certificate_(std::move(certificate)),
      key_(std::move(key)),
      chain_(std::move(chain)),
      fingerprint_(FingerprintOf(certificate_.get())) {}

// Without a fingerprint nobody could tell whose it is.
Result<Credential::Pointer> Credential::Whole(Credential* made) {
  Pointer credential(made);
  if (made->fingerprint_.empty()) return TakeFailure(FailureReason::kInternal);
  return credential;
}

Result<Credential::Pointer> Credential::Create(const CertificateInput& input) {
  ErrorStack errors;
  X509Pointer leaf;
  X509StackPointer chain;
  if (auto failure = ReadChain(input.certificate, input.chain, &leaf, &chain)) {
    return *failure;
  }
  Failure mismatch{FailureReason::kKeyMismatch, 0, "", {}};
  for (size_t i = 0; i < input.keys.size(); i++) {
    auto read = ReadPrivateKey(input.keys[i], static_cast<int>(i));
    if (!read.ok()) return read.failure();
    if (X509_check_private_key(leaf.get(), read.value().get()) == 1) {
      return Whole(new Credential(std::move(leaf), std::move(read.value()),
                                  std::move(chain)));
    }
    mismatch = TakeMismatch();
    if (mismatch.reason != FailureReason::kKeyMismatch) break;
  }
  return mismatch;
}

Result<Credential::Pointer> Credential::Create(const ExternalKeyInput& input) {
  ErrorStack errors;
  if (!ExternalKeysWork()) return Failure{FailureReason::kNoFibres, 0, "", {}};
  X509Pointer leaf;
  X509StackPointer chain;
  if (auto failure = ReadChain(input.certificate, input.chain, &leaf, &chain)) {
    return *failure;
  }
  EVP_PKEY* public_key = X509_get0_pubkey(leaf.get());
  if (public_key == nullptr || !IsExternalKeyType(public_key)) {
    const char* type =
        public_key == nullptr ? nullptr : EVP_PKEY_get0_type_name(public_key);
    return Failure{
        FailureReason::kKeyTypeUnsupported, 0, type == nullptr ? "" : type, {}};
  }
  EvpPkeyPointer key = MakeExternalKey(public_key, input.schemes, nullptr);
  if (!key) return TakeFailure(FailureReason::kInternal);
  const auto fits = [&](SignatureScheme scheme) {
    return KeyFitsScheme(key.get(), scheme, TLS1_2_VERSION) ||
           KeyFitsScheme(key.get(), scheme, TLS1_3_VERSION);
  };
  if (!input.schemes.empty() &&
      std::none_of(input.schemes.begin(), input.schemes.end(), fits)) {
    return Failure{FailureReason::kSchemesUnsuitable,
                   0,
                   EVP_PKEY_get0_type_name(public_key),
                   {}};
  }
  auto* made =
      new Credential(std::move(leaf), std::move(key), std::move(chain));
  made->is_external_ = true;
  made->schemes_ = input.schemes;
  return Whole(made);
}

bool Credential::Allows(SignatureScheme scheme) const {
  return schemes_.empty() ||
         std::find(schemes_.begin(), schemes_.end(), scheme) != schemes_.end();
}

Result<Credential::Pointer> Credential::Create(const PfxInput& input) {
  ErrorStack errors;
  const uint8_t* position = input.bytes.data;
  const Pkcs12Pointer pfx(d2i_PKCS12(
      nullptr, &position, static_cast<long>(input.bytes.size)));  // NOLINT
  if (!pfx) {
    return TakeFailure(FailureReason::kPfxUnreadable);
  }
  std::optional<TerminatedSecret> passphrase;
  if (input.passphrase.has_value()) passphrase.emplace(*input.passphrase);
  EVP_PKEY* raw_key = nullptr;
  X509* raw_certificate = nullptr;
  STACK_OF(X509)* raw_pool = nullptr;
  const int parsed =
      PKCS12_parse(pfx.get(), passphrase ? passphrase->get() : nullptr,
                   &raw_key, &raw_certificate, &raw_pool);
  EvpPkeyPointer key(raw_key);
  X509Pointer certificate(raw_certificate);
  const X509StackPointer pool(raw_pool);
  if (parsed != 1) return PfxFailure(input.passphrase.has_value());
  if (!key || !certificate) {
    return Failure{FailureReason::kPfxIncomplete,
                   0,
                   key ? "certificate" : "private key",
                   {}};
  }
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return TakeMismatch();
  }
  X509StackPointer chain = OrderChain(certificate.get(), pool.get());
  if (!chain) return TakeFailure(FailureReason::kPfxUnreadable);
  return Whole(
      new Credential(std::move(certificate), std::move(key), std::move(chain)));
}

}  // namespace tls_client_cert
