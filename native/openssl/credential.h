// A leaf certificate, its private key and its chain, checked as one.
#ifndef TLS_CLIENT_CERT_OPENSSL_CREDENTIAL_H_
#define TLS_CLIENT_CERT_OPENSSL_CREDENTIAL_H_

#include <memory>
#include <optional>
#include <vector>

#include "bytes.h"
#include "failure.h"
#include "pointers.h"
#include "signature_scheme.h"

namespace tls_client_cert {

struct KeyInput {
  BytesView bytes;  // PEM or DER
  std::optional<BytesView> passphrase;
};

struct CertificateInput {
  BytesView certificate;         // the leaf; PEM may bring its chain along
  std::vector<BytesView> chain;  // appended in the order given
  std::vector<KeyInput> keys;    // the one that belongs to the leaf is taken
};

// Whoever has the private key signs for each connection: external_key.h.
struct ExternalKeyInput {
  BytesView certificate;
  std::vector<BytesView> chain;
  std::vector<SignatureScheme> schemes;  // empty: all that its type can
};

struct PfxInput {
  BytesView bytes;
  std::optional<BytesView> passphrase;
};

// Immutable once made: any number of connections may share one.
class Credential {
 public:
  using Pointer = std::shared_ptr<const Credential>;

  static Result<Pointer> Create(const CertificateInput& input);
  static Result<Pointer> Create(const ExternalKeyInput& input);
  static Result<Pointer> Create(const PfxInput& input);

  X509* certificate() const { return certificate_.get(); }
  // Of an external key all but what it takes to sign.
  EVP_PKEY* key() const { return key_.get(); }
  bool is_external() const { return is_external_; }
  // Under which an external key signs, if that was said.
  const std::vector<SignatureScheme>& schemes() const { return schemes_; }
  bool Allows(SignatureScheme scheme) const;
  // Without the leaf, in the order in which it is sent. Never null.
  STACK_OF(X509) * chain() const { return chain_.get(); }
  // SHA-256 of the leaf: whose credential it is, among all others.
  const Bytes& fingerprint() const { return fingerprint_; }

 private:
  Credential(X509Pointer certificate, EvpPkeyPointer key,
             X509StackPointer chain);

  static Result<Pointer> Whole(Credential* made);

  X509Pointer certificate_;
  EvpPkeyPointer key_;
  X509StackPointer chain_;
  bool is_external_ = false;
  std::vector<SignatureScheme> schemes_;
  Bytes fingerprint_;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_CREDENTIAL_H_
