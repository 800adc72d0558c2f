#include "key_reader.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <climits>

#include "certificate_reader.h"
#include "passphrase.h"

namespace tls_client_cert {

namespace {

EvpPkeyPointer ReadDer(const KeyInput& input, PassphrasePrompt* prompt) {
  const uint8_t* position = input.bytes.data;
  const long size = static_cast<long>(input.bytes.size);  // NOLINT
  EvpPkeyPointer key(d2i_AutoPrivateKey(nullptr, &position, size));
  if (key) {
    // Bytes behind the key mean that this is not what it seems to be.
    if (position != input.bytes.data + input.bytes.size) key.reset();
    return key;
  }
  position = input.bytes.data;
  const Pkcs8Pointer encrypted(d2i_X509_SIG(nullptr, &position, size));
  if (!encrypted) return nullptr;
  const BioPointer bio = ViewAsBio(input.bytes);
  if (!bio) return nullptr;
  return EvpPkeyPointer(
      d2i_PKCS8PrivateKey_bio(bio.get(), nullptr, GivePassphrase, prompt));
}

}  // namespace

Result<EvpPkeyPointer> ReadPrivateKey(const KeyInput& input, int index) {
  ErrorStack errors;
  PassphrasePrompt prompt{&input.passphrase};
  EvpPkeyPointer key;
  if (input.bytes.size <= INT_MAX) {
    if (LooksLikeDer(input.bytes)) {
      key = ReadDer(input, &prompt);
    } else if (const BioPointer bio = ViewAsBio(input.bytes)) {
      key.reset(
          PEM_read_bio_PrivateKey(bio.get(), nullptr, GivePassphrase, &prompt));
    }
  }
  if (key) return key;
  FailureReason reason = FailureReason::kKeyUnreadable;
  if (prompt.asked) {
    reason = input.passphrase.has_value()
                 ? FailureReason::kKeyPassphraseWrong
                 : FailureReason::kKeyPassphraseMissing;
  }
  Failure failure = TakeFailure(reason, index);
  // The passphrase may be right: it has opened nothing.
  if (failure.reason == FailureReason::kKeyPassphraseWrong &&
      std::any_of(failure.stack.begin(), failure.stack.end(),
                  IsUnsupportedAlgorithm)) {
    failure.reason = FailureReason::kKeyUnsupported;
  }
  return failure;
}

}  // namespace tls_client_cert
