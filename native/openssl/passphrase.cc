#include "passphrase.h"

#include <cstring>

namespace tls_client_cert {

int GivePassphrase(char* buffer, int size, int /*rwflag*/, void* prompt) {
  auto* asked = static_cast<PassphrasePrompt*>(prompt);
  asked->asked = true;
  if (!asked->passphrase->has_value()) return -1;
  const BytesView passphrase = **asked->passphrase;
  if (size < 0 || passphrase.size > static_cast<size_t>(size)) return -1;
  if (passphrase.size > 0) {
    std::memcpy(buffer, passphrase.data, passphrase.size);
  }
  return static_cast<int>(passphrase.size);
}

}  // namespace tls_client_cert
