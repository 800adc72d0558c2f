#include "key_reader.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <climits>
#include <cstring>

#include "certificate_reader.h"

namespace tls_client_cert {

namespace {

struct PassphrasePrompt {
  const std::optional<BytesView>* passphrase;
  bool asked = false;
};

// pem_password_cb(3): OpenSSL asks only when the key is encrypted.
int GivePassphrase(char* buffer, int size, int /*rwflag*/, void* data) {
  auto* prompt = static_cast<PassphrasePrompt*>(data);
  prompt->asked = true;
  if (!prompt->passphrase->has_value()) return -1;
  const BytesView passphrase = **prompt->passphrase;
  if (size < 0 || passphrase.size > static_cast<size_t>(size)) return -1;
  if (passphrase.size > 0) {
    std::memcpy(buffer, passphrase.data, passphrase.size);
  }
  return static_cast<int>(passphrase.size);
}

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
  return Failure{reason, index, "", ErrorStack::Take()};
}

}  // namespace tls_client_cert
