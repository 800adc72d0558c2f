#include "shared_key.h"

#include <openssl/async.h>

#include <cstring>

namespace tls_client_cert {

void SharedKey::Answer(std::string identity, BytesView key) {
  if (state_ != State::kAsked) return;
  if (key.size == 0 || key.size > max_key_ || identity.size() > max_identity_ ||
      identity.find('\0') != std::string::npos) {
    return Refuse();
  }
  identity_ = std::move(identity);
  key_.assign(key.data, key.data + key.size);
  state_ = State::kAnswered;
}

void SharedKey::Refuse() {
  Forget();
  state_ = State::kRefused;
}

void SharedKey::Forget() { SecretBytes().swap(key_); }

unsigned SharedKey::Await(const char* hint, char* identity,
                          unsigned identity_size, unsigned char* key,
                          unsigned key_size) {
  std::optional<std::string> asked;
  if (hint != nullptr) asked = hint;
  if (ASYNC_get_current_job() != nullptr) {
    hint_ = std::move(asked);
    max_identity_ = identity_size - 1;
    max_key_ = key_size;
    state_ = State::kAsked;
    // That of an answer before: a server may have asked for another hello.
    Forget();
    if (ASYNC_pause_job() != 1) Refuse();
  } else if (asked != hint_) {
    return 0;
  }
  if (state_ != State::kAnswered || key_.size() > key_size ||
      identity_.size() >= identity_size) {
    return 0;
  }
  std::memcpy(identity, identity_.c_str(), identity_.size() + 1);
  std::memcpy(key, key_.data(), key_.size());
  return static_cast<unsigned>(key_.size());
}

}  // namespace tls_client_cert
