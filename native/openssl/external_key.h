// Private keys that OpenSSL does not have: whoever has one is asked for each
// signature, while the handshake waits on a fibre of OpenSSL's.
#ifndef TLS_CLIENT_CERT_OPENSSL_EXTERNAL_KEY_H_
#define TLS_CLIENT_CERT_OPENSSL_EXTERNAL_KEY_H_

#include <optional>
#include <vector>

#include "bytes.h"
#include "pointers.h"
#include "signature_scheme.h"

namespace tls_client_cert {

// The signature that one connection waits for, or none.
class ExternalSignature {
 public:
  enum class State { kIdle, kWanted, kSupplied, kRefused };

  State state() const { return state_; }

  // While kWanted: what is to be signed, and how.
  const Bytes& data() const { return data_; }
  SignatureForm form() const { return form_; }

  // Whether `signature` is what is wanted: by OpenSSL's word, with `key`.
  std::optional<bool> IsMadeBy(EVP_PKEY* key, BytesView signature) const;

  // The two ways on from kWanted; the job has to be resumed then.
  void Supply(Bytes signature);
  void Refuse() { state_ = State::kRefused; }

  // What is signed from now on goes nowhere, and any signature will do.
  void Discard() { discarded_ = true; }

  // On the fibre: pauses the job until one of the two was called. False when
  // there is no fibre to pause, no memory, or the signature was refused.
  bool Await(BytesView data, SignatureForm form);
  const Bytes& signature() const { return signature_; }

 private:
  State state_ = State::kIdle;
  bool discarded_ = false;
  Bytes data_;
  SignatureForm form_;
  Bytes signature_;
};

// Whether OpenSSL has fibres here (ASYNC_is_capable(3)): not on musl.
bool ExternalKeysWork();

bool IsExternalKeyType(EVP_PKEY* public_key);

// A private key whose public half is `public_key`, for OpenSSL to sign with.
// It signs under `schemes`, or if that is empty under all that its type can.
// Without `signature` it can be asked all about itself, and sign nothing.
// `signature` has to outlive the key.
// Null leaves the reason in the error queue.
EvpPkeyPointer MakeExternalKey(EVP_PKEY* public_key,
                               const std::vector<SignatureScheme>& schemes,
                               ExternalSignature* signature);

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_EXTERNAL_KEY_H_
